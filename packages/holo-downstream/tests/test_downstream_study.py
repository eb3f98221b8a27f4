import csv
import json

import attrs
import numpy as np
import pytest
import scipy.stats
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from holo_downstream import (
    Labeled,
    LabelTable,
    Source,
    StudySettings,
    VectorTable,
    compare_studies,
    read_predictor,
    run_study,
    set_beside,
    write_comparison,
    write_study,
)
from holo_downstream.affinity import regressors
from holo_downstream.affinity.predictor import conformal_half_width
from holo_downstream.affinity.regressors import choose
from holo_types import FormatError, HoloError, ModelReference

SOURCE = Source("z", ModelReference("demo", "1", "a" * 64, "b" * 64), "b" * 64)


@pytest.fixture(autouse=True)
def small_forest(monkeypatch):
    grid = tuple(regressors.Forest(1.0, leaf, 10) for leaf in (2, 15))
    monkeypatch.setitem(regressors.GRIDS, "forest", grid)


def made_up(noise=0.3, seed=0, series=True):
    """90 complexes of 30 clusters, and 24 of two series; labels are linear in the first two components."""
    random = np.random.default_rng(seed)
    count = 114 if series else 90
    vectors = random.normal(size=(count, 5))
    labels = 6 + vectors[:, 0] - 0.5 * vectors[:, 1] + noise * random.normal(size=count)
    splits = np.repeat(["train", "val", "test", "series"], [54, 18, 18, 24])[:count]
    clusters = np.concatenate([np.arange(90) // 3, [100] * 12, [101] * 12])[:count]
    ids = [f"{number:03}x" for number in range(count)]
    complexes = tuple(
        Labeled(name, float(label), str(cluster), str(split))
        for name, label, cluster, split in zip(ids, labels, clusters, splits, strict=True)
    )
    return VectorTable(np.array(ids), vectors, SOURCE), LabelTable(complexes)


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_study_is_what_its_steps_are():
    """The same with scikit-learn and scipy alone."""
    table, labels = made_up()
    study = run_study(table, labels, StudySettings("linear", seeds=1))
    measured = np.array([complex_.label for complex_ in labels.complexes])
    model = make_pipeline(StandardScaler(), LinearRegression()).fit(table.vectors[:54], measured[:54])
    predicted = model.predict(table.vectors)
    np.testing.assert_allclose(study.predictions[0], predicted)
    deviations = predicted - measured
    assert study.test.rmsd.interval.estimate == pytest.approx(np.sqrt(np.mean(deviations[72:90] ** 2)))
    assert study.validation.mae.interval.estimate == pytest.approx(np.mean(np.abs(deviations[54:72])))
    # Of 18 residuals the ceil(19 * 0.9) = 18th smallest: the largest.
    assert study.predictor.half_width == pytest.approx(np.abs(deviations[54:72]).max())
    assert study.test_coverage == np.mean(np.abs(deviations[72:90]) <= study.predictor.half_width)
    assert [(family.family, family.complexes) for family in study.series] == [("100", 12), ("101", 12)]
    ranks = [
        scipy.stats.spearmanr(predicted[rows], measured[rows])[0]
        for rows in (slice(90, 102), slice(102, 114))
    ]
    assert study.series_spearman.estimate == pytest.approx(np.mean(ranks))
    assert study.learning_curve[-1].rmsd == pytest.approx(study.validation.rmsd.interval.estimate)
    assert [point.complexes for point in study.learning_curve] == [7, 14, 27, 54]
    assert study.skipped == study.leaks == ()


def test_nothing_of_the_test_reaches_the_predictor():
    """Changed labels and vectors of test complexes change the scores, and nothing else."""
    table, labels = made_up()
    study = run_study(table, labels, StudySettings(seeds=2))
    vectors = table.vectors.copy()
    vectors[72:] += 10
    others = tuple(attrs.evolve(c, label=c.label + 3) if c.split == "test" else c for c in labels.complexes)
    changed = run_study(attrs.evolve(table, vectors=vectors), LabelTable(others), StudySettings(seeds=2))
    assert study.members == changed.members
    assert study.predictor.half_width == changed.predictor.half_width
    assert study.validation == changed.validation
    assert study.learning_curve == changed.learning_curve
    np.testing.assert_array_equal(study.predictions[:, :72], changed.predictions[:, :72])
    assert study.test != changed.test


def test_members_differ_by_their_seed_and_choose_for_themselves():
    table, labels = made_up()
    study = run_study(table, labels, StudySettings(seeds=3, seed=4))
    measured = np.array([complex_.label for complex_ in labels.complexes])
    for number, member in enumerate(study.members):
        alone = choose(
            "forest",
            table.vectors[:54],
            measured[:54],
            table.vectors[54:72],
            measured[54:72],
            seed=4 + number,
        )
        assert (member.seed, member.settings) == (4 + number, alone.settings)
        np.testing.assert_array_equal(study.predictions[number], alone.estimator.predict(table.vectors))
    assert study.test.rmsd.deviation > 0


def test_resampled_members_learn_from_different_complexes():
    table, labels = made_up()
    plain = run_study(table, labels, StudySettings("ridge", seeds=3))
    resampled = run_study(table, labels, StudySettings("ridge", seeds=3, resample=True))
    assert plain.test.rmsd.deviation == 0
    assert resampled.test.rmsd.deviation > 0
    assert len({member.validation_rmsd for member in resampled.members}) == 3


def test_the_test_can_be_left_alone():
    table, labels = made_up()
    study = run_study(table, labels, StudySettings("ridge", seeds=1, test=False))
    assert study.test is None
    assert study.test_coverage is None
    assert study.families == ()
    assert np.isnan(study.predictions[:, 72:]).all()
    assert (study.series, study.series_spearman) == ((), None)
    assert "validation RMSD" in study.summary()
    assert "the test was left alone" in study.summary()


def test_what_cannot_be_used_is_named_and_the_rest_is_used():
    table, labels = made_up(series=False)
    complexes = list(labels.complexes)
    complexes[0] = attrs.evolve(complexes[0], ligand_key="ATP")
    complexes[60] = attrs.evolve(complexes[60], cluster="0")  # validation; cluster 0 is training
    complexes[80] = attrs.evolve(complexes[80], cluster="19")  # test; cluster 19 is validation
    complexes[85] = attrs.evolve(complexes[85], ligand_key="ATP")
    complexes.append(Labeled("none", 5.0, "500", "train"))
    complexes.append(Labeled("twice", 5.0, "501", "train"))
    table = attrs.evolve(
        table,
        ids=np.append(table.ids, "extra"),
        vectors=np.vstack([table.vectors, np.zeros(5)]),
        repeated=("twice",),
    )
    study = run_study(table, LabelTable(tuple(complexes)), StudySettings("ridge", seeds=1))
    assert [(line.file, line.reason) for line in study.skipped] == [
        ("none", "it has no embedding"),
        ("twice", "the table has several rows of it; it must have one"),
        ("extra", "it has no label"),
        ("060x", "it leaks: cluster 0 is also that of 000x, 001x, 002x, learned from"),
        ("080x", "it leaks: cluster 19 is also that of 057x, 058x, 059x, learned from"),
    ]
    assert [(leak.id, leak.by) for leak in study.leaks] == [
        ("060x", "cluster"),
        ("080x", "cluster"),
        ("085x", "ligand"),
    ]
    assert (study.validation.complexes, study.test.complexes) == (17, 17)
    assert "1 held-out complexes share a ligand" in study.summary()


def test_splits_are_made_by_cluster_where_there_are_none():
    table, labels = made_up(series=False)
    without = LabelTable(tuple(attrs.evolve(complex_, split=None) for complex_ in labels.complexes))
    study = run_study(table, without, StudySettings("ridge", seeds=1))
    assert study.leaks == ()
    assert {len(set(study.splits[row : row + 3])) for row in range(0, 90, 3)} == {1}
    nothing = LabelTable(tuple(attrs.evolve(complex_, cluster="") for complex_ in without.complexes))
    with pytest.raises(HoloError, match="neither splits nor a cluster"):
        run_study(table, nothing)
    some = LabelTable((labels.complexes[0], *without.complexes[1:]))
    with pytest.raises(HoloError, match="001x has no split and others have"):
        run_study(table, some)


def test_studies_of_nothing_are_refused():
    table, labels = made_up(series=False)
    with pytest.raises(HoloError, match=r"none of the 1 complexes with a label.*such as 'other' and '000x'"):
        run_study(table, LabelTable((Labeled("other", 5.0),)))
    with pytest.raises(HoloError, match="54 training and 0 validation complexes"):
        run_study(table, LabelTable(labels.complexes[:54]))
    with pytest.raises(HoloError, match="0 seeds"):
        StudySettings(seeds=0)
    with pytest.raises(HoloError, match="coverage is 1;"):
        StudySettings(coverage=1.0)


def test_intervals_cover_what_they_say():
    """This holds for exchangeable complexes over many data sets; 47 residuals allow exactly 44/48 for 0.9."""
    random = np.random.default_rng(0)
    covered = []
    for _ in range(4000):
        residuals = random.standard_t(3, size=48)
        half_width, coverage = conformal_half_width(residuals[:47], 0.9)
        covered.append(abs(residuals[47]) <= half_width)
    assert coverage == 0.9
    expected = 44 / 48
    assert np.mean(covered) == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / 4000))


