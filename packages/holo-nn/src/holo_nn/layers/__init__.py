"""The layers: modules with irreps, each with a pure PyTorch form and kernels that replace it where possible.

Features ``[batch, irreps.dim]`` enter and leave. It builds on `so3` and `kernels`.
"""
