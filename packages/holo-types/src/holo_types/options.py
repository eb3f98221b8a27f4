"""Options that several of Holo's console scripts have, each defined once (extra ``cli``)."""

from pathlib import Path
from typing import Annotated

import attrs
from cyclopts import Parameter
from cyclopts.validators import Number

from .errors import HoloError
from .summary import Form

__all__ = [
    "IN_LINES",
    "ConfidenceOptions",
    "Count",
    "Device",
    "Flag",
    "OptionalNames",
    "OptionalOutput",
    "OptionalResidues",
    "Output",
    "RunOptions",
    "Scheduler",
    "SelectionOptions",
    "SummaryOptions",
    "Together",
    "Workers",
    "check_output",
]

Count = Annotated[int, Parameter(validator=Number(gte=1))]
OptionalNames = Annotated[tuple[str, ...] | None, Parameter(consume_multiple=True, negative="")]
OptionalResidues = Annotated[
    tuple[str, ...] | None,
    Parameter(
        consume_multiple=True,
        negative="",
        help="Residues to encode, as CHAIN:NUMBER with the insertion code, several of a chain separated by "
        "commas, such as A:57,102B B:5; by default all. A file that lacks one of them is skipped.",
    ),
]
Flag = Annotated[bool, Parameter(negative="")]
Together = Parameter(name="*")  # each field of the class is an option


def check_output(_: object, path: Path | None) -> None:
    """Refuse an output that could not be written, before any work is done for it."""
    if path is not None and not path.absolute().parent.is_dir():
        raise HoloError(f"{path}: cannot be written: there is no folder {path.parent}")


Output = Annotated[Path, Parameter(validator=check_output)]
OptionalOutput = Annotated[Path | None, Parameter(validator=check_output)]
Device = Annotated[str, Parameter(help="Device on which to compute, such as cpu or cuda.")]
Workers = Annotated[
    int, Parameter(validator=Number(gte=1, lte=1024), help="Number of processes that share the work.")
]
Scheduler = Annotated[
    str | None,
    Parameter(
        help="Address of a Dask scheduler, such as tcp://host:8786, whose workers do the work instead (needs the extra "
        "dask of holo-features); they must find the files under the same paths."
    ),
]


@attrs.frozen
class SelectionOptions:
    """Which part of a structure file is used.

    Parameters
    ----------
    model
        Number of the model to read from a file with several models, as in the file; by default the first.
    chains
        Names of the chains to read, in the authors' numbering; by default all.
    assembly
        Biological assembly to build, such as 1; by default the atoms are used as they are in the file.
    hydrogens
        Include hydrogen atoms.
    waters
        Include water.
    hetero
        Include everything else that is not an amino acid residue of a chain: ligands, ions, nucleic acids.
    """

    # In all commands, --model is a network.
    model: Annotated[int | None, Parameter(name="structure-model")] = None
    chains: OptionalNames = None
    assembly: str | None = None
    hydrogens: Flag = False
    waters: Flag = False
    hetero: Flag = False


@attrs.frozen
class ConfidenceOptions:
    """Which residues of predicted structures are reliable enough.

    Parameters
    ----------
    minimum_plddt
        Lowest pLDDT, from 0 to 100, of a residue that is encoded. Residues below it are still neighbors, and are
        listed. The file must declare that its B-factors are pLDDT, as mmCIF does in _ma_qa_metric.
    b_factors_are_plddt
        Read the B-factors as pLDDT even if the file does not declare them so; a PDB file cannot.
    drop_neighbors
        Also remove the atoms of residues below --minimum-plddt from all neighborhoods.
    """

    minimum_plddt: Annotated[float | None, Parameter(validator=Number(gte=0, lte=100))] = None
    b_factors_are_plddt: Flag = False
    drop_neighbors: Flag = False


@attrs.frozen
class RunOptions:
    """How the work is done; these options do not change the output.

    Parameters
    ----------
    workers, scheduler
        The processes, or the cluster, that do the work.
    resume
        Continue an unfinished output with the same inputs and options; finished files are not read again.
    """

    workers: Workers = 1
    scheduler: Scheduler = None
    resume: Flag = False

    @property
    def alone(self) -> bool:
        """Whether a single process does all the work."""
        return self.workers == 1 and self.scheduler is None


def _check_summary(_: object, options: "SummaryOptions") -> None:
    if options.quiet and options.json:
        raise ValueError("--quiet and --json are both given; give only one of them")


@Parameter(name="*", validator=_check_summary)
@attrs.frozen
class SummaryOptions:
    """How a command reports its results; `holo_types.console.run` applies these options.

    Parameters
    ----------
    quiet
        Print nothing but errors.
    json
        Print the summary as one JSON object instead of text.
    """

    quiet: Flag = False
    json: Flag = False

    @property
    def form(self) -> Form:
        """The form of the summary."""
        return "nothing" if self.quiet else "json" if self.json else "lines"


IN_LINES = SummaryOptions()  # the default
