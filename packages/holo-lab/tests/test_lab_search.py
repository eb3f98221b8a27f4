"""``holo search``, on structures that come with holo-features."""

import re
from pathlib import Path

import attrs
import pytest

from holo_downstream import write_search_index
from holo_downstream.search import calibration
from holo_features import read_structure, write_structure
from holo_features.datasets import example_structures
from holo_lab.cli.program import main
from holo_vae import Recipe, embed, initial_model, write_model


def test_a_site_of_a_structure_is_found_in_its_index(
    recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration, "_SITES", 10)
    monkeypatch.chdir(tmp_path)
    model = initial_model(recipe, 1.0, "small")
    write_model(model, tmp_path / "model")
    paths = sorted(example_structures(), key=lambda path: path.stat().st_size)[:3]
    embeddings = embed(paths, model)
    write_search_index(embeddings, tmp_path / "index")
    first = embeddings.index.take(slice(10, 13))
    chain, numbers = first["chain"][0], ",".join(map(str, first["residue_number"].tolist()))
    query = str(next(path for path in paths if path.name.startswith(first["structure"][0])))
    asked = ["search", "index", query, f"{chain}:{numbers}", "--model", "model"]
    assert main([*asked, "--other", "none", "--out", "hits.csv"]) == 0
    best = capsys.readouterr().out.splitlines()[0]
    assert best.startswith(f"1. {first['structure'][0]} {chain}:{first['residue_number'][0]} ")
    assert "RMSD 0.00 Å" in best
    assert Path("hits.csv").read_text().startswith("rank,structure,residues,")
    assert main(asked[:-2]) == 1
    assert "its model, small" in capsys.readouterr().err
    assert main(["search", "index", query]) == 1
    neither = "Error: say which residues, such as A:57,102,195, or --ligand NAME; one of the two\n"
    assert capsys.readouterr().err == neither
    assert main([*asked, "--ligand", "LIG"]) == 1
    assert capsys.readouterr().err == neither

    # A ligand beside the second of them: its pocket finds what its residues, once they are named, find.
    structure = read_structure(query)
    atoms = structure.atoms
    ligand = atoms[(atoms.res_id == first["residue_number"][1]) & (atoms.atom_name == "CA")].copy()
    ligand.coord += 1.2
    ligand.res_name[:], ligand.res_id[:], ligand.chain_id[:], ligand.amino_acid[:] = "LIG", 901, "L", False
    ligand.atom_name[:] = "C1"
    bound = tmp_path / f"{structure.name}.cif"
    write_structure(attrs.evolve(structure, atoms=atoms + ligand), bound)
    with_ligand = ["search", "index", str(bound), "--model", "model", "--other", "none"]
    assert main([*with_ligand, "--ligand", "LIG", "--out", "pocket.csv"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert re.match(r"pocket of LIG, \d+ residues within 4 Å, nearest first: ", said[0])
    residues = said[1].removeprefix("searched for: ").split()
    assert 3 <= len(residues) == min(20, int(said[0].split()[3]))
    assert (
        main(
            [
                "search",
                "index",
                query,
                *residues,
                "--any-type",
                *asked[-2:],
                "--other",
                "none",
                "--out",
                "named.csv",
            ]
        )
        == 0
    )
    assert Path("named.csv").read_text() == Path("pocket.csv").read_text()
    capsys.readouterr()
    for options, line in (
        (["--ligand", "ATP"], "it has no molecule 'ATP'; it has LIG (L:901)"),
        (["--ligand", "LIG", "--distance", "0.5"], "no residue has an atom within 0.5 Å of the ligand LIG"),
        (["--ligand", "LIG", "--distance", "2.1"], "give a larger --distance, or name residues"),
    ):
        assert main([*with_ligand, *options]) == 1
        error = capsys.readouterr().err
        assert line in error
        assert error.count("\n") == 1
