"""How layers are computed on the hardware: compiled loops on a CPU, Triton on a GPU, statistics over processes.

Tensors, and the plain settings and functions of a layer, enter; tensors leave. It builds on `so3` and knows no layers.
"""
