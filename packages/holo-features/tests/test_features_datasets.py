"""The example structures are as the package describes them."""

from collections import Counter

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from holo_features import Complex, neighborhoods, read_complexes, read_structure
from holo_features.datasets import example_complexes, example_structures
from holo_features.readers.formats import raw_atoms


@pytest.fixture(scope="module", name="structures")
def _structures():
    return {path.name.partition(".")[0]: read_structure(path) for path in example_structures()}


def test_there_are_24_to_40_small_chains(structures):
    assert 24 <= len(structures) <= 40
    for structure in structures.values():
        assert 50 <= len(np.unique(structure.atoms.res_id)) <= 300
        assert len(set(structure.atoms.chain_id.tolist())) == 1
    assert sum(path.stat().st_size for path in example_structures()) < 1_500_000


def test_folds_differ(structures):
    kinds = Counter()
    for structure in structures.values():
        names = Counter(
            neighborhoods(structure, secondary_structure=True).index["secondary_structure"].tolist()
        )
        helix, sheet = names["helix"] / names.total(), names["sheet"] / names.total()
        kinds["helix"] += helix > 0.4 and sheet < 0.1
        kinds["sheet"] += sheet > 0.3 and helix < 0.1
        kinds["both"] += helix > 0.15 and sheet > 0.15
    assert min(kinds["helix"], kinds["sheet"], kinds["both"]) >= 6


def test_insertion_codes_hydrogens_and_modified_residues(structures):
    assert (structures["2imm_A"].atoms.ins_code != "").any()
    hydrogens = [path for path in example_structures() if "H" in raw_atoms(path).atoms.element]
    assert "1i07_A" in {path.name.partition(".")[0] for path in hydrogens}
    assert all("H" not in structure.atoms.element for structure in structures.values())
    modified = structures["2g77_B"].atoms
    assert set(modified.res_name[modified.hetero].tolist()) == {"MSE"}


def test_every_structure_has_its_source(structures):
    sources = (example_structures()[0].parent / "SOURCES.md").read_text(encoding="utf-8")
    for name in structures:
        assert f"| `{name}.bcif.gz` | {name[:4].upper()} | {name[5:]} |" in sources
    assert "CC0 1.0" in sources


def test_the_ligands_of_the_complexes_lie_in_the_pocket_and_bind_as_measured():
    complexes = list(read_complexes(example_complexes() / "labels.csv"))
    assert len(complexes) == 34
    assert all(isinstance(complex_, Complex) for complex_ in complexes)
    for complex_ in complexes:
        nearest = cdist(complex_.ligand.atoms.coord, complex_.protein.atoms.coord).min(axis=1)
        assert 2 < nearest.min() < 4  # Å: in contact, but not inside an atom
        assert nearest.max() < 6
        assert -13 < complex_.label < -8  # kcal/mol: nanomolar to micromolar
