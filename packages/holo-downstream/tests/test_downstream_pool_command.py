"""``holo-downstream pool``: one vector a structure, a chain or a domain, beside pandas."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import holo_types
from holo_downstream import pool_groups, read_vectors, similarities
from holo_downstream.cli.program import main
from holo_types import Embeddings, HoloError, ModelReference

COLUMNS = ["structure", "chain", "domain"]


@pytest.fixture
def embeddings() -> Embeddings:
    """Return 60 residues of three structures with two chains each, some of which are in no domain."""
    rng = np.random.default_rng(0)
    order = rng.permutation(60)
    index = {
        "structure": np.repeat(["1abc", "2xyz", "3uvw"], 20)[order],
        "chain": np.tile(np.repeat(["A", "B"], 10), 3)[order],
        "domain": np.tile(["", "1", "1", "2"], 15)[order],
        "b_factor": rng.uniform(size=60),
    }
    z = rng.normal(size=(60, 3)).astype(np.float32)
    return Embeddings(
        z, np.zeros((60, 3, 3), np.float32), ModelReference("demo", "1", "0" * 64, "0" * 64), index
    )


@pytest.mark.parametrize("how", ["mean", "sum", "max"])
@pytest.mark.parametrize(
    ("by", "columns"),
    [
        (["structure"], ["structure"]),
        (["chain"], ["structure", "chain"]),
        (["domain"], ["domain"]),
        (["structure", "domain"], ["structure", "domain"]),
    ],
)
def test_a_file_has_what_pandas_computes(
    embeddings: Embeddings, tmp_path: Path, by: list[str], columns: list[str], how: str
) -> None:
    holo_types.save(embeddings, tmp_path / "z.h5")
    frame = pd.DataFrame({name: embeddings.index[name] for name in COLUMNS})
    z = pd.DataFrame(embeddings.invariants.astype(float))
    kept = (frame[columns] != "").all(axis=1)
    ids = frame.loc[kept, columns].agg("_".join, axis=1)
    expected = z[kept].groupby(ids, sort=False).agg(how)
    for ending in (".csv", ".npz", ".parquet"):
        out = tmp_path / f"pooled{ending}"
        asked = ["pool", str(tmp_path / "z.h5"), "--by", *by, "--how", how, "--out", str(out)]
        assert main(asked) == 0
        table = read_vectors(out)
        assert table.ids.tolist() == list(expected.index)
        np.testing.assert_allclose(table.vectors, expected.to_numpy(), rtol=1e-12)  # sums in another order


def test_what_cannot_be_pooled_is_refused_in_one_line(
    embeddings: Embeddings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    holo_types.save(embeddings, tmp_path / "z.h5")
    asked = ["pool", str(tmp_path / "z.h5"), "--out", str(tmp_path / "out.csv"), "--by"]
    for by, said in (("family", "family"), ("b_factor", "holds numbers with fractions")):
        assert main([*asked, by]) == 1
        message = capsys.readouterr().err
        assert said in message
        assert message.count("\n") == 1
    assert main(["pool", str(tmp_path / "z.h5"), "--out", str(tmp_path / "out.txt")]) == 1
    assert "must end in .csv, .parquet or .npz" in capsys.readouterr().err
    assert not list(tmp_path.glob("out*"))


def test_groups_that_would_share_an_id_are_refused() -> None:
    index = {"structure": ["1abc", "1abc_A"], "chain": ["A_B", "B"]}
    model = ModelReference("demo", "1", "", "")
    with pytest.raises(HoloError, match="have the same id, '1abc_A_B'; rename one"):
        pool_groups(Embeddings(np.ones((2, 1)), np.zeros((2, 3, 3)), model, index), ["chain"])
    empty = {"structure": ["1abc", "1abc"], "domain": ["", ""]}
    with pytest.raises(HoloError, match="no residue has a value of domain"):
        pool_groups(Embeddings(np.ones((2, 1)), np.zeros((2, 3, 3)), model, empty), ["domain"])


def test_similarity_does_not_depend_on_scales() -> None:
    z = np.random.default_rng(0).normal(size=(200, 4))
    found = similarities(z, 3)
    np.testing.assert_allclose(similarities(z * [1, 10, 0.1, 100] + 5, 3), found, atol=1e-9)
    assert found[3] == 1
    assert (
        abs(np.median([np.median(similarities(z, row)) for row in range(0, 200, 10)])) < 0.1
    )  # the median of what is far from one row differs from row to row
    with pytest.raises(HoloError, match="at least half of the rows are the same"):
        similarities(np.vstack([np.zeros((20, 1)), np.ones((1, 1))]), 0)
    with pytest.raises(HoloError, match="row is 200; it must be from 0 to 199"):
        similarities(z, 200)
