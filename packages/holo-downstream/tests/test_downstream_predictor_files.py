"""Predictors on disk: what scikit-learn predicts comes back, and what could end or never end a process is refused."""

import hashlib
import io
import json
import shutil
import zipfile
from pathlib import Path

import attrs
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import holo_types
from holo_downstream import Predictor, Source, read_predictor
from holo_downstream.affinity import regressors
from holo_downstream.affinity.fitted import Constant, LinearModel, Trees, fitted, fitted_members
from holo_downstream.affinity.predictor import write_predictor
from holo_types import Basis, FormatError, HoloError, Holograms, ModelReference, NamedArrays

FORMAT_1 = Path(__file__).parent / "golden" / "format-1"
SOURCE = Source("z", ModelReference("demo", "1", "a" * 64, "b" * 64), "b" * 64)
SETTINGS = [
    regressors.Mean(),
    regressors.Linear(),
    regressors.Ridge(1.0),
    regressors.KernelRidge(0.1, 0.1),
    regressors.Forest("sqrt", 2, 7),
    regressors.Boosting(9, 3, 0.1),
]


def rows(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    vectors = np.random.default_rng(seed).normal(size=(count, 4))
    return vectors, 6 + vectors[:, 0] - 0.5 * vectors[:, 1] * vectors[:, 2]


def predictor(*members) -> Predictor:
    return Predictor(members, SOURCE, "structure", "sum", 4, 0.7, 0.9)


def stump(**changes) -> Trees:
    """A tree of one decision."""
    whole = {
        "roots": np.array([0]),
        "left": np.array([1, -1, -1]),
        "right": np.array([2, -1, -1]),
        "components": np.array([0, -2, -2]),
        "thresholds": np.array([0.5, -2.0, -2.0]),
        "values": np.array([0.0, 1.0, 2.0]),
        "start": 0.0,
        "rate": 1.0,
        "divisor": 1.0,
        "width": 4,
    }
    return Trees(**{**whole, **changes})


@pytest.mark.parametrize("chosen", SETTINGS, ids=lambda chosen: type(chosen).__name__)
def test_arrays_predict_what_scikit_learn_does(chosen, tmp_path):
    """To the bit, thresholds met exactly included: vectors of the training are among those asked for."""
    estimator = regressors.fit(chosen, *rows(60, 0))
    asked = np.concatenate([rows(60, 0)[0], rows(40, 1)[0]])
    np.testing.assert_array_equal(fitted(estimator).predict(asked), estimator.predict(asked))
    write_predictor(predictor(fitted(estimator)), tmp_path)
    np.testing.assert_array_equal(read_predictor(tmp_path).predict_vectors(asked), estimator.predict(asked))
    assert [path.name for path in tmp_path.iterdir()] == ["predictor.h5"]


def test_arrays_of_an_ensemble_predict_what_scikit_learn_does(tmp_path):
    """Trees to the bit in float32, the kernel to rounding: its sum is taken in another order."""
    made = regressors.Ensemble(
        (
            regressors.HistogramBoosting(20, 5, 3, 0.1, 1.0, 0.5),
            regressors.ExtraTrees(0.5, 2, 7),
            regressors.SupportVectors(2.0, 0.1, 0.5, 0.05),
        )
    )
    train, labels = rows(60, 0)
    train = train.astype(np.float32).astype(np.float64)
    estimator = regressors.fit(made, train, labels)
    asked = np.concatenate([train, 5 * rows(40, 1)[0].astype(np.float32)])
    members = fitted_members(estimator)
    for member, alone in zip(members, estimator.estimators, strict=True):
        np.testing.assert_allclose(member.predict(asked), alone.predict(asked), rtol=1e-12)
    np.testing.assert_array_equal(members[0].predict(asked), estimator.estimators[0].predict(asked))
    write_predictor(predictor(*members), tmp_path)
    np.testing.assert_allclose(
        read_predictor(tmp_path).predict_vectors(asked), estimator.predict(asked), rtol=1e-12
    )


def test_a_kernel_without_support_vectors_predicts_its_intercept(tmp_path):
    """Labels that all lie within the tube."""
    estimator = regressors.fit(regressors.SupportVectors(2.0, 5.0, 0.3, 0.0), *rows(20, 0))
    write_predictor(predictor(fitted(estimator)), tmp_path)
    asked = rows(5, 1)[0]
    np.testing.assert_allclose(read_predictor(tmp_path).predict_vectors(asked), estimator.predict(asked))


def test_bounds_of_a_kernel_fit_its_components():
    kernel = fitted(regressors.fit(regressors.KernelRidge(0.1, 0.1), *rows(20, 0)))
    with pytest.raises(HoloError, match="3 bounds for 4 components"):
        attrs.evolve(kernel, lower=np.zeros(3))


@pytest.mark.parametrize("name", sorted(path.name for path in FORMAT_1.iterdir() if path.is_dir()))
def test_predictors_of_format_1_predict_what_they_did(name):
    read = read_predictor(FORMAT_1 / name)
    asked = np.loadtxt(FORMAT_1 / "recorded_input.csv", delimiter=",")
    recorded = np.loadtxt(FORMAT_1 / name / "recorded_output.csv")
    np.testing.assert_allclose(read.predict_vectors(asked), recorded, rtol=1e-12)
    assert read.source == SOURCE
    assert (read.by, read.pooling, read.half_width, read.coverage) == ("structure", "sum", 0.7, 0.9)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"left": np.array([10**9, -1, -1])}, "a child that does not come after it"),
        ({"left": np.array([3, -1, -1])}, "a child that does not come after it"),
        ({"right": np.array([0, -1, -1])}, "a child that does not come after it"),
        ({"right": np.array([-7, -1, -1])}, "a child that does not come after it"),
        (
            {"left": np.array([1, 0, -1]), "right": np.array([2, 0, -1])},
            "a child that does not come after it",
        ),
        ({"left": np.array([-1, -1, -1])}, "a child that does not come after it"),
        ({"roots": np.array([0, 2])}, "a child that does not come after it in its tree"),
        ({"roots": np.array([1])}, "roots of a forest must rise from 0"),
        ({"roots": np.array([0, 3])}, "roots of a forest must rise from 0, below its 3 nodes"),
        ({"roots": np.array([], np.int64)}, "roots of a forest must rise"),
        ({"components": np.array([4, 0, 0])}, "asks for a component that is none of 4"),
        ({"components": np.array([-1, 0, 0])}, "asks for a component"),
        ({"values": np.array([0.0, 1.0])}, "arrays of different lengths"),
        ({"values": np.array([0.0, np.nan, 1.0])}, "values holds a value that is not finite"),
        (
            {"thresholds": np.array([0.5, 0, 0], np.float32)},
            r"thresholds is float32 \[3\]; it must be float64",
        ),
        ({"divisor": 0.0}, "divisor of a forest is 0"),
        ({"right": np.array([1, -1, -1])}, "a node of a forest is the child of two nodes, or twice of one"),
        ({"rate": "1"}, "rate is '1'; it must be a finite"),
        ({"start": float("inf")}, "start is inf"),
    ],
)
def test_a_forest_that_could_end_a_process_is_refused(changes, message):
    with pytest.raises(HoloError, match=message):
        stump(**changes)


