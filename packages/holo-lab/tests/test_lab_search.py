"""``holo search``, on structures that come with holo-features."""

from pathlib import Path

import pytest

from holo_downstream import write_search_index
from holo_downstream.search import calibration
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
    assert capsys.readouterr().err == "Error: say which residues, such as A:57,102,195\n"
