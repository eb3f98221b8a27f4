"""A folder of structures with a table of splits, from files to a trained model."""

import shutil
from pathlib import Path

import attrs
import numpy as np
import pytest

import holo_types
import holo_vae
from holo_features import Encoding, encode_structures
from holo_features.datasets import example_structures
from holo_types import Basis, FormatError, HoloError, Zernike, load
from holo_vae import Model, ModelConfig, Recipe, TrainingConfig, describe, evaluate, write_recipe
from holo_vae.cli.program import main
from holo_vae.data import structure_sets
from holo_vae.data.datasets import Prepared, prepare
from holo_vae.recipes.data import StructureData
from holo_vae.recipes.recipe import from_plain, to_plain
from holo_vae.recipes.shipped import find_recipe

BASIS = Basis(lmax=1, radial=Zernike(nmax=3, cutoff=6.0), channels=("C", "N", "O", "S"))
DATA = StructureData(kind="structures", columns=("family",))
SPLITS = ("train", "train", "train", "valid", "test")
FAMILIES = ("a", "a", "b", "c", "d")
HEADER = "file\tlength\tfamily\tsplit\n"


def examples() -> list[Path]:
    return sorted(example_structures(), key=lambda path: path.stat().st_size)[: len(SPLITS)]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a folder in the published layout of such data sets: a table, and the files in a subfolder."""
    folder = tmp_path / "proteins"
    (folder / "chains").mkdir(parents=True)
    lines = [HEADER]
    for path, family, split in zip(examples(), FAMILIES, SPLITS, strict=True):
        shutil.copy(path, folder / "chains")
        lines.append(f"{path.name}\t0\t{family}\t{split}\r\n")  # with the line ends of another system
    (folder / "index.tsv").write_text("".join(lines), newline="")
    return folder


@pytest.fixture
def prepared(source: Path, tmp_path: Path) -> Prepared:
    return prepare(DATA, BASIS, source, tmp_path / "data")


def test_each_split_has_its_structures_with_the_columns_of_the_table(prepared: Prepared) -> None:
    assert prepared.skipped == ()
    assert prepared.test is not None
    rows = 0
    for path, split in (
        (prepared.training, "train"),
        (prepared.validation, "valid"),
        (prepared.test, "test"),
    ):
        chosen = [place for place, name in enumerate(SPLITS) if name == split]
        expected = list(encode_structures([examples()[place] for place in chosen], BASIS, True))
        found = load(path)
        assert found.basis == BASIS
        coefficients = np.concatenate([each.holograms.coefficients for each in expected])
        np.testing.assert_array_equal(found.coefficients, coefficients)
        for name in ("structure", "chain", "residue_number", "residue_name", "secondary_structure"):
            values = np.concatenate([each.holograms.index[name] for each in expected])
            np.testing.assert_array_equal(found.index[name], values)
        families = [FAMILIES[place] for place in chosen]
        counts = [len(each.holograms) for each in expected]
        assert found.index["family"].tolist() == np.repeat(families, counts).tolist()
        rows += len(found)
    assert rows > 100


def test_what_is_there_is_kept_and_what_is_made_in_another_way_is_made_anew(
    source: Path, tmp_path: Path, prepared: Prepared
) -> None:
    assert prepared.test is not None
    times = [path.stat().st_mtime_ns for path in (prepared.training, prepared.validation, prepared.test)]
    assert prepare(DATA, BASIS, source, tmp_path / "data") == prepared
    assert times == [
        path.stat().st_mtime_ns for path in (prepared.training, prepared.validation, prepared.test)
    ]
    finer = attrs.evolve(BASIS, radial=Zernike(nmax=4, cutoff=6.0))
    assert load(prepare(DATA, finer, source, tmp_path / "data").training).basis == finer
    table = source / "index.tsv"
    table.write_text(table.read_text().replace("\tc\t", "\te\t"))
    again = prepare(DATA, finer, source, tmp_path / "data")
    assert set(load(again.validation).index["family"]) == {"e"}


def test_only_training_rows_are_put_in_the_pose_of_their_backbone(
    source: Path, tmp_path: Path, prepared: Prepared
) -> None:
    lying = {name: load(getattr(prepared, name)) for name in ("training", "validation", "test")}
    posed = attrs.evolve(DATA, pose="backbone")
    again = prepare(posed, BASIS, source, tmp_path / "data")
    chosen = [path for path, split in zip(examples(), SPLITS, strict=True) if split == "train"]
    encoded = list(encode_structures(chosen, BASIS, encoding=Encoding(pose="backbone")))
    np.testing.assert_array_equal(
        load(again.training).coefficients, np.concatenate([each.holograms.coefficients for each in encoded])
    )
    assert not np.array_equal(load(again.training).coefficients, lying["training"].coefficients)
    for name in ("validation", "test"):
        assert load(getattr(again, name)) == lying[name]


class _KilledError(Exception):
    pass


def test_a_half_written_file_is_gone_on_with(
    source: Path, tmp_path: Path, prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    names: list[str] = []
    with_columns = structure_sets._with_columns

    def watched(holograms, columns):
        if len(names) == 2 and "killed" not in names:
            names.append("killed")
            raise _KilledError
        names.append(holograms.index["structure"][0])
        return with_columns(holograms, columns)

    monkeypatch.setattr(structure_sets, "_with_columns", watched)
    with pytest.raises(_KilledError):
        prepare(DATA, BASIS, source, tmp_path / "again")
    with holo_types.open(tmp_path / "again" / "training.h5") as reader:
        assert not reader.complete
        assert len(set(reader.column("structure"))) == 2
    again = prepare(DATA, BASIS, source, tmp_path / "again")
    assert len(set(names)) == len(names) == 6, "nothing is encoded twice"
    assert again.test is not None
    assert prepared.test is not None
    for one, other in ((again.training, prepared.training), (again.test, prepared.test)):
        ours, theirs = load(one), load(other)
        np.testing.assert_array_equal(ours.coefficients, theirs.coefficients)
        assert ours.index == theirs.index


def test_bad_files_are_told_and_passed_over(source: Path, tmp_path: Path) -> None:
    first, second, *_ = examples()
    (source / "chains" / first.name).write_bytes(b"no structure")
    (source / "chains" / second.name).unlink()
    for _ in range(2):  # also when nothing is left to do
        prepared = prepare(DATA, BASIS, source, tmp_path / "data")
        (note,) = prepared.skipped
        assert note.startswith("2 of 3 structure files for training.h5 gave nothing; see ")
    skipped = (tmp_path / "data" / "training.skipped.csv").read_text()
    assert first.name in skipped
    assert second.name in skipped
    assert len(set(load(prepared.training).index["structure"])) == 1
    (source / "chains" / examples()[3].name).unlink()
    with pytest.raises(
        HoloError, match=r"validation.h5: none of 1 structure files gave a row; .*skipped.csv"
    ):
        prepare(DATA, BASIS, source, tmp_path / "other")


@pytest.mark.parametrize(
    ("table", "error"),
    [
        (None, "index.tsv: cannot be read as a table"),
        ("file\tfamily\n", "has no column split; it must have file, split, family"),
        ("file\tsplit\n", "has no column family"),
        (
            HEADER + "x.pdb\t0\ta\tvalidation\n",
            "line 2 has split 'validation'; it must be one of train, valid",
        ),
        (
            HEADER + "x.pdb\t0\ta\ttrain\nx.pdb\t0\ta\ttest\n",
            "line 3 names x.pdb again; it must be there once",
        ),
        (
            HEADER + "x.pdb\t0\ta\ttrain\ny.pdb\t0\ta\ttest\n",
            "no file with split valid; each split needs at least one",
        ),
        (
            HEADER + "twice.pdb\t0\ta\ttrain\n",
            r"has twice.pdb as .*twice.pdb and as .*; it must be there once",
        ),
    ],
)
def test_a_table_that_is_wrong_is_named(tmp_path: Path, table: str | None, error: str) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "twice.pdb").touch()
    if table is not None:
        (tmp_path / "index.tsv").write_text(table)
    with pytest.raises((HoloError, FormatError), match=error):
        prepare(DATA, BASIS, tmp_path, tmp_path / "data")


def test_a_column_that_the_index_has_is_refused(source: Path, tmp_path: Path) -> None:
    data = attrs.evolve(DATA, columns=("structure",))
    table = source / "index.tsv"
    table.write_text(table.read_text().replace("family", "structure"))
    with pytest.raises(HoloError, match=r"data.columns has structure, which the index .* already has"):
        prepare(data, BASIS, source, tmp_path / "data")


def test_a_recipe_trains_from_the_folder(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holo_vae.run.importlib.util.find_spec", lambda _: None)  # mlflow takes seconds
    (source / "chains" / examples()[2].name).unlink()
    recipe = Recipe(
        model=ModelConfig(basis=BASIS, latent_dim=4, lmax=(1,), channels=(4,), initial_projection=4),
        training=TrainingConfig(epochs=1, batch_size=32, cluster_column="family"),
        data=DATA,
    )
    write_recipe(recipe, tmp_path / "recipe.yaml")
    out = tmp_path / "run"
    arguments = ["train", str(source), "--out", str(out), "--recipe", str(tmp_path / "recipe.yaml")]
    assert main(arguments) == 3
    said = capsys.readouterr().out
    assert "1 of 3 structure files for training.h5 gave nothing" in said
    test = load(out / "data" / "test.h5")
    assert evaluate(holo_vae.load(out / "model", Model), test).rows == len(test)


@pytest.mark.parametrize(
    ("name", "channels"),
    [
        ("microenvironment-z128", 4),
        ("microenvironment-fill-z128", 4),
        ("microenvironment-other-z128", 5),
        ("microenvironment-published-z128", 4),
        ("microenvironment-authors-z128", 4),
        ("microenvironment-tapered-z128", 4),
    ],
)
def test_the_recipes_are_no_larger_than_the_published_model(name: str, channels: int) -> None:
    recipe = find_recipe(name)
    assert from_plain(to_plain(recipe), Recipe) == recipe
    assert len(recipe.model.basis.channels) == channels
    assert recipe.model.latent_dim == 128
    assert recipe.training.cluster_column in recipe.data.columns
    # Heads are for training only, one layer each; a fifth channel has weights where it enters and leaves.
    nominal = describe(attrs.evolve(recipe.model, heads=())).nominal_parameters
    model = find_recipe("microenvironment-published-z128").model
    assert describe(model).nominal_parameters == pytest.approx(2.6e6, rel=0.01)
    with_channels = attrs.evolve(model.basis, channels=recipe.model.basis.channels)
    published = describe(attrs.evolve(model, basis=with_channels)).nominal_parameters
    assert nominal <= published


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ({"kind": "proteins"}, "data.kind is 'proteins'; it must be 'mnist', 'structures' or 'shapes'"),
        ({}, "data.kind is missing"),
        ({"kind": "structures", "rotation": "each"}, "data.rotation is not known"),
    ],
)
def test_a_data_set_that_is_not_known_is_named(data: dict[str, str], error: str) -> None:
    plain = to_plain(find_recipe("microenvironment-z128")) | {"data": data}
    with pytest.raises(HoloError, match=error):
        from_plain(plain, Recipe)
