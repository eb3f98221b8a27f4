"""Measurements of models of the surroundings of residues on protein chains: ``python docs/results/proteins --help``."""

import sys

from amino_acids import amino_acids
from cyclopts import App
from ligands import ligands
from measure import measure
from worth_page import worth

from holo_types.console import run

app = App(name="proteins", help="Measure models of residues' surroundings on a folder of protein chains.")
app.default(measure)
app.command(amino_acids)
app.command(worth)
app.command(ligands)

if __name__ == "__main__":
    sys.exit(run(app))
