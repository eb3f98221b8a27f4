"""Options that several commands have."""

from typing import TYPE_CHECKING, Annotated

import attrs
from cyclopts import Parameter
from cyclopts.validators import Number

if TYPE_CHECKING:
    from holo_features.structures.selection import Selection
    from holo_types import Basis

__all__ = [
    "BasisOptions",
    "Count",
    "Flag",
    "Length",
    "Names",
    "OfBasis",
    "OptionalNames",
    "OptionalResidues",
    "Order",
    "RunOptions",
    "SelectionOptions",
    "Together",
    "settings_of",
]

Order = Annotated[int, Parameter(validator=Number(gte=0))]
Count = Annotated[int, Parameter(validator=Number(gte=1))]
Length = Annotated[float, Parameter(validator=Number(gt=0))]
Flag = Annotated[bool, Parameter(negative="")]
Names = Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="", show_default=" ".join)]
OptionalNames = Annotated[tuple[str, ...] | None, Parameter(consume_multiple=True, negative="")]


def _check_residues(_: object, names: tuple[str, ...] | None) -> None:
    """Refuse what names no residue as wrong usage."""
    from holo_features.structures.residue import ResidueId  # noqa: PLC0415

    for name in names or ():
        ResidueId.parse(name)


OptionalResidues = Annotated[
    tuple[str, ...] | None, Parameter(consume_multiple=True, negative="", validator=_check_residues)
]
Together = Parameter(name="*")  # the fields of a class are options of their own


def _check_basis(_: object, options: "BasisOptions") -> None:
    """Refuse options that make no basis as wrong usage."""
    from holo_features.surroundings.channels import check_channels  # noqa: PLC0415

    check_channels(options.basis.channels)


OfBasis = Parameter(name="*", validator=_check_basis)


@attrs.frozen
class BasisOptions:
    """How neighbourhoods are encoded.

    Parameters
    ----------
    lmax
        Highest degree l.
    nmax
        Highest radial order n, at least lmax.
    cutoff
        Radius of a neighbourhood, in Å.
    channels
        One channel each: chemical elements; other, for all elements that are not named; sasa, the
        solvent-accessible surface area in Å²; charge, the partial charge in e.
    float64
        Write the coefficients in double precision.
    """

    lmax: Order = 6
    nmax: Order = 20
    cutoff: Length = 10.0
    channels: Names = ("C", "N", "O", "S")
    float64: Flag = False

    @property
    def basis(self) -> "Basis":
        """The basis."""
        from holo_types import Basis, Zernike  # noqa: PLC0415

        return Basis(
            lmax=self.lmax, radial=Zernike(nmax=self.nmax, cutoff=self.cutoff), channels=self.channels
        )


@attrs.frozen
class SelectionOptions:
    """What of a structure file is taken.

    Parameters
    ----------
    model
        Number of the model, as the file gives it; by default the first.
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

    model: int | None = None
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


@attrs.frozen
class RunOptions:
    """How the work is done, which changes nothing in the output.

    Parameters
    ----------
    workers
        Number of processes that encode.
    scheduler
        Address of a Dask scheduler, such as tcp://host:8786, whose workers encode instead (extra dask); they
        must see the files under the same paths.
    resume
        Go on with an unfinished output, given the same inputs and options; what it has is not encoded again.
    """

    workers: Count = 1
    scheduler: str | None = None
    resume: Flag = False


def settings_of(command: str, *options: BasisOptions | SelectionOptions, **others: object) -> dict[str, str]:
    """Give options as the output keeps them, so that it is continued with the same.

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
