"""The basis in which a hologram's coefficients are written."""

import hashlib
import json
import math
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any, Literal

import attrs

from holo_types.errors import HoloError

from .irreps import Irreps

__all__ = ["AngularNormalization", "Basis", "PointNormalization", "RadialNormalization", "Zernike"]

RadialNormalization = Literal["orthonormal", "floor"]
AngularNormalization = Literal["orthonormal", "component"]
PointNormalization = Literal["none", "unit"]


_HIGHEST = 1000  # degree or order; higher ones would have more coefficients than memory holds


def _one_of(*choices: str) -> Callable[[object, "attrs.Attribute[str]", str], None]:
    def check(instance: object, attribute: "attrs.Attribute[str]", value: str) -> None:
        if value not in choices:
            expected = " or ".join(map(repr, choices))
            raise HoloError(f"{type(instance).__name__}.{attribute.name} is {value!r}; it must be {expected}")

    return check


def _degree(instance: object, attribute: "attrs.Attribute[int]", value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _HIGHEST:
        raise HoloError(
            f"{type(instance).__name__}.{attribute.name} is {value!r}; it must be an integer from 0 to {_HIGHEST}"
        )


def _length(value: float) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise HoloError(f"Zernike.cutoff is {value!r}; it must be a finite length > 0 Å") from None


def _width(value: float | None) -> float | None:
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError):
        raise HoloError(f"Zernike.envelope is {value!r}; it must be a length in Å, or None") from None


def _plain(value: Any) -> dict[str, object]:  # an attrs object
    """Return an object's fields as plain values, without the optional ones that are None.

    A field can therefore be added later with the default None, and every digest recorded before stays valid.
    """
    return attrs.asdict(value, filter=lambda field, value: value is not None or field.default is not None)


