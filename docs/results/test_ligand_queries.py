"""The program of docs/results/search that searches with pockets, where it is known what it must find."""

import runpy
import sys
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

from holo_downstream.search import calibration
from holo_features import datasets, neighborhoods, read_structure, write_structure
from holo_types import Embeddings, ModelReference

SCRIPT = Path(__file__).parent / "search" / "ligand_queries.py"


def test_a_pocket_is_found_where_the_ligand_of_its_copy_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two proteins are the same but for their clusters, and have the same ligand; two others have another."""
    monkeypatch.setattr(calibration, "_SITES", 5)
    paths = datasets.example_structures()
    lines = ["id,cluster30,ligand_name,protein,ligand"]
    for number, (path, ligand) in enumerate(
        [(paths[0], "ONE"), (paths[0], "ONE"), (paths[1], "TWO"), (paths[2], "TWO")]
    ):
        structure = read_structure(path)
        atom = structure.atoms[:1].copy()
        atom.coord = structure.atoms.coord[400:401] + 3
        atom.res_name[:], atom.amino_acid[:], atom.atom_name[:], atom.element[:] = ligand, False, "C1", "C"
        write_structure(structure, tmp_path / f"p{number}.cif")
        write_structure(attrs.evolve(structure, atoms=atom), tmp_path / f"l{number}.cif")
        lines.append(f"x{number},{number},{ligand},p{number}.cif,l{number}.cif")
    (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n")

    def embed(files: list[Path], name: str) -> Embeddings:
        """Return embeddings with random z, which is the same for the same residues."""
        clouds = neighborhoods(read_structure(files[0]), cutoff=10.0, channels=("C",))
        z = np.random.default_rng(len(clouds)).normal(size=(len(clouds), 5))
        frames = np.tile(np.eye(3), (len(clouds), 1, 1))
        return Embeddings(z, frames, ModelReference(name, "1", "", ""), clouds.index, centers=clouds.centers)

    program: dict[str, Any] = runpy.run_path(str(SCRIPT))
    program["main"].__globals__["embed"] = embed
    monkeypatch.setattr(sys, "argv", ["ligand_queries.py", str(tmp_path), "--out", str(tmp_path / "out")])
    program["main"]()
    said = capsys.readouterr().out
    assert said.startswith("4 pockets among 4 structures")
    assert "has the ligand in 33.3% of cases" in said
    assert "| 3 nearest | the same type | 2 | 2 |" in said  # of ONE, that is
