"""SO(3)-equivariant layers in PyTorch."""

from holo_nn.kernels.autograd import accumulate_gradients
from holo_nn.kernels.dispatch import pure_form
from holo_nn.kernels.edges import Edges
from holo_nn.kernels.global_batch import sum_over_processes
from holo_nn.layers.batch_norm import BatchNorm, synchronize_batch_norms
from holo_nn.layers.block import Block, Blocks
from holo_nn.layers.frame import orthonormal_frame
from holo_nn.layers.gate import NormGate
from holo_nn.layers.linear import Linear
from holo_nn.layers.norms import InstanceNorm, LayerNorm
from holo_nn.layers.signal_norm import SignalNorm
from holo_nn.layers.tensor_product import TensorProduct
from holo_nn.layers.tensor_square import TensorSquare
from holo_nn.layers.weighted_product import Instruction, WeightedTensorProduct
from holo_nn.so3.clebsch_gordan import clebsch_gordan, clebsch_gordan_digest
from holo_nn.so3.connectivity import connectivity, product_connectivity
from holo_nn.so3.embedding import bessel_basis, polynomial_envelope, spherical_harmonics
from holo_nn.so3.frame import Frame
from holo_nn.so3.irreps import IrrepsLike, split_degrees
from holo_nn.so3.precision import full_precision, widened
from holo_nn.so3.representation import Irreps
from holo_nn.so3.wigner import rotate, wigner_D

from ._version import __version__
from .conversion import linear_from_e3nn, product_from_e3nn
from .losses import cosine_loss, cosine_loss_per_degree

__all__ = [
    "BatchNorm",
    "Block",
    "Blocks",
    "Edges",
    "Frame",
    "InstanceNorm",
    "Instruction",
    "Irreps",
    "IrrepsLike",
    "LayerNorm",
    "Linear",
    "NormGate",
    "SignalNorm",
    "TensorProduct",
    "TensorSquare",
    "WeightedTensorProduct",
    "__version__",
    "accumulate_gradients",
    "bessel_basis",
    "clebsch_gordan",
    "clebsch_gordan_digest",
    "connectivity",
    "cosine_loss",
    "cosine_loss_per_degree",
    "full_precision",
    "linear_from_e3nn",
    "orthonormal_frame",
    "polynomial_envelope",
    "product_connectivity",
    "product_from_e3nn",
    "pure_form",
    "rotate",
    "spherical_harmonics",
    "split_degrees",
    "sum_over_processes",
    "synchronize_batch_norms",
    "widened",
    "wigner_D",
]