def channel_names(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names of channels, given in any kind of sequence, as a tuple."""
    if isinstance(names, str):  # its characters would become the names
        raise HoloError(f"channels are {names!r}; they must be a sequence of names, such as ({names!r},)")
    return tuple(map(str, names))


def check_channels(owner: object, channels: tuple[str, ...]) -> None:
    """Refuse channel names that are not distinct."""
    if not channels or "" in channels or len(set(channels)) < len(channels):
        raise HoloError(
            f"{type(owner).__name__}.channels is {channels!r}; it must hold at least one name, each once"
        )


@attrs.frozen
class Zernike:
    """The radial part of a Zernike basis on a ball.

    Parameters
    ----------
    nmax
        Highest radial order; a degree l has the orders n = l, l+2, ... <= nmax.
    cutoff
        Radius of the ball in Å.
    normalization
        ``"orthonormal"``: ∫₀¹ R_nl R_n'l ρ² dρ = δ. ``"floor"``: the radial functions of the authors'
        published protein weights, orthogonal but not normalized.
    envelope
        Width, in Å, of the shell below the cutoff in which the weight of a point falls smoothly to zero; with None
        there is no envelope, and a point has its full weight up to the cutoff. With t = (cutoff - r) / envelope, the
        weight is multiplied by t³ (10 - 15 t + 6 t²) where t < 1. This is the polynomial of lowest degree that rises
        from 0 to 1 and whose first two derivatives vanish at both ends. The coefficients are then twice differentiable
        functions of the points' positions.

    Raises
    ------
    HoloError
        If a value is out of range.

    Notes
    -----
    Every radial function has its largest value, √(2n+3), at the cutoff, so without an envelope a point that crosses
    the cutoff appears with its largest contribution. For cutoff functions of this kind see Gasteiger et al.,
    *Directional Message Passing for Molecular Graphs*, ICLR (2020).

    Examples
    --------
    >>> Zernike(nmax=20, cutoff=10.0).orders(1)
    (1, 3, 5, 7, 9, 11, 13, 15, 17, 19)
    >>> Zernike(nmax=20, cutoff=10.0, envelope=1.5).envelope
    1.5
    """

    nmax: int = attrs.field(validator=_degree)
    cutoff: float = attrs.field(converter=_length)
    normalization: RadialNormalization = attrs.field(
        default="orthonormal", validator=_one_of("orthonormal", "floor")
    )
    envelope: float | None = attrs.field(default=None, converter=_width)

    @cutoff.validator
    def _check_cutoff(self, _attribute: object, cutoff: float) -> None:
        if not (math.isfinite(cutoff) and cutoff > 0):
            raise HoloError(f"Zernike.cutoff is {cutoff}; it must be a finite length > 0 Å")

    @envelope.validator
    def _check_envelope(self, _attribute: object, envelope: float | None) -> None:
        if envelope is not None and not 0 < envelope <= self.cutoff:
            raise HoloError(
                f"Zernike.envelope is {envelope}; it must be > 0 and at most the cutoff, {self.cutoff} Å, or None"
            )

    def orders(self, degree: int) -> tuple[int, ...]:
        """Return the radial orders n of a degree l."""
        return tuple(range(degree, self.nmax + 1, 2))


@attrs.frozen(slots=False)
class Basis:
    """The basis of a hologram, which defines the meaning of its coefficients.

    Coefficients are flat, in e3nn's layout: degrees ascend; within a degree, channels are outermost, followed by the
    radial order, followed by m = -l..l of e3nn's real spherical harmonics.

    Parameters
    ----------
    lmax
        Highest degree.
    radial
        The radial basis on a ball; None for functions on a sphere.
    channels
        Names of the channels, such as ``("C", "N", "O", "S")``.
    angular_normalization
        ``"orthonormal"``: ∫ Y² = 1 over the sphere; ``"component"``: that times sqrt(4 pi).
    point_normalization
        ``"none"``, or ``"unit"``: each point is divided by the squared norm of its own basis vector.

    Raises
    ------
    HoloError
        If a value is out of range or no channel is named.

    Examples
    --------
    >>> basis = Basis(lmax=6, radial=Zernike(nmax=20, cutoff=10.0), channels=("C", "N", "O", "S"))
    >>> str(basis.irreps), basis.dim
    ('44x0e+40x1e+40x2e+36x3e+36x4e+32x5e+32x6e', 1708)
    """

    lmax: int = attrs.field(validator=_degree)
    radial: Zernike | None = attrs.field()
    channels: tuple[str, ...] = attrs.field(converter=channel_names)
    angular_normalization: AngularNormalization = attrs.field(
        default="orthonormal", validator=_one_of("orthonormal", "component")
    )
    point_normalization: PointNormalization = attrs.field(default="none", validator=_one_of("none", "unit"))

    @radial.validator
    def _check_radial(self, _attribute: object, radial: object) -> None:
        if radial is not None and not isinstance(radial, Zernike):
            raise HoloError(f"Basis.radial is {radial!r}; it must be a Zernike, or None on a sphere")
        if radial is not None and radial.nmax < self.lmax:
            raise HoloError(f"Basis.radial has nmax {radial.nmax}; it must be at least lmax, {self.lmax}")

    @channels.validator
    def _check_channels(self, _attribute: object, channels: tuple[str, ...]) -> None:
        check_channels(self, channels)

    @point_normalization.validator
    def _check_point_normalization(self, _attribute: object, value: str) -> None:
        if value != "none" and self.radial is None:
            raise HoloError(f"Basis.point_normalization is {value!r}; on a sphere it must be 'none'")

    @cached_property
    def irreps(self) -> Irreps:
        """The irreps of a hologram in this basis."""
        return Irreps(tuple((self.multiplicity(degree), degree) for degree in range(self.lmax + 1)))

    @cached_property
    def dim(self) -> int:
        """The number of coefficients."""
        return self.irreps.dim

    @property
    def angular_squared_norm(self) -> float:
        """The squared norm of a spherical harmonic, ∫ Y² over the sphere."""
        return 4 * math.pi if self.angular_normalization == "component" else 1.0

    def __str__(self) -> str:
        """Return the basis as one line, with normalizations only where they are not the default."""
        radial = self.radial
        parts = [f"lmax {self.lmax}"]
        if radial is None:
            parts.append("on the sphere")
        else:
            parts += [f"nmax {radial.nmax}", f"cutoff {radial.cutoff:g} Å"]
            parts += [f"envelope {radial.envelope:g} Å"] if radial.envelope is not None else []
            parts += (
                [f"radial functions {radial.normalization}"] if radial.normalization != "orthonormal" else []
            )
        parts += (
            [f"harmonics {self.angular_normalization}"] if self.angular_normalization != "orthonormal" else []
        )
        parts += [f"points {self.point_normalization}"] if self.point_normalization != "none" else []
        return f"{', '.join(parts)}; channels {' '.join(self.channels)}"

    def multiplicity(self, degree: int) -> int:
        """Return the number of (channel, radial order) pairs of a degree."""
        return len(self.channels) * (1 if self.radial is None else len(self.radial.orders(degree)))

    def to_dict(self) -> dict[str, object]:
        """Return the basis as plain values, as JSON stores it."""
        return {**_plain(self), "channels": list(self.channels)}

    @classmethod
    def from_dict(cls, plain: dict[str, object]) -> "Basis":
        """Make a basis from the plain values of `to_dict`.

        Raises
        ------
        HoloError
            If a key is unknown or missing, or a value is out of range.
        """
        try:
            radial = plain["radial"]
            return cls(**{**plain, "radial": None if radial is None else Zernike(**radial)})  # type: ignore[arg-type]
        except (KeyError, TypeError) as error:
            raise HoloError(f"basis: {plain!r} does not describe a basis ({error})") from None

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the basis, the same on every machine and in every version of Holo."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()
