"""SO(3)-equivariant layers in PyTorch."""

from ._version import __version__
from .batch_norm import BatchNorm, synchronize_batch_norms
from .block import Block, Blocks
from .clebsch_gordan import clebsch_gordan, clebsch_gordan_digest
from .connectivity import connectivity, product_connectivity
from .frame import Frame, orthonormal_frame
from .gate import NormGate
from .irreps import IrrepsLike
from .linear import Linear
from .losses import cosine_loss, cosine_loss_per_degree
from .norms import InstanceNorm, LayerNorm
from .signal_norm import SignalNorm
from .tensor_product import TensorProduct
from .tensor_square import TensorSquare
from .wigner import rotate, wigner_D

__all__ = [
    "BatchNorm",
    "Block",
    "Blocks",
    "Frame",
    "InstanceNorm",
    "IrrepsLike",
    "LayerNorm",
    "Linear",
    "NormGate",
    "SignalNorm",
    "TensorProduct",
    "TensorSquare",
    "__version__",
    "clebsch_gordan",
    "clebsch_gordan_digest",
    "connectivity",
    "cosine_loss",
    "cosine_loss_per_degree",
    "orthonormal_frame",
    "product_connectivity",
    "rotate",
    "synchronize_batch_norms",
    "wigner_D",
]