def test_few_residuals_allow_no_more_than_they_do():
    assert conformal_half_width(np.array([0.5, -2.0, 1.0]), 0.9) == (2.0, 0.75)
    with pytest.raises(HoloError, match="0 residuals"):
        conformal_half_width(np.array([]), 0.9)


@pytest.mark.parametrize("regressor", regressors.GRIDS)
def test_a_written_predictor_predicts_the_same(tmp_path, monkeypatch, regressor):
    monkeypatch.setitem(regressors.GRIDS, regressor, regressors.GRIDS[regressor][:1])
    table, labels = made_up()
    study = run_study(table, labels, StudySettings(regressor, seeds=2, pooling="max", by="complex"))
    write_study(study, tmp_path / "study")
    again = read_predictor(tmp_path / "study")
    assert attrs.asdict(again, recurse=False) | {"members": 0} == attrs.asdict(
        study.predictor, recurse=False
    ) | {"members": 0}
    predictions = again.predict(table)
    np.testing.assert_array_equal(predictions.values, study.predictor.predict(table).values)
    np.testing.assert_allclose(predictions.upper - predictions.lower, 2 * study.predictor.half_width)


def test_predictors_refuse_other_vectors(tmp_path):
    table, labels = made_up()
    write_study(run_study(table, labels, StudySettings("ridge", seeds=1)), tmp_path)
    predictor = read_predictor(tmp_path / "model")
    other = attrs.evolve(SOURCE, model=attrs.evolve(SOURCE.model, digest="c" * 64))
    with pytest.raises(HoloError, match="made by demo 1"):
        predictor.predict(attrs.evolve(table, source=other))
    with pytest.raises(HoloError, match="4 components; they must have 5"):
        predictor.predict(attrs.evolve(table, vectors=table.vectors[:, :4]))


