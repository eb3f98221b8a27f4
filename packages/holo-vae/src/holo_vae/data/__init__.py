"""Training data: data sets prepared as files of holograms or of point clouds, and the batches drawn from them.

Files of `Holograms` or `PointClouds` enter; `Rows` leave, which yield the batches of an epoch, and views of clouds.
"""
