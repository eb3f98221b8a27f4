"""The supervised network: from holograms to class probabilities."""

from typing import Any, ClassVar

import attrs
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn

from holo_nn import split_degrees, widened
from holo_types import Holograms
from holo_vae.recipes.model import ClassifierConfig

from .network import HologramNetwork, dense_layers, stages
from .storage import TrainedNetwork, as_array, as_tensor, in_batches

__all__ = ["Classifier", "TrainedClassifier"]

# Added under the square root, where the derivative would be infinite: lengths below 1e-6 count as zero.
_EPS = 1e-12


class Classifier(HologramNetwork):
    """The SO(3)-equivariant network with invariant output that the paper uses to score samples.

    The network consists of blocks, followed by the invariants of the last block's output: the channels of degree 0 and,
    where there are higher degrees, the length of each of their channels, sqrt(Σ_m x²/(2l+1)). A dense head with ReLU
    between its layers turns the invariants into logits. Holograms are first divided by `scale`.

    Parameters
    ----------
    config
        The architecture.

    Notes
    -----
    Visani et al., Phys. Rev. Research 6, 023006 (2024), who use it to score conditional samples.

    Examples
    --------
    >>> from holo_types import Basis
    >>> from holo_vae.recipes.model import Condition
    >>> config = ClassifierConfig(
    ...     basis=Basis(lmax=2, radial=None, channels=("image",)), lmax=(2, 1, 0), channels=(6, 6, 6), hidden=(8,),
    ...     classes=Condition(column="label", categories=(0, 1, 2)))
    >>> network = Classifier(config)
    >>> holograms = torch.randn(5, 9)
    >>> network.features(holograms).shape, network(holograms).shape
    (torch.Size([5, 8]), torch.Size([5, 3]))
    """

    config: ClassifierConfig

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__(config)
        self.initial_projection = self.make_projection()
        self.encoder = self.make_blocks()
        widths = (config.channels[-1] * (config.lmax[-1] + 1), *config.hidden)
        self.hidden = dense_layers(*widths)
        self.logits = nn.Linear(widths[-1], len(config.classes.categories))

    def features(self, holograms: Float[Tensor, "n dim"]) -> Float[Tensor, "n d"]:
        """Return the invariants before the last layer."""
        pieces = split_degrees(widened(self.last_features(holograms)), stages(self.config)[-1])
        invariants = [
            piece.squeeze(-1) if degree == 0 else (piece.square().mean(-1) + _EPS).sqrt()
            for degree, piece in pieces.items()
        ]
        features: Tensor = self.hidden(torch.cat(invariants, dim=1))
        return features

    def forward(self, holograms: Float[Tensor, "n dim"]) -> Float[Tensor, "n classes"]:
        """Return the logits of the classes, in the order of ``config.classes.categories``."""
        logits: Tensor = self.logits(self.features(holograms))
        return logits


@attrs.frozen(eq=False, repr=False)
class TrainedClassifier(TrainedNetwork[Classifier]):
    """A classifier ready for use.

    Parameters
    ----------
    network
        The torch module.
    name, version
        Name and version that identify the origin of its predictions.

    Examples
    --------
    >>> import numpy as np
    >>> from holo_types import Basis
    >>> from holo_vae.recipes.model import Condition
    >>> basis = Basis(lmax=2, radial=None, channels=("image",))
    >>> config = ClassifierConfig(
    ...     basis=basis, lmax=(2, 1), channels=(6, 6), classes=Condition(column="label", categories=(0, 1, 2)))
    >>> classifier = TrainedClassifier(Classifier(config), name="untrained")
    >>> probabilities = classifier.predict(Holograms(np.random.default_rng(0).normal(size=(5, 9)), basis))
    >>> probabilities.shape, probabilities.sum(axis=1).round(decimals=5).tolist()
    ((5, 3), [1.0, 1.0, 1.0, 1.0, 1.0])
    """

    kind: ClassVar[str] = "classifier"
    config_type = ClassifierConfig
    network_type = Classifier

    @property
    def config(self) -> ClassifierConfig:
        """The architecture of the network."""
        return self.network.config

    @property
    def classes(self) -> tuple[int | str, ...]:
        """The classes, in the order of the columns of `predict`."""
        return self.config.classes.categories

    def predict(
        self, holograms: Holograms, batch_size: int = 512, device: torch.device | str = "cpu"
    ) -> NDArray[Any]:
        """Return the probability of each class, ``[n, classes]``.

        The computation and the result have the precision of the network's weights.

        Raises
        ------
        HoloError
            If the basis of the holograms is not that of the network.
        """
        self.check_basis(holograms)
        network = self.network.to(device).eval()
        with torch.inference_mode():
            probabilities = [
                network(as_tensor(batch, network)).softmax(dim=1)
                for batch in in_batches(holograms.coefficients, batch_size)
            ]
        return as_array(torch.cat(probabilities))
