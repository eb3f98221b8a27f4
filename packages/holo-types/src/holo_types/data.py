"""The objects that cross package borders: point clouds, sphere images, holograms, embeddings."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar

import attrs
import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import ArrayLike, NDArray

from .basis import Basis, channel_names, check_channels
from .errors import HoloError
from .index import Index, Rows

__all__ = [
    "Data",
    "Embeddings",
    "Grid",
    "Holograms",
    "ModelReference",
    "PointClouds",
    "SphereImages",
    "concatenate",
]

Grid = Literal["driscoll-healy", "gauss-legendre"]


def _as_index(value: Index | Mapping[str, ArrayLike] | None) -> Index:
    return value if isinstance(value, Index) else Index(value)


def _check_floats(owner: object, name: str, array: object, shape: tuple[int | str, ...]) -> None:
    """Refuse an array that is not float32 or float64, finite, and of the shape; text stands for any size."""
    where = f"{type(owner).__name__}.{name}"
    expected = f"[{', '.join(map(str, shape))}]"
    if not isinstance(array, np.ndarray):
        raise HoloError(f"{where} is a {type(array).__name__}; it must be a numpy array {expected}")
    if array.dtype not in (np.float32, np.float64):
        raise HoloError(f"{where} has dtype {array.dtype}; it must be float32 or float64")
    fits = array.ndim == len(shape) and all(
        isinstance(size, str) or size == actual for size, actual in zip(shape, array.shape, strict=True)
    )
    if not fits:
        raise HoloError(f"{where} has shape {list(array.shape)}; it must be {expected}")
    if not np.isfinite(array).all():
        row = int(np.argwhere(~np.isfinite(array))[0][0])
        raise HoloError(f"{where} is not finite in row {row}; every value must be a finite number")


def _check_index(owner: object, index: Index, rows: int) -> None:
    if index.rows not in (None, rows):
        name = next(iter(index))
        raise HoloError(
            f"{type(owner).__name__}.index[{name!r}] has {index.rows} values; it must have {rows}, one a row"
        )


def _same(array: object, other: object) -> bool:
    if array is None or other is None:
        return array is other
    a, b = np.asarray(array), np.asarray(other)
    return a.dtype == b.dtype and np.array_equal(a, b)


_EXACT = attrs.cmp_using(eq=_same)


@attrs.frozen(hash=False)
class PointClouds:
    """Weighted points about many origins, ragged.

    Cloud i holds the points ``offsets[i]:offsets[i+1]``.

    Parameters
    ----------
    coordinates : Float[ndarray, "points 3"]
        Positions in Å, relative to each cloud's own origin.
    weights : Float[ndarray, "points channels"]
        Weight of each point in each channel.
    offsets : Int[ndarray, "n+1"]
        Where each cloud begins; the first is 0, the last the number of points.
    channels : tuple of str
        Names of the channels.
    index : Index
        What each cloud is about.

    Raises
    ------
    HoloError
        If a shape, dtype or value does not fit; the message names the field.

    Examples
    --------
    >>> clouds = PointClouds(np.zeros((3, 3)), np.ones((3, 1)), np.array([0, 1, 3]), ("C",))
    >>> len(clouds), clouds[1:].offsets
    (2, array([0, 2]))
    """

    coordinates: Float[np.ndarray, "points 3"] = attrs.field(eq=_EXACT)
    weights: Float[np.ndarray, "points channels"] = attrs.field(eq=_EXACT)
    offsets: Int[np.ndarray, "n+1"] = attrs.field(eq=_EXACT)
    channels: tuple[str, ...] = attrs.field(converter=channel_names)
    index: Index = attrs.field(factory=Index, converter=_as_index)

    def __attrs_post_init__(self) -> None:
        _check_floats(self, "coordinates", self.coordinates, ("points", 3))
        check_channels(self, self.channels)
        points = len(self.coordinates)
        _check_floats(self, "weights", self.weights, (points, len(self.channels)))
        offsets = self.offsets
        if not isinstance(offsets, np.ndarray) or offsets.dtype.kind not in "iu" or offsets.ndim != 1:
            raise HoloError(f"PointClouds.offsets is {offsets!r}; it must be an integer array [n+1]")
        object.__setattr__(self, "offsets", offsets.astype(np.int64, copy=False))
        if len(offsets) == 0 or offsets[0] != 0 or offsets[-1] != points:
            raise HoloError(
                f"PointClouds.offsets is {offsets}; it must begin with 0 and end with {points}, the points"
            )
        if np.any(np.diff(self.offsets) < 0):
            raise HoloError(
                f"PointClouds.offsets falls after {int(np.argmin(np.diff(self.offsets)))}; it must not fall"
            )
        _check_index(self, self.index, len(self))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, rows: Rows) -> "PointClouds":
        starts, stops = self.offsets[:-1][rows], self.offsets[1:][rows]
        sizes = stops - starts
        offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        if isinstance(rows, slice) and rows.step in (None, 1) and len(sizes):
            points: slice | NDArray[np.int64] = slice(int(starts[0]), int(stops[-1]))
        else:
            points = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], sizes)
        return PointClouds(
            self.coordinates[points], self.weights[points], offsets, self.channels, self.index.take(rows)
        )


@attrs.frozen(hash=False)
class SphereImages:
    """Images on a sphere, sampled on a named grid.

    Parameters
    ----------
    values : Float[ndarray, "n channels theta phi"]
        The samples.
    grid
        ``"driscoll-healy"``: bandwidth b, 2b × 2b samples, θ_j = π(2j+1)/(4b), φ_k = πk/b.
        ``"gauss-legendre"``: bandwidth b, b × (2b-1) samples, cos θ_j the Gauss-Legendre nodes from the
        north pole down, φ_k = 2πk/(2b-1).
    channels
        Names of the channels.
    index
        What each image is.

    Raises
    ------
    HoloError
        If a shape, dtype or value does not fit; the message names the field.

    Examples
    --------
    >>> SphereImages(np.zeros((5, 1, 60, 60)), "driscoll-healy", ("image",)).bandwidth
    30
    """

    values: Float[np.ndarray, "n channels theta phi"] = attrs.field(eq=_EXACT)
    grid: Grid = attrs.field()
    channels: tuple[str, ...] = attrs.field(converter=channel_names)
    index: Index = attrs.field(factory=Index, converter=_as_index)

    def __attrs_post_init__(self) -> None:
        check_channels(self, self.channels)
        _check_floats(self, "values", self.values, ("n", len(self.channels), "theta", "phi"))
        theta, phi = self.values.shape[2:]
        if self.grid == "driscoll-healy":
            if theta != phi or theta % 2 or theta == 0:
                raise HoloError(
                    f"SphereImages.values has {theta} × {phi} samples; driscoll-healy needs 2b × 2b"
                )
        elif self.grid == "gauss-legendre":
            if theta == 0 or phi != 2 * theta - 1:
                raise HoloError(
                    f"SphereImages.values has {theta} × {phi} samples; gauss-legendre needs b × (2b-1)"
                )
        else:
            raise HoloError(
                f"SphereImages.grid is {self.grid!r}; it must be 'driscoll-healy' or 'gauss-legendre'"
            )
        _check_index(self, self.index, len(self))

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: Rows) -> "SphereImages":
        return attrs.evolve(self, values=self.values[rows], index=self.index.take(rows))

    @property
    def bandwidth(self) -> int:
        """The bandwidth b: degrees l < b are sampled exactly."""
        theta = int(self.values.shape[2])
        return theta // 2 if self.grid == "driscoll-healy" else theta


@attrs.frozen(hash=False)
class Holograms:
    """Spherical or Zernike Fourier coefficients of data around origins.

    Parameters
    ----------
    coefficients : Float[ndarray, "n dim"]
        Flat, in the layout that `Basis` describes.
    basis
        What the coefficients mean.
    index
        What each hologram is about.

    Raises
    ------
    HoloError
        If a shape, dtype or value does not fit; the message names the field.

    Examples
    --------
    >>> basis = Basis(lmax=1, radial=None, channels=("image",))
    >>> holograms = Holograms(np.eye(4), basis, {"image": np.arange(4)})
    >>> len(holograms[:2]), holograms[:2].index["image"]
    (2, array([0, 1]))
    """

    coefficients: Float[np.ndarray, "n dim"] = attrs.field(eq=_EXACT)
    basis: Basis = attrs.field()
    index: Index = attrs.field(factory=Index, converter=_as_index)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.basis, Basis):
            raise HoloError(f"Holograms.basis is a {type(self.basis).__name__}; it must be a Basis")
        _check_floats(self, "coefficients", self.coefficients, ("n", self.basis.dim))
        _check_index(self, self.index, len(self))

    def __len__(self) -> int:
        return len(self.coefficients)

    def __getitem__(self, rows: Rows) -> "Holograms":
        return attrs.evolve(self, coefficients=self.coefficients[rows], index=self.index.take(rows))

    def degree(self, degree: int) -> Float[np.ndarray, "n multiplicity m"]:
        """Give the coefficients of one degree l, channels and radial orders first, then m = -l..l."""
        block = self.coefficients[:, self.basis.irreps.slices[degree]]
        return block.reshape(len(self), -1, 2 * degree + 1)


@attrs.frozen
class ModelReference:
    """Which model made an embedding.

    Parameters
    ----------
    name, version
        As in the registry or the model's configuration.
    digest
        SHA-256 of the model's weights and configuration.
    basis_digest
        `Basis.digest` of the holograms that the model takes.
    """

    name: str
    version: str
    digest: str
    basis_digest: str


@attrs.frozen(hash=False)
class Embeddings:
    """Invariant embeddings and equivariant frames of holograms.

    Parameters
    ----------
    invariants : Float[ndarray, "n d"]
        z, the same however the input is turned.
    frames : Float[ndarray, "n 3 3"]
        Rows are axes, right-handed; they turn with the input. Axes that the input does not define are zero.
    model
        What made them.
    index
        What each row is.
    log_variances : Float[ndarray, "n d"], optional
        Of a variational model.
    degenerate : Bool[ndarray, "n"], optional
        Rows whose input does not define every axis.
    reconstruction_cosine : Float[ndarray, "n"], optional
        Cosine loss of each reconstruction, 0 for a perfect one.

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

    invariants: Float[np.ndarray, "n d"] = attrs.field(eq=_EXACT)
    frames: Float[np.ndarray, "n 3 3"] = attrs.field(eq=_EXACT)
    model: ModelReference = attrs.field()
    index: Index = attrs.field(factory=Index, converter=_as_index)
    log_variances: Float[np.ndarray, "n d"] | None = attrs.field(default=None, kw_only=True, eq=_EXACT)
    degenerate: Bool[np.ndarray, "n"] | None = attrs.field(default=None, kw_only=True, eq=_EXACT)
    reconstruction_cosine: Float[np.ndarray, "n"] | None = attrs.field(default=None, kw_only=True, eq=_EXACT)

    def __attrs_post_init__(self) -> None:
        _check_floats(self, "invariants", self.invariants, ("n", "d"))
        n, d = self.invariants.shape
        if d == 0:
            raise HoloError(f"Embeddings.invariants has shape [{n}, 0]; it must be [n, d] with d >= 1")
        _check_floats(self, "frames", self.frames, (n, 3, 3))
        if not isinstance(self.model, ModelReference):
            raise HoloError(f"Embeddings.model is a {type(self.model).__name__}; it must be a ModelReference")
        if self.log_variances is not None:
            _check_floats(self, "log_variances", self.log_variances, (n, d))
        if self.reconstruction_cosine is not None:
            _check_floats(self, "reconstruction_cosine", self.reconstruction_cosine, (n,))
        flags = self.degenerate
        if flags is not None and not (
            isinstance(flags, np.ndarray) and flags.dtype == np.bool_ and flags.shape == (n,)
        ):
            raise HoloError(f"Embeddings.degenerate is {flags!r}; it must be a bool array [{n}]")
        _check_index(self, self.index, n)

    def __len__(self) -> int:
        return len(self.invariants)

    def __getitem__(self, rows: Rows) -> "Embeddings":
        return Embeddings(
            self.invariants[rows],
            self.frames[rows],
            self.model,
            self.index.take(rows),
            log_variances=_rows_of(self.log_variances, rows),
            degenerate=_rows_of(self.degenerate, rows),
            reconstruction_cosine=_rows_of(self.reconstruction_cosine, rows),
        )