def chains(trees: int, depth: int) -> dict[str, object]:
    """Trees of which each inner node has one leaf, so that they are as deep as they can be."""
    size = 2 * depth + 1
    numbers = np.arange(trees * size)
    inner = (numbers % size) % 2 == 0
    inner[size - 1 :: size] = False
    return {
        "roots": np.arange(trees) * size,
        "left": np.where(inner, numbers + 1, -1),
        "right": np.where(inner, numbers + 2, -1),
        "components": np.zeros(trees * size, np.int64),
        "thresholds": np.full(trees * size, -9.0),
        "values": np.ones(trees * size),
    }


@pytest.mark.parametrize(
    ("trees", "depth", "message"),
    [
        (1, 1_001, "a tree of a forest is deeper than 1000"),
        (1, 300_000, "a tree of a forest is deeper than 1000"),
        (10_001, 0, "a forest has 10001 trees; it may have 10000"),
        (1_001, 1_000, "the depths of a forest's trees add up to 1001000; they may to 1000000"),
    ],
)
def test_a_forest_that_would_predict_for_minutes_is_refused(trees, depth, message):
    with pytest.raises(HoloError, match=message):
        stump(**chains(trees, depth))


@pytest.mark.parametrize(("trees", "depth"), [(1, 1_000), (10_000, 0), (10_000, 30)])
def test_a_forest_far_larger_than_any_study_makes_is_read(trees, depth):
    assert len(stump(**chains(trees, depth)).roots) == trees


