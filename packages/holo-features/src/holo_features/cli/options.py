"""Options that several commands have: each is defined here once, or in `holo_types.options`."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import attrs
from cyclopts import Parameter
from cyclopts.validators import Number

from holo_types.options import ConfidenceOptions, Count, Flag, RunOptions, Scheduler, Together, Workers

if TYPE_CHECKING:
    from holo_features import ResidueId
    from holo_features.structures.selection import Selection
    from holo_types import Basis

__all__ = [
    "BasisOptions",
    "ConfidenceOptions",
    "Count",
    "Flag",
    "Length",
    "Names",
    "OfBasis",
    "OptionalNames",
    "OptionalResidues",
    "Order",
    "RunOptions",
    "Scheduler",
    "SelectionOptions",
    "Together",
    "Workers",
    "residue_ids",
    "settings_of",
]

Order = Annotated[int, Parameter(validator=Number(gte=0, lte=1000))]
Length = Annotated[float, Parameter(validator=Number(gt=0, lte=1e6))]
Names = Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="", show_default=" ".join)]
OptionalNames = Annotated[tuple[str, ...] | None, Parameter(consume_multiple=True, negative="")]


def residue_ids(texts: Iterable[str]) -> "tuple[ResidueId, ...]":
    """Read residues as ``--residues`` takes them: a chain, a colon, and numbers between commas.

    Raises
    ------
    HoloError
        If a text is written otherwise.

    Examples
    --------
    >>> [str(residue) for residue in residue_ids(["A:57,102B", "B:-5"])]
    ['A:57', 'A:102B', 'B:-5']
    """
    from holo_features import ResidueId  # noqa: PLC0415

    def each(text: str) -> list[str]:
        chain, colon, numbers = text.rpartition(":")
        return [f"{chain}{colon}{number}" for number in numbers.split(",")]

    return tuple(ResidueId.parse(name) for text in texts for name in each(text))


def _check_residues(_: object, texts: tuple[str, ...] | None) -> None:
    """Refuse what names no residue as wrong usage."""
    residue_ids(texts or ())


OptionalResidues = Annotated[
    tuple[str, ...] | None,
    Parameter(
        consume_multiple=True,
        negative="",
        validator=_check_residues,
        help="Residues to take, as CHAIN:NUMBER with the insertion code, several of a chain between commas, "
        "such as A:57,102B B:5; by default all. A file without one of them gives no results.",
    ),
]


def _check_basis(_: object, options: "BasisOptions") -> None:
    """Refuse options that make no basis as wrong usage."""
    from holo_features.surroundings.channels import check_channels  # noqa: PLC0415

    check_channels(options.basis.channels)


OfBasis = Parameter(name="*", validator=_check_basis)


@attrs.frozen
class BasisOptions:
    """How neighborhoods are encoded.

    Parameters
    ----------
    lmax
        Highest degree l.
    nmax
        Highest radial order n, at least lmax.
    cutoff
        Radius of a neighborhood, in Å.
    envelope
        Width in Å of the shell below the cutoff in which the weights of atoms fall smoothly to zero; by default
        none: an atom counts in full up to the cutoff. A model takes holograms of its own envelope only.
    channels
        One channel each: chemical elements; other, for all elements that are not named; either also of one side only,
        after protein:, ligand:, metal: or water:, such as ligand:N; sasa, the solvent-accessible surface area in Å²;
        charge, the partial charge in e.
    float64
        Write the coefficients in double precision.
    """

    lmax: Order = 6
    nmax: Order = 20
    cutoff: Length = 10.0
    envelope: Length | None = None
    channels: Names = ("C", "N", "O", "S")
    float64: Flag = False

    @property
    def basis(self) -> "Basis":
        """The basis."""
        from holo_types import Basis, Zernike  # noqa: PLC0415

        radial = Zernike(nmax=self.nmax, cutoff=self.cutoff, envelope=self.envelope)
        return Basis(lmax=self.lmax, radial=radial, channels=self.channels)


@attrs.frozen
class SelectionOptions:
    """What of a structure file is taken.

    Parameters
    ----------
    model
        Number of the model of a structure that has several, as the file gives it; by default the first.
    chains
        Chains to take, by the authors' names; by default all.
    assembly
        Biological assembly to build, such as 1; by default the atoms as they are in the file.
    hydrogens
        Take hydrogen too.
    waters
        Take water too.
    hetero
        Take all else too that is no amino acid residue of a chain: ligands, ions, nucleic acids.
    """

    # --model is a network everywhere.
    model: Annotated[int | None, Parameter(name="structure-model")] = None
    chains: OptionalNames = None
    assembly: str | None = None
    hydrogens: Flag = False
    waters: Flag = False
    hetero: Flag = False

    @property
    def selection(self) -> "Selection":
        """The selection."""
        from holo_features.structures.selection import Selection  # noqa: PLC0415

        return Selection(**attrs.asdict(self))


def settings_of(
    command: str, *options: BasisOptions | SelectionOptions | ConfidenceOptions, **others: object
) -> dict[str, str]:
    """Return options as the output keeps them, so that it is continued with the same.

    Parameters
    ----------
    command
        Whose options they are.
    options
        Objects whose fields are options.
    others
        Further options.

    Examples
    --------
    >>> settings_of("residues", BasisOptions(channels=("C", "N")), seed=0)["channels"]
    'C N'
    """

    def text(value: object) -> str:
        return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)

    named = [item for group in options for item in attrs.asdict(group, recurse=False).items()]
    return {"command": command} | {name: text(value) for name, value in (*named, *others.items())}
