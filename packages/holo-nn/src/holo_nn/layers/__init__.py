"""The layers: modules with irreps, a pure PyTorch form, and the kernels that take its place where they may.

Features ``[batch, irreps.dim]`` enter and leave. It builds on `so3` and `kernels`.
"""