def test_a_predictor_has_few_members(tmp_path):
    write_predictor(predictor(*[Constant(6.0)] * 101), tmp_path)
    with pytest.raises(FormatError, match="it has 101 members; it may have 100"):
        read_predictor(tmp_path)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-2, 6), st.integers(-2, 6), st.integers(-1, 4)), min_size=1, max_size=6),
    st.lists(st.integers(-1, 6), min_size=1, max_size=3),
)
def test_any_forest_is_refused_or_predicts(nodes, roots):
    left, right, components = (np.array(column) for column in zip(*nodes, strict=True))
    numbers = np.arange(len(nodes), dtype=np.float64)
    try:
        forest = stump(
            roots=np.array(roots),
            left=left,
            right=right,
            components=components,
            thresholds=numbers,
            values=numbers,
        )
    except HoloError:
        return
    assert np.isfinite(forest.predict(rows(5, 0)[0])).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 9}, "holds AffinityPredictor of format 9; it must hold AffinityPredictor of format 2"),
        ({"width": 5}, r"its members take \[4\] components, and it 5"),
        ({"width": "4"}, "width '4'"),
        ({"pooling": "median"}, "pooling 'median'"),
        ({"half_width": "wide"}, "half_width is 'wide'"),
        ({"members": []}, "its members take"),
        ({"members": [{"form": "network"}]}, "does not describe a predictor"),
        ({"members": [{"form": "linear", "weight": 1.0}]}, "does not describe a predictor"),
        ({"members": 3}, "does not describe a predictor"),
        ({"source": {}}, "does not describe a predictor"),
        ({"source": None}, "does not describe a predictor"),
    ],
)
def test_what_describes_no_predictor_is_named(change, message, tmp_path):
    ones = np.ones(4)
    write_predictor(predictor(LinearModel(0 * ones, ones, ones, 0.0)), tmp_path)
    stored = holo_types.load(tmp_path / "predictor.h5", kind=NamedArrays)
    holo_types.save(attrs.evolve(stored, header={**stored.header, **change}), tmp_path / "predictor.h5")
    with pytest.raises(FormatError, match=message) as caught:
        read_predictor(tmp_path)
    assert "\n" not in str(caught.value)


def test_folders_that_hold_no_predictor(tmp_path):
    with pytest.raises(FormatError, match="nowhere: is not a predictor of affinities: No such file"):
        read_predictor(tmp_path / "nowhere")
    basis = Basis(lmax=1, radial=None, channels=("image",))
    holo_types.save(Holograms(np.eye(4), basis, {"image": range(4)}), tmp_path / "predictor.h5")
    with pytest.raises(FormatError, match="holds Holograms; it must hold NamedArrays"):
        read_predictor(tmp_path)
    holo_types.save(NamedArrays("VectorIndex", {"a": np.eye(2)}, {}), tmp_path / "predictor.h5")
    with pytest.raises(FormatError, match="holds VectorIndex of format None"):
        read_predictor(tmp_path)


def test_no_flipped_bit_of_a_predictor_goes_unseen(tmp_path):
    write_predictor(predictor(Constant(6.25), fitted(regressors.fit(SETTINGS[4], *rows(60, 0)))), tmp_path)
    path, asked = tmp_path / "predictor.h5", rows(40, 1)[0]
    whole, expected = path.read_bytes(), read_predictor(tmp_path).predict_vectors(asked)
    random, refused = np.random.default_rng(0), 0
    for place in random.integers(len(whole), size=60):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << random.integers(8)
        path.write_bytes(damaged)
        try:
            read = read_predictor(tmp_path)
        except FormatError:
            refused += 1
        else:
            np.testing.assert_array_equal(read.predict_vectors(asked), expected)
    assert refused > 10


# Format 1


