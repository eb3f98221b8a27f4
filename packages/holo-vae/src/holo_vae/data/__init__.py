"""What is trained on: data sets prepared as files of holograms, and batches drawn from them.

Files of `Holograms` enter; `Rows` leave, which give the batches of an epoch.
"""
