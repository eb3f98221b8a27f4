"""What is trained on: data sets prepared as files of holograms or of point clouds, and batches drawn from them.

Files of `Holograms` or `PointClouds` enter; `Rows` leave, which give the batches of an epoch, and views of clouds.
"""
