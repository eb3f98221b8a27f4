import csv

import numpy as np
import pytest

from holo_downstream import probe, probe_embeddings, scalar_coefficients, write_probes
from holo_downstream.validation import cross_validation
from holo_types import Basis, Embeddings, HoloError, Holograms, Index, ModelReference, Zernike

BASIS = Basis(lmax=1, radial=Zernike(nmax=3, cutoff=10.0), channels=("C", "N"))


@pytest.fixture(autouse=True)
def small_forests(monkeypatch):
    """Use forests of 40 trees, since growing 200 would take most of the time of these tests."""
    monkeypatch.setattr(cross_validation, "_TREES", 40)


def made_up(structures=9, residues=40, seed=0, missing=5):
    """Embeddings that show the secondary structure well, and holograms whose l = 0 show it poorly."""
    random = np.random.default_rng(seed)
    rows = structures * residues
    kinds = np.array(["coil", "helix", "sheet"])
    code = random.choice(3, p=[0.5, 0.3, 0.2], size=rows)
    labels = kinds[code].astype(object)
    labels[random.choice(rows, size=min(missing, rows), replace=False)] = ""
    index = Index(
        {
            "structure": np.repeat([f"{number}abc" for number in range(structures)], residues),
            "residue_number": np.tile(np.arange(residues), structures),
            "residue_name": random.choice(["ALA", "GLY", "LEU"], size=rows),
            "secondary_structure": labels.astype(str),
        }
    )
    signal = np.eye(3)[code]
    z = np.hstack([2.0 * signal, np.zeros((rows, 2))]) + random.normal(size=(rows, 5))
    coefficients = random.normal(size=(rows, BASIS.dim))
    coefficients[:, :3] += 0.7 * signal
    model = ModelReference("demo", "1", "0" * 64, BASIS.digest)
    return Embeddings(z, np.zeros((rows, 3, 3)), model, index), Holograms(coefficients, BASIS, index)


def test_table_has_every_baseline_on_the_same_rows():
    embeddings, holograms = made_up()
    table = probe_embeddings(embeddings, holograms=holograms)
    assert [(r.features, r.estimator) for r in table.results] == [
        ("none", "majority"),
        ("l=0", "linear"),
        ("l=0", "forest"),
        ("z", "linear"),
        ("z", "forest"),
    ]
    assert (table.rows, table.left_out, table.group_count) == (355, 5, 9)
    assert table.classes == ("coil", "helix", "sheet")
    labels = embeddings.index["secondary_structure"]
    labeled = labels != ""
    for result in table.results:
        assert np.array_equal(result.predictions != "", labeled)
        right = (result.predictions == labels)[labeled].mean()
        assert result.accuracy.estimate == pytest.approx(right)
        assert result.accuracy.lower < right < result.accuracy.upper
    majority = table["none", "majority"]
    assert majority.above_majority is None
    assert majority.balanced_accuracy == pytest.approx(1 / 3)
    for estimator in ("linear", "forest"):
        z, scalars = table["z", estimator], table["l=0", estimator]
        assert z.beats_majority
        assert z.beats_scalars
        assert not scalars.beats_scalars
        assert z.above_scalars.estimate == pytest.approx(z.accuracy.estimate - scalars.accuracy.estimate)
        assert z.above_majority.estimate == pytest.approx(z.accuracy.estimate - majority.accuracy.estimate)
        single = probe(
            embeddings,
            embeddings.index["secondary_structure"],
            embeddings.index["structure"],
            estimator=estimator,
        )
        assert single.accuracy == z.accuracy
        assert single.above_majority == z.above_majority
    assert "z (linear)" in table.summary()
    assert "above majority" in table.summary()


def test_z_without_news_does_not_beat_the_scalars():
    embeddings, holograms = made_up()
    same = Embeddings(
        scalar_coefficients(holograms).copy(), embeddings.frames, embeddings.model, embeddings.index
    )
    table = probe_embeddings(same, holograms=holograms)
    assert table["z", "linear"].above_scalars.estimate == 0
    assert not table["z", "linear"].beats_scalars
    assert "not distinguishable from l=0" in table.summary()


def test_random_labels_beat_the_majority_no_oftener_than_by_chance():
    covered = beaten = 0
    for seed in range(30):
        random = np.random.default_rng(seed)
        groups = np.repeat(np.arange(10), 40)
        labels = random.choice(["helix", "coil"], p=[0.35, 0.65], size=400)
        result = probe(random.normal(size=(400, 4)), labels, groups, seed=seed)
        covered += result.above_majority.lower <= 0 <= result.above_majority.upper
        beaten += result.beats_majority
    # Fitted noise does a little worse than the majority class, so the interval may lie below 0, not above.
    assert beaten <= 2
    assert covered >= 20


def test_random_features_leave_a_forest_below_the_majority():
    random = np.random.default_rng(0)
    labels = random.choice(["helix", "coil"], p=[0.3, 0.7], size=300)
    result = probe(random.normal(size=(300, 4)), labels, np.repeat(np.arange(10), 30), estimator="forest")
    assert not result.beats_majority