def _rows_of(array: NDArray[Any] | None, rows: Rows) -> NDArray[Any] | None:
    return None if array is None else array[rows]


Data = PointClouds | SphereImages | Holograms | Embeddings
DataT = TypeVar("DataT", PointClouds, SphereImages, Holograms, Embeddings)


def concatenate(parts: Sequence[DataT]) -> DataT:
    """Join objects of one type, one after the other.

    Raises
    ------
    HoloError
        If there is nothing to join, or the parts differ in type, basis, channels, model, columns, dtype, or
        in which optional fields they have.

    Examples
    --------
    >>> basis = Basis(lmax=0, radial=None, channels=("image",))
    >>> len(concatenate([Holograms(np.zeros((2, 1)), basis), Holograms(np.ones((3, 1)), basis)]))
    5
    """
    if not parts:
        raise HoloError("concatenate: there is nothing to concatenate")
    kind = type(parts[0])
    if any(type(part) is not kind for part in parts):
        raise HoloError(f"concatenate: all parts must be {kind.__name__}")
    names = [field.name for field in attrs.fields(kind)]
    return kind(**{name: _join(name, [getattr(part, name) for part in parts]) for name in names})


def _join(name: str, values: list[Any]) -> Any:
    """Join what the parts have under one name: rows one after the other, or one value that all share."""
    first = values[0]
    if name == "index":
        return Index.concatenate(values)
    if name == "offsets":
        starts = np.cumsum([0, *(offsets[-1] for offsets in values)])
        shifted = [offsets[1:] + start for offsets, start in zip(values, starts, strict=False)]
        return np.concatenate([[0], *shifted]).astype(np.int64)
    if any(isinstance(value, np.ndarray) for value in values):
        kinds = {"absent" if array is None else f"{array.dtype} {array.shape[1:]}" for array in values}
        if len(kinds) > 1:
            raise HoloError(f"concatenate: the parts differ in {name}: {', '.join(sorted(kinds))}")
        return np.concatenate(values)
    if any(value != first for value in values):
        raise HoloError(f"concatenate: the parts differ in {name}")
    return first
