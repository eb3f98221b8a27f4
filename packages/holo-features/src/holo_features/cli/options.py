"""Options that several commands have; each is defined once, here or in `holo_types.options`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import attrs
from cyclopts import Parameter
from cyclopts.validators import Number

from holo_types import HoloError
from holo_types.options import (
    IN_LINES,
    ConfidenceOptions,
    Count,
    Flag,
    OptionalNames,
    OptionalResidues,
    Output,
    RunOptions,
    Scheduler,
    SelectionOptions,
    SummaryOptions,
    Together,
    Workers,
    check_output,
)

if TYPE_CHECKING:
    from holo_features.structures.selection import Selection
    from holo_types import Basis

__all__ = [
    "IN_LINES",
    "Bandwidth",
    "BasisOptions",
    "CheckedResidues",
    "ConfidenceOptions",
    "Count",
    "Cutoff",
    "Flag",
    "HologramsFile",
    "Length",
    "Names",
    "OfBasis",
    "OptionalNames",
    "Order",
    "Output",
    "RunOptions",
    "Scheduler",
    "SelectionOptions",
    "SummaryOptions",
    "Together",
    "Workers",
    "selection_of",
    "settings_of",
]

Order = Annotated[int, Parameter(validator=Number(gte=0, lte=1000))]
Bandwidth = Annotated[int, Parameter(validator=Number(gte=1, lte=1000))]
Length = Annotated[float, Parameter(validator=Number(gt=0, lte=1e6))]
# Coordinates are divided by it, so that far smaller ones overflow; no bond is as short as this.
Cutoff = Annotated[float, Parameter(validator=Number(gte=0.1, lte=1e6))]
Names = Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="", show_default=" ".join)]


def _check_holograms_file(_: object, path: Path) -> None:
    """Refuse a name whose suffix belongs to another kind of file."""
    if path.suffix not in (".h5", ".hdf5"):
        raise HoloError(f"{path}: holograms are written as HDF5; the name must end in .h5")


HologramsFile = Annotated[Path, Parameter(validator=(check_output, _check_holograms_file))]


def _check_residues(_: object, texts: tuple[str, ...] | None) -> None:
    """Refuse text that does not name residues, as wrong usage."""
    from holo_features import ResidueId  # noqa: PLC0415

    ResidueId.parse_all(texts or ())


CheckedResidues = Annotated[OptionalResidues, Parameter(validator=_check_residues)]


def _check_basis(_: object, options: "BasisOptions") -> None:
    """Refuse options that do not make a basis, as wrong usage."""
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
        Width in Å of the shell below the cutoff in which the weights of atoms fall smoothly to zero; by default there
        is none. A model accepts only holograms with its own envelope.
    channels
        Names of the channels: chemical elements; other, for all elements that are not named; sasa, the
        solvent-accessible surface area in Å²; charge, the partial charge in e. An element or other may be limited to
        protein:, ligand:, metal: or water:, such as ligand:N.
    float64
        Write the coefficients in double precision.
    """

    lmax: Order = 6
    nmax: Order = 20
    cutoff: Cutoff = 10.0
    envelope: Cutoff | None = None
    channels: Names = ("C", "N", "O", "S")
    float64: Flag = False

    @property
    def basis(self) -> "Basis":
        """The basis that the options describe."""
        from holo_types import Basis, Zernike  # noqa: PLC0415

        radial = Zernike(nmax=self.nmax, cutoff=self.cutoff, envelope=self.envelope)
        return Basis(lmax=self.lmax, radial=radial, channels=self.channels)


def selection_of(options: SelectionOptions) -> "Selection":
    """Return which part of a structure file is used."""
    from holo_features.structures.selection import Selection  # noqa: PLC0415

    return Selection(**attrs.asdict(options))


def settings_of(
    command: str, *options: BasisOptions | SelectionOptions | ConfidenceOptions, **others: object
) -> dict[str, str]:
    """Return options as they are stored in the output, so that it is continued with the same options only.

    Parameters
    ----------
    command
        Name of the command.
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