def test_what_stands_beside_the_vectors_belongs_to_the_predictor(tmp_path):
    table, labels = made_up()
    size = VectorTable(table.ids[::-1], np.arange(114.0)[:, None], Source("table", None, "", ("atoms",)))
    both = set_beside(table, [size])
    write_study(run_study(both, labels, StudySettings("ridge", seeds=1)), tmp_path)
    predictor = read_predictor(tmp_path)
    assert predictor.width == 6
    assert len(predictor.predict(both).values) == 114
    with pytest.raises(HoloError, match="0 tables are appended to the vectors; the predictor learned with 1"):
        predictor.predict(table)
    other = attrs.evolve(size, source=attrs.evolve(size.source, columns=("bonds",)))
    with pytest.raises(HoloError, match="the table lacks 'atoms'"):
        predictor.predict(set_beside(table, [other]))


def test_the_report_and_the_table_say_what_the_study_says(tmp_path):
    table, labels = made_up()
    study = run_study(table, labels, StudySettings("mean", seeds=2))
    write_study(study, tmp_path)
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["test"]["rmsd"]["interval"]["estimate"] == study.test.rmsd.interval.estimate
    assert report["test"]["spearman"]["interval"]["estimate"] is None
    assert report["complexes"] == {"series": 24, "test": 18, "train": 54, "val": 18}
    assert report["source"]["model"]["digest"] == "a" * 64
    assert report["members"][1] == {
        "seed": 1,
        "validation_rmsd": study.members[1].validation_rmsd,
        "settings": {"name": "Mean"},
    }
    rows = rows_of(tmp_path / "predictions.csv")
    assert len(rows) == 114
    assert float(rows[3]["prediction"]) == pytest.approx(
        np.mean([float(rows[3]["seed_0"]), float(rows[3]["seed_1"])])
    )
    assert float(rows[3]["upper"]) - float(rows[3]["lower"]) == pytest.approx(2 * study.predictor.half_width)
    assert (tmp_path / "skipped.csv").read_text() == "file,residue,reason\n"


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    """The mean, good vectors, and vectors of noise."""
    folder = tmp_path_factory.mktemp("studies")
    table, labels = made_up()
    noise = attrs.evolve(table, vectors=np.random.default_rng(9).normal(size=(114, 5)))
    for name, vectors, regressor in (
        ("mean", table, "mean"),
        ("good", table, "ridge"),
        ("noise", noise, "ridge"),
    ):
        write_study(run_study(vectors, labels, StudySettings(regressor, seeds=2)), folder / name)
    return [folder / name for name in ("mean", "good", "noise")]


