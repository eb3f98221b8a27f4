"""SO(3)-equivariant layers in PyTorch."""

from ._version import __version__
from .batch_norm import BatchNorm
from .block import Block
from .clebsch_gordan import clebsch_gordan, clebsch_gordan_digest
from .connectivity import connectivity
from .frame import Frame, orthonormal_frame
from .irreps import IrrepsLike
from .linear import Linear
from .losses import cosine_loss, cosine_loss_per_degree
from .signal_norm import SignalNorm
from .tensor_square import TensorSquare
from .wigner import rotate, wigner_D

__all__ = [
    "BatchNorm",
    "Block",
    "Frame",
    "IrrepsLike",
    "Linear",
    "SignalNorm",
    "TensorSquare",
    "__version__",
    "clebsch_gordan",
    "clebsch_gordan_digest",
    "connectivity",
    "cosine_loss",
    "cosine_loss_per_degree",
    "orthonormal_frame",
    "rotate",
    "wigner_D",
]