def rewritten(folder: Path, name: str, content: bytes, method: int = zipfile.ZIP_DEFLATED) -> Path:
    """Copy the forest of format 1 with one member of its zip changed, under a digest that fits."""
    shutil.copytree(FORMAT_1 / "forest", folder)
    stored = folder / "predictor.skops"
    with zipfile.ZipFile(stored) as archive:
        members = {each: archive.read(each) for each in archive.namelist()} | {name: content}
    with zipfile.ZipFile(stored, "w", method) as archive:
        for each, its in members.items():
            archive.writestr(each, its)
    about = json.loads((folder / "predictor.json").read_text())
    about["skops_sha256"] = hashlib.sha256(stored.read_bytes()).hexdigest()
    (folder / "predictor.json").write_text(json.dumps(about))
    return folder


def schema() -> str:
    with zipfile.ZipFile(FORMAT_1 / "forest" / "predictor.skops") as archive:
        return archive.read("schema.json").decode()


def nodes_of_a_tree() -> tuple[str, np.ndarray]:
    with zipfile.ZipFile(FORMAT_1 / "forest" / "predictor.skops") as archive:
        for name in archive.namelist():
            if name.endswith(".npy") and (array := np.load(io.BytesIO(archive.read(name)))).dtype.names:
                return name, array
    raise AssertionError("no tree")


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


@pytest.mark.parametrize(("field", "value"), [("left_child", 10**9), ("right_child", 0), ("feature", 10**6)])
def test_trees_of_format_1_are_looked_at(field, value, tmp_path):
    name, nodes = nodes_of_a_tree()
    nodes[field][0] = value
    with pytest.raises(FormatError, match="a node of a forest"):
        read_predictor(rewritten(tmp_path / "forest", name, npy(nodes)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("RandomForestRegressor", "KDTree"), "a predictor has no KDTree"),
        (lambda text: text.replace("RandomForestRegressor", "system"), "a predictor has no system"),
        (lambda _: "{", "is not a file of skops"),
        (lambda _: "[" * 100_000, "is not a file of skops"),
        (lambda _: '{"__loader__": "JsonNode", "content": "3"}', "holds no list of estimators"),
        (lambda text: text.replace("estimators_", "others_"), "does not describe a predictor"),
    ],
)
def test_schemas_of_format_1_make_nothing(change, message, tmp_path):
    with pytest.raises(FormatError, match=message) as caught:
        read_predictor(rewritten(tmp_path / "forest", "schema.json", change(schema()).encode()))
    assert "\n" not in str(caught.value)


def test_sizes_that_format_1_claims_are_not_believed(tmp_path):
    name, nodes = nodes_of_a_tree()
    content = npy(nodes).replace(f"({len(nodes)},)".encode(), f"({10**12},)".encode())
    with pytest.raises(FormatError, match="is not a file of skops"):
        read_predictor(rewritten(tmp_path / "claims", name, content))
    with pytest.raises(FormatError, match=r"unpacks to .* bytes; it may hold \d+"):
        read_predictor(rewritten(tmp_path / "bomb", "more", bytes((1 << 30) + 1)))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_members_of_format_1_are_stored_or_deflated(tmp_path, method):
    with pytest.raises(FormatError, match=rf"is packed by method {method}; it must be stored or deflated"):
        read_predictor(rewritten(tmp_path / "forest", "schema.json", schema().encode(), method))


def test_damage_of_format_1_is_noticed(tmp_path):
    folder = tmp_path / "forest"
    shutil.copytree(FORMAT_1 / "forest", folder)
    content = bytearray((folder / "predictor.skops").read_bytes())
    content[100] ^= 1
    (folder / "predictor.skops").write_bytes(content)
    with pytest.raises(FormatError, match=r"its digest is .*, so it is damaged"):
        read_predictor(folder)
    (folder / "predictor.json").write_text("[]")
    with pytest.raises(FormatError, match=r"has the format \[\]; this version reads 1 and 2"):
        read_predictor(folder)


def test_a_predictor_is_not_written_through_a_link(tmp_path):
    ones = np.ones(4)
    (tmp_path / "predictor").mkdir()
    (tmp_path / "mine").write_bytes(b"\x89HDF\r\n\x1a\nmine")
    (tmp_path / "predictor" / "predictor.h5").symlink_to(tmp_path / "mine")
    write_predictor(predictor(LinearModel(0 * ones, ones, ones, 0.0)), tmp_path / "predictor")
    assert (tmp_path / "mine").read_bytes() == b"\x89HDF\r\n\x1a\nmine"
    read_predictor(tmp_path / "predictor")
