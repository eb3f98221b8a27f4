"""The command line of holo-features."""

from collections.abc import Callable, Sequence

from holo_features._version import __version__
from holo_types.console import examples_shown, program, run

from .complexes import complexes_command, contacts_command, ligands_command
from .density import density_command
from .images import images_command
from .residues import residues_command
from .shapes import shapes_command
from .structures import structures_command

__all__ = ["app", "main"]

_COMMANDS: dict[str, tuple[Callable[..., int], tuple[str, ...]]] = {
    "structures": (
        structures_command,
        (
            "holo-features structures my-structures/ --out holograms.h5 --workers 2",
            "holo-features structures 1abc.cif.gz --assembly 1 --residues A:57,102 --out site.h5",
        ),
    ),
    "residues": (residues_command, ("holo-features residues my-structures/ --out residues.h5",)),
    "complexes": (
        complexes_command,
        (
            "holo-features complexes complexes.csv --channels C N O S other --out pockets.h5",
            "holo-features complexes complexes.csv --centers ligand --channels protein:C ligand:N --out atoms.h5",
        ),
    ),
    "contacts": (contacts_command, ("holo-features contacts complexes.csv --out contacts.csv",)),
    "ligands": (ligands_command, ("holo-features ligands complexes.csv --out ligands.csv",)),
    "images": (images_command, ("holo-features images mnist/ --part test --rotation each --out test.h5",)),
    "shapes": (shapes_command, ("holo-features shapes ModelNet40/ --out shapes.h5 --workers 2",)),
    "density": (
        density_command,
        ("holo-features density holograms.h5 --residue A:57 --channel O --out oxygen.mrc",),
    ),
}

app = program(
    "holo-features",
    "From structures, images and shapes to holograms.",
    __version__,
    ["holo-features structures my-structures/ --out holograms.h5"],
)
for _name, (_command, _examples) in _COMMANDS.items():
    app.command(_command, name=_name, help_epilogue=examples_shown(*_examples))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 0; 1 nothing useful; 2 wrong usage; 3 some files failed."""
    return run(app, argv)
