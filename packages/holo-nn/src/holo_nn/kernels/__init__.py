"""How layers are computed where they run: compiled loops on a CPU, Triton on a GPU, statistics over processes.

Tensors, and the plain settings and functions of a layer, enter; tensors leave. It builds on `so3` and knows no layer.
"""
