"""The study of residues that a model makes: bonds of real residues, and a run with a model that learned nothing."""

import importlib
import json
import shutil
from pathlib import Path

import attrs
import numpy as np
import pytest

from holo_features import read_structure, single_residues
from holo_features.datasets import example_structures

PROGRAM = Path(__file__).with_name("residues")
TYPES = ("ALA", "SER")
RECIPE = """
model:
  basis: {lmax: 4, radial: {nmax: 8, cutoff: 5.0}, channels: [C, N, O, S]}
  latent_dim: 4
  variational: true
  condition: {column: label, categories: [ALA, SER]}
  prior_components: 2
  lmax: [2, 1]
  channels: [8, 8]
  initial_projection: 8
training: {epochs: 1, batch_size: 32, frame_weight: 1.0, kl_warmup: 0}
"""


def test_bonds_are_those_of_the_chemical_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of serine N-Cα, Cα-C, Cα-Cβ, C=O and Cβ-O, with the lengths of any textbook; a moved atom is noticed."""
    monkeypatch.syspath_prepend(PROGRAM)
    module = importlib.import_module("real_residues")
    clouds = single_residues(read_structure(example_structures()[0]), 5.0).clouds
    real = module.RealResidues.of(clouds, "SER")
    assert real.elements == ("C", "N", "C", "O", "C", "O")
    assert real.bonds.tolist() == [[0, 1], [0, 2], [0, 4], [2, 3], [4, 5]]
    np.testing.assert_allclose(real.lengths, [1.46, 1.52, 1.53, 1.23, 1.42], atol=0.03)

    row = int(np.flatnonzero(clouds.index["label"] == "SER")[0])
    itself = module.atoms_of(clouds, row)
    mixed = module.Atoms(itself.places[[0, 5, 4, 3, 2, 1]], ("C", "O", "C", "O", "C", "N"))
    match = real.match(mixed)
    assert match.right_bonds
    assert match.distance == pytest.approx(0, abs=1e-6)
    assert match.largest_error < 0.06

    moved = itself.places.copy()
    moved[1] *= 1 + 0.2 / np.linalg.norm(moved[1])  # N, along its bond
    stretched = real.match(attrs.evolve(itself, places=moved))
    assert stretched.largest_error == pytest.approx(0.2, abs=0.06)
    assert 0 < stretched.distance <= 0.2 / np.sqrt(6) + 1e-6
    assert real.match(attrs.evolve(itself, elements=("C",) * 6)).verdict == "wrong atoms"


def test_the_program_scores_each_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(PROGRAM)
    folder = tmp_path / "chains"
    folder.mkdir()
    lines = ["file\tcluster30\tsplit"]
    for number, (split, path) in enumerate(
        zip(("train", "valid", "test"), example_structures(), strict=False)
    ):
        shutil.copy(path, folder)
        lines.append(f"{path.name}\t{number}\t{split}")
    (folder / "index.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(RECIPE, encoding="utf-8")
    pictures = importlib.import_module("residue_pictures")
    monkeypatch.setattr(pictures, "SHOWN", TYPES)
    monkeypatch.setattr(pictures, "ENDS", TYPES[:1])
    study = importlib.import_module("residue_study")
    monkeypatch.setattr(study, "TRAINING_EACH", 8)
    monkeypatch.setattr(study, "TEST_EACH", 3)
    out = tmp_path / "out"
    assert study.residues(folder, out=out, recipe=recipe, pictures=tmp_path) == 0
    figures = json.loads((out / "figures.json").read_text(encoding="utf-8"))
    assert [each["count"] for each in figures.values()] == [6] * 4
    # What the basis tells apart is found again; the model has learned nothing.
    assert figures["test residues themselves"]["right_atoms"] > 0.8
    assert figures["samples of the prior"]["sound"][0] == 0
    table = (out / "tables.md").read_text(encoding="utf-8").splitlines()
    assert [line.split(" | ")[0] for line in table[2:]] == [f"| {kind}" for kind in figures]
    for name in ("residues.webp", "interpolation.webp"):
        assert (tmp_path / name).read_bytes()[8:12] == b"WEBP"
