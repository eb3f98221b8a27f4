"""The command line of holo-features."""

from collections.abc import Sequence

from cyclopts import App

from holo_features._version import __version__
from holo_types.console import run

from .complexes import complexes_command, contacts_command, ligands_command
from .density import density_command
from .images import images_command
from .residues import residues_command
from .shapes import shapes_command
from .structures import structures_command

__all__ = ["app", "main"]

app = App(name="holo-features", help="From structures, images and shapes to holograms.", version=__version__)
app.command(structures_command, name="structures")
app.command(residues_command, name="residues")
app.command(complexes_command, name="complexes")
app.command(contacts_command, name="contacts")
app.command(ligands_command, name="ligands")
app.command(images_command, name="images")
app.command(shapes_command, name="shapes")
app.command(density_command, name="density")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and give its exit status: 0, 1 nothing useful, 2 wrong usage, 3 some files failed."""
    return run(app, argv)
