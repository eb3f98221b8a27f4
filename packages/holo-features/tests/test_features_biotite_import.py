"""biotite is imported without matplotlib and networkx, and works with them as always."""

import subprocess
import sys
from importlib.util import find_spec

import pytest

LOADED = "print([each for each in ('matplotlib', 'networkx') if each in sys.modules])\n"


def lines_of(program):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "import sys\n" + program],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_bonds_are_sought_with_networkx():
    program = f"""
import holo_features
import biotite.structure
from biotite.structure.info import residue
{LOADED}
tryptophan = residue("TRP")
print(len(biotite.structure.find_aromatic_rings(tryptophan)))
print(biotite.structure.find_rotatable_bonds(tryptophan.bonds).get_bond_count())
{LOADED}
import networkx.algorithms
print(networkx.Graph.__module__)
"""
    assert lines_of(program) == ["[]", "2", "5", "['networkx']", "networkx.classes.graph"]


@pytest.mark.parametrize(
    "use",
    [
        "biotite.colors['orange']",
        "biotite.visualize.colors['orange']",
        "__import__('biotite.visualize').visualize.colors['orange']",
    ],
)
@pytest.mark.skipif(
    find_spec("matplotlib") is None, reason="biotite draws with matplotlib, which it does not bring"
)
def test_biotite_draws(use):
    program = f"""
import holo_features
import biotite
{LOADED}
print({use})
from biotite import AdaptiveFancyArrow
from matplotlib.patches import FancyArrow
print(issubclass(AdaptiveFancyArrow, FancyArrow), hasattr(biotite, "no_such_thing"))
"""
    assert lines_of(program) == ["[]", "#ff8405ff", "True False"]


def test_who_has_imported_biotite_before_keeps_it():
    program = """
import biotite.structure
before = biotite.colors, sys.modules["networkx"]
import holo_features.encoding.structures
print(before == (biotite.colors, sys.modules["networkx"]), "__getattr__" in vars(biotite))
"""
    assert lines_of(program) == ["True False"]