def test_comparison_says_which_differences_are_real(studies, tmp_path):
    comparison = compare_studies(studies)
    assert (comparison.complexes, comparison.left_out) == (18, 0)
    scores = dict(comparison.scores)
    assert scores["good"].rmsd.interval.estimate < 0.6 < scores["mean"].rmsd.interval.estimate
    real = {(pair.ours, pair.theirs, pair.test.metric): pair.is_real for pair in comparison.pairs}
    assert real["mean", "good", "rmsd"]
    assert real["good", "noise", "spearman"]
    assert not real["mean", "noise", "rmsd"]
    assert not real["mean", "good", "spearman"]  # the mean has no ranks
    page = comparison.markdown()
    assert page.count("| real |") == 3
    assert "| mean - good | Spearman | undefined | | | |" in page
    write_comparison(comparison, tmp_path / "table.md")
    write_comparison(comparison, tmp_path / "table.csv")
    assert (tmp_path / "table.md").read_text() == page
    rows = rows_of(tmp_path / "table.csv")
    assert len(rows) == 3 * 5 + 6
    assert float(rows[0]["estimate"]) == scores["mean"].rmsd.interval.estimate
    with pytest.raises(HoloError, match=r"must be '\.md' or '\.csv'"):
        write_comparison(comparison, tmp_path / "table.txt")


def test_p_values_are_adjusted_as_holm_did(studies):
    """The step-down rule by hand: the smallest p times 3, the next times 2, the last alone, never falling."""
    pairs = [pair for pair in compare_studies(studies).pairs if pair.test.metric == "rmsd"]
    low, middle, high = sorted(pairs, key=lambda pair: pair.test.p_value)
    first = min(1.0, 3 * low.test.p_value)
    second = max(first, min(1.0, 2 * middle.test.p_value))
    third = max(second, high.test.p_value)
    assert [pair.adjusted_p_value for pair in (low, middle, high)] == pytest.approx([first, second, third])


def test_all_are_compared_with_one(studies):
    pairs = [pair for pair in compare_studies(studies, against="good").pairs if pair.test.metric == "rmsd"]
    assert [(pair.ours, pair.theirs) for pair in pairs] == [("good", "mean"), ("good", "noise")]
    every = {
        (pair.ours, pair.theirs): pair
        for pair in compare_studies(studies).pairs
        if pair.test.metric == "rmsd"
    }
    assert pairs[1].test.p_value == every["good", "noise"].test.p_value
    # Two tests are adjusted for two, three for three.
    assert max(pair.adjusted_p_value for pair in pairs) <= max(
        pair.adjusted_p_value for pair in every.values()
    )
    with pytest.raises(HoloError, match="no study 'best' to compare with; there are mean, good, noise"):
        compare_studies(studies, against="best")


def test_comparison_by_cluster_has_wider_intervals_of_few_clusters(studies):
    complexes, clusters = compare_studies(studies), compare_studies(studies, by_cluster=True)
    assert complexes.scores[0][1].rmsd.interval.estimate == clusters.scores[0][1].rmsd.interval.estimate
    assert complexes.scores[0][1].rmsd.interval != clusters.scores[0][1].rmsd.interval
    assert compare_studies(studies, "val").part == "val"


def test_studies_that_cannot_be_compared_are_named(studies, tmp_path):
    table, labels = made_up()
    fewer = LabelTable(tuple(c for c in labels.complexes if c.id != "072x"))
    write_study(run_study(table, fewer, StudySettings("ridge", seeds=2)), tmp_path / "fewer")
    assert compare_studies([studies[1], tmp_path / "fewer"]).left_out == 1
    other = LabelTable(tuple(attrs.evolve(c, label=c.label + (c.id == "075x")) for c in labels.complexes))
    write_study(run_study(table, other, StudySettings("ridge", seeds=2)), tmp_path / "other")
    with pytest.raises(HoloError, match=r"other has the label .* for 075x and good has"):
        compare_studies([studies[1], tmp_path / "other"])
    write_study(run_study(table, labels, StudySettings("ridge", seeds=1)), tmp_path / "single")
    with pytest.raises((HoloError, TypeError), match=r"to be paired, they must be equally many|f64\[1,18\]"):
        compare_studies([studies[1], tmp_path / "single"])
    with pytest.raises(HoloError, match="two studies are called 'good'"):
        compare_studies([studies[1], studies[1]])
    with pytest.raises(HoloError, match="1 studies to compare"):
        compare_studies(studies[:1])
    with pytest.raises(FormatError, match="cannot be read as a study"):
        compare_studies([studies[0], tmp_path / "absent"])
    write_study(run_study(table, labels, StudySettings("ridge", seeds=2)), tmp_path / "changed")
    predictions = tmp_path / "changed" / "predictions.csv"
    content = predictions.read_bytes()
    predictions.write_bytes(content.replace(b"5", b"4", 1))
    with pytest.raises(FormatError, match=r"predictions.csv: does not match its digest in report.json"):
        compare_studies([studies[1], tmp_path / "changed"])
    predictions.write_bytes(content)
    assert compare_studies([studies[1], tmp_path / "changed"]).complexes == 18
    write_study(run_study(table, labels, StudySettings("ridge", seeds=2, test=False)), tmp_path / "alone")
    with pytest.raises(HoloError, match="has no predictions of test complexes"):
        compare_studies([studies[1], tmp_path / "alone"])
