"""Invariants, frames, and a reference to the model that computed them."""

import attrs
import numpy as np
from jaxtyping import Bool, Float

from holo_types.display import Displayed, Summary, shown
from holo_types.errors import HoloError

from .checks import EXACT, check_centers, check_columns, check_floats, rows_of
from .columns import Index, RowSelection, as_index

__all__ = ["Embeddings", "ModelReference"]


@attrs.frozen
class ModelReference:
    """The identity of the model that computed an embedding.

    Parameters
    ----------
    name, version
        As in the registry or in the model's configuration.
    digest
        SHA-256 of the model's weights and configuration.
    basis_digest
        `Basis.digest` of the holograms that the model takes.
    """

    name: str
    version: str
    digest: str
    basis_digest: str


@attrs.frozen(hash=False, repr=False)
class Embeddings(Displayed):
    """Invariant embeddings and equivariant frames of holograms.

    Parameters
    ----------
    invariants : Float[ndarray, "n d"]
        The invariant vectors z, which do not change when the input is rotated.
    frames : Float[ndarray, "n 3 3"]
        Right-handed frames whose rows are the axes; they rotate with the input. Axes that the input does not define are
        zero.
    model
        The model that computed them.
    index
        A description of each row.
    log_variances : Float[ndarray, "n d"], optional
        The log-variances of a variational model.
    degenerate : Bool[ndarray, "n"], optional
        True for rows whose input does not define every axis.
    reconstruction_cosine_loss : Float[ndarray, "n"], optional
        1 - cosine similarity of each hologram and its reconstruction: 0 is perfect.
    centers : Float[ndarray, "n 3"], optional
        Position of each origin, in Å, in the coordinates of its file; None if it is unknown.

    Raises
    ------
    HoloError
        If a shape, dtype or value does not fit; the message names the field.

    Examples
    --------
    >>> model = ModelReference("demo", "1", "0" * 64, "0" * 64)
    >>> embeddings = Embeddings(np.zeros((2, 8)), np.zeros((2, 3, 3)), model, {"chain": ["A", "B"]})
    >>> len(embeddings), embeddings.index["chain"].tolist()
    (2, ['A', 'B'])
    """

    invariants: Float[np.ndarray, "n d"] = attrs.field(eq=EXACT)
    frames: Float[np.ndarray, "n 3 3"] = attrs.field(eq=EXACT)
    model: ModelReference = attrs.field()
    index: Index = attrs.field(factory=Index, converter=as_index)
    log_variances: Float[np.ndarray, "n d"] | None = attrs.field(default=None, kw_only=True, eq=EXACT)
    degenerate: Bool[np.ndarray, "n"] | None = attrs.field(default=None, kw_only=True, eq=EXACT)
    reconstruction_cosine_loss: Float[np.ndarray, "n"] | None = attrs.field(
        default=None, kw_only=True, eq=EXACT
    )
    centers: Float[np.ndarray, "n 3"] | None = attrs.field(default=None, kw_only=True, eq=EXACT)

    def __attrs_post_init__(self) -> None:
        check_floats(self, "invariants", self.invariants, ("n", "d"))
        n, d = self.invariants.shape
        if d == 0:
            raise HoloError(f"Embeddings.invariants has shape [{n}, 0]; it must be [n, d] with d >= 1")
        check_floats(self, "frames", self.frames, (n, 3, 3))
        if not isinstance(self.model, ModelReference):
            raise HoloError(f"Embeddings.model is a {type(self.model).__name__}; it must be a ModelReference")
        if self.log_variances is not None:
            check_floats(self, "log_variances", self.log_variances, (n, d))
        if self.reconstruction_cosine_loss is not None:
            check_floats(self, "reconstruction_cosine_loss", self.reconstruction_cosine_loss, (n,))
        flags = self.degenerate
        if flags is not None and not (
            isinstance(flags, np.ndarray) and flags.dtype == np.bool_ and flags.shape == (n,)
        ):
            raise HoloError(f"Embeddings.degenerate is {flags!r}; it must be a bool array [{n}]")
        check_columns(self, self.index, n)
        check_centers(self, self.centers)

    def __len__(self) -> int:
        return len(self.invariants)

    def summary(self) -> Summary:
        """Return what is printed: how many rows, which model, and the first rows."""
        rows, numbers = self.invariants.shape
        title = f"Embeddings: {rows:,} rows of {numbers} invariants and a frame"
        model = f"{self.model.name} {self.model.version} (digest {self.model.digest[:12]})"
        facts = {"model": model}
        if self.degenerate is not None and self.degenerate.any():
            facts["degenerate frames"] = f"{np.count_nonzero(self.degenerate):,}"
        if self.reconstruction_cosine_loss is not None and rows:
            facts["reconstruction"] = f"mean cosine loss {self.reconstruction_cosine_loss.mean():.3f}"
        return shown(title, facts, self.index, {"invariants": self.invariants}, rows)

    def __getitem__(self, rows: RowSelection) -> "Embeddings":
        return attrs.evolve(
            self,
            invariants=self.invariants[rows],
            frames=self.frames[rows],
            index=self.index.take(rows),
            log_variances=rows_of(self.log_variances, rows),
            degenerate=rows_of(self.degenerate, rows),
            reconstruction_cosine_loss=rows_of(self.reconstruction_cosine_loss, rows),
            centers=rows_of(self.centers, rows),
        )

    @property
    def reconstruction_cosine(self) -> Float[np.ndarray, "n"] | None:
        """The former name of `reconstruction_cosine_loss`; it is the same loss, and 0 is perfect."""
        return self.reconstruction_cosine_loss
