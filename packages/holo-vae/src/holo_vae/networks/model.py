"""A model: an autoencoder with its name and version, applied to typed data and stored on disk."""

from typing import Any, ClassVar

import attrs
import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from holo_types import Embeddings, HoloError, Holograms, Index
from holo_vae.recipes.model import Condition, ModelConfig

from .categories import category_numbers
from .network import HolographicAutoencoder
from .storage import TrainedNetwork, as_array, as_tensor, in_batches

__all__ = ["Model"]


@attrs.frozen(eq=False, repr=False)
class Model(TrainedNetwork[HolographicAutoencoder]):
    """A holographic autoencoder ready for use.

    Parameters
    ----------
    network
        The torch module.
    name, version
        Name and version that identify the origin of the `Embeddings` it makes.

    Examples
    --------
    >>> from holo_types import Basis
    >>> basis = Basis(lmax=2, radial=None, channels=("image",))
    >>> config = ModelConfig(basis=basis, latent_dim=4, lmax=(2, 1), channels=(6, 6))
    >>> model = Model(HolographicAutoencoder(config), name="untrained")
    >>> holograms = Holograms(np.random.default_rng(0).normal(size=(5, 9)), basis)
    >>> embeddings = model.encode(holograms)
    >>> embeddings.invariants.shape, len(model.decode(embeddings))
    ((5, 4), 5)
    """

    kind: ClassVar[str] = "autoencoder"
    config_type = ModelConfig
    network_type = HolographicAutoencoder

    @property
    def config(self) -> ModelConfig:
        """The architecture of the network."""
        return self.network.config

    def encode(
        self, holograms: Holograms, batch_size: int = 512, device: torch.device | str = "cpu"
    ) -> Embeddings:
        """Return invariant embeddings and frames; for a variational model, the means.

        The computation and the result have the precision of the network's weights.

        Raises
        ------
        HoloError
            If the basis of the holograms is not that of the model.
        """
        self.check_basis(holograms)
        network = self.network.to(device).eval()
        with torch.inference_mode():
            latents = [
                network.encode(as_tensor(batch, network))
                for batch in in_batches(holograms.coefficients, batch_size)
            ]
        frames = as_array(torch.cat([latent.frame for latent in latents]))
        log_variances = [latent.log_variance for latent in latents if latent.log_variance is not None]
        return Embeddings(
            as_array(torch.cat([latent.mean for latent in latents])),
            frames,
            self.reference,
            holograms.index,
            centers=holograms.centers,
            log_variances=as_array(torch.cat(log_variances)) if log_variances else None,
            degenerate=(frames == 0).all(axis=2).any(axis=1),
        )

    def decode(
        self,
        embeddings: Embeddings,
        condition: NDArray[Any] | int | str | None = None,
        batch_size: int = 512,
        device: torch.device | str = "cpu",
    ) -> Holograms:
        """Return the holograms that embeddings represent, in the scale of the data.

        Parameters
        ----------
        embeddings
            Embeddings as returned by `encode`.
        condition
            For a conditional model, the category of each row ``[n]``, such as a column of the index, or one
            for all rows.
        batch_size, device
            The rows that are computed at once, and the device.

        Raises
        ------
        HoloError
            If another model made the embeddings; or the condition is missing, is not a category, or is passed to a
            model that has none.
        """
        if embeddings.model.digest != self.digest:
            raise HoloError(
                f"embeddings were made by model {embeddings.model.name!r} ({embeddings.model.digest[:12]}); "
                f"this is {self.name!r} ({self.digest[:12]})"
            )
        network = self.network.to(device).eval()
        given = (
            None if condition is None else self._one_hot(self.category_numbers(condition, len(embeddings)))
        )
        if given is None and self.config.condition is not None:
            raise HoloError(
                f"condition is None; model {self.name!r} is conditional and needs the "
                f"{self.config.condition.column} of each row, or one for all"
            )
        decoded = np.empty((len(embeddings), self.config.basis.dim), dtype=embeddings.invariants.dtype)
        with torch.inference_mode():
            for start in range(0, len(embeddings), batch_size):
                rows = slice(start, start + batch_size)
                z = as_tensor(embeddings.invariants[rows], network)
                frame = as_tensor(embeddings.frames[rows], network)
                divided = network.decode(z, frame, None if given is None else given[rows])
                decoded[rows] = as_array(divided * network.scale)
        return Holograms(decoded, self.config.basis, embeddings.index, centers=embeddings.centers)

    def categories(self, index: Index) -> NDArray[Any] | None:
        """Return the condition that `decode` needs for rows: the column that ``config.condition`` names.

        The result is None for a model that is not conditional.

        Raises
        ------
        HoloError
            If there is no such column.
        """
        condition = self.config.condition
        return None if condition is None else index.column(condition.column)

    def condition(self, index: Index) -> Float[Tensor, "n categories"]:
        """Return the one-hot vectors that `network.decode` takes, from the column that ``config.condition`` names.

        Raises
        ------
        HoloError
            If the model is not conditional, there is no such column, or a value in it is not a category.
        """
        condition = self._condition()
        return self._one_hot(category_numbers(condition, index.column(condition.column)))

    def category_numbers(self, condition: NDArray[Any] | int | str, count: int) -> Int[np.ndarray, " count"]:
        """Return the place of each of so many rows' category among the model's categories.

        Raises
        ------
        HoloError
            If the model is not conditional, a value is no category, or there is neither one nor one for each row.
        """
        numbers = category_numbers(self._condition(), condition)
        if numbers.ndim and numbers.shape != (count,):
            raise HoloError(
                f"condition has shape {numbers.shape}; it must be one category, or have shape ({count},)"
            )
        return np.broadcast_to(numbers, (count,))

    def _condition(self) -> Condition:
        if self.config.condition is None:
            raise HoloError(f"model {self.name!r} is not conditional; it takes no condition")
        return self.config.condition

    def _one_hot(self, numbers: NDArray[np.int64]) -> Tensor:
        return as_tensor(np.eye(len(self._condition().categories))[numbers], self.network)