@pytest.mark.parametrize("estimator", ["linear", "forest"])
def test_a_feature_that_tells_all_gives_one(estimator):
    labels = np.random.default_rng(0).integers(3, size=200)
    result = probe(np.eye(3)[labels], labels, np.repeat(np.arange(8), 25), estimator=estimator)
    assert (result.accuracy.estimate, result.accuracy.lower, result.balanced_accuracy) == (1, 1, 1)
    assert result.beats_majority


def test_as_few_structures_as_folds_will_do():
    embeddings, holograms = made_up(structures=5, residues=30)
    table = probe_embeddings(embeddings, holograms=holograms, folds=5)
    assert table.group_count == 5
    assert table["z", "linear"].beats_majority


def test_residue_type_of_noise_is_not_read():
    table = probe_embeddings(made_up()[0], "residue_name")
    assert table.classes == ("ALA", "GLY", "LEU")
    assert [result.features for result in table.results] == ["none", "z", "z"]
    assert not table["z", "linear"].beats_majority


def test_the_seed_decides_everything():
    embeddings, holograms = made_up(structures=6, residues=20)
    first, second, other = (
        probe_embeddings(embeddings, holograms=holograms, folds=3, seed=seed) for seed in (0, 0, 1)
    )
    assert first == second
    assert first != other


def test_scalar_coefficients_are_the_first_of_every_channel():
    _, holograms = made_up(structures=1, residues=4)
    scalars = scalar_coefficients(holograms)
    assert scalars.shape == (4, 4)  # 2 channels, radial orders 0 and 2
    assert np.array_equal(scalars, holograms.coefficients[:, holograms.basis.irreps.slices[0]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h: h[:-1], "359 holograms and 360 embeddings"),
        (
            lambda h: Holograms(h.coefficients, BASIS, h.index.assign(image=np.arange(360))),
            "columns structure.*image",
        ),
        (
            lambda h: Holograms(
                h.coefficients,
                BASIS,
                h.index.assign(residue_number=np.where(np.arange(360) >= 43, 99, h.index["residue_number"])),
            ),
            "from row 43 on: residue_number is 99 there and 3 here",
        ),
        (
            lambda h: Holograms(h.coefficients, Basis(1, Zernike(3, 9.0), ("C", "N")), h.index),
            "basis has the digest",
        ),
    ],
)
def test_holograms_of_other_rows_are_refused(change, message):
    embeddings, holograms = made_up()
    with pytest.raises(HoloError, match=message):
        probe_embeddings(embeddings, holograms=change(holograms))


def test_missing_columns_are_named_with_what_exists():
    embeddings, _ = made_up()
    with pytest.raises(HoloError, match="no column 'fold'; it has structure, residue_number, residue_name"):
        probe_embeddings(embeddings, "fold")
    with pytest.raises(HoloError, match="no column 'family'"):
        probe_embeddings(embeddings, groups="family")


def test_unusable_rows_are_named():
    features, labels, groups = np.zeros((6, 2)), ["x", "y"] * 3, [1, 1, 2, 2, 3, 3]
    with pytest.raises(HoloError, match=r"features: row 2 is not finite"):
        probe(np.where(np.arange(12).reshape(6, 2) == 5, np.nan, features), labels, groups, folds=3)
    with pytest.raises(HoloError, match=r"labels: has shape \[5\]; it must be \[6\]"):
        probe(features, labels[:5], groups, folds=3)
    with pytest.raises(HoloError, match=r"groups: has shape \[7\]"):
        probe(features, labels, [*groups, 3], folds=3)
    with pytest.raises(HoloError, match="labels: has dtype float64"):
        probe(features, [0.0, np.nan, 0.0, 1.0, 1.0, 0.0], groups, folds=3)
    with pytest.raises(HoloError, match="none of the 6 rows has a label"):
        probe(features, [""] * 6, groups, folds=3)
    with pytest.raises(HoloError, match=r"groups\[4\] is empty"):
        probe(features, labels, ["a", "a", "b", "b", "", "c"], folds=3)
    with pytest.raises(HoloError, match="3 groups for 5 folds"):
        probe(features, labels, groups)
    with pytest.raises(HoloError, match="one class, 'x'"):
        probe(features, ["x"] * 6, groups, folds=3)
    with pytest.raises(HoloError, match="seed is -1"):
        probe(features, labels, groups, folds=3, seed=-1)
    with pytest.raises(HoloError, match=r"features: has shape \[6, 0\]"):
        probe(features[:, :0], labels, groups, folds=3)


def test_csv_holds_the_table(tmp_path):
    embeddings, holograms = made_up(structures=5, residues=20)
    table = probe_embeddings(embeddings, holograms=holograms)
    write_probes(table, tmp_path / "probe.csv")
    with (tmp_path / "probe.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 5
    assert rows[0]["above_majority"] == ""
    assert rows[3]["features"] == "z"
    assert float(rows[3]["accuracy_lower"]) == table["z", "linear"].accuracy.lower
    assert float(rows[3]["above_scalars_upper"]) == table["z", "linear"].above_scalars.upper
    with pytest.raises(HoloError, match="cannot be written"):
        write_probes(table, tmp_path / "no" / "probe.csv")
