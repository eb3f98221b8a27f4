import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.metrics import average_precision_score, ndcg_score

from holo_downstream.probes.retrieval import RetrievalScores, ranked_lists, retrieval_scores
from holo_downstream.probes.shrec17 import read_ranked_lists, write_ranked_lists
from holo_types import FormatError, HoloError


def as_tuple(scores: RetrievalScores):
    return (scores.precision, scores.recall, scores.f1, scores.map, scores.ndcg)


def test_a_case_by_hand():
    """Points on a line, 0 1 3 7; labels a b a b; lists of 3 rows.

    0: finds 0 1 3, of which 1st and 3rd are relevant; of 1: 1 0 3, 1st; of 3: 3 1 0, 1st and 3rd;
    of 7: 7 3 1, 1st and 3rd.
    """
    vectors = np.array([[0.0], [1.0], [3.0], [7.0]])
    scores = retrieval_scores(vectors, ["a", "b", "a", "b"], limit=3, metric="euclidean")
    precision = (2 / 3 + 1 / 3 + 2 / 3 + 2 / 3) / 4
    recall = (1 + 1 / 2 + 1 + 1) / 4
    f1 = (0.8 + 0.4 + 0.8 + 0.8) / 4
    two = (1 + 2 / 3) / 2
    average_precision = (two + 1 / 2 + two + two) / 4
    ideal = 1 + 1 / np.log2(3)
    gain = (3 * (1 + 1 / 2) + 1) / ideal / 4
    assert as_tuple(scores) == pytest.approx((precision, recall, f1, average_precision, gain))


@pytest.fixture
def shapes():
    random = np.random.default_rng(0)
    code = random.choice(4, p=[0.5, 0.3, 0.15, 0.05], size=90)
    return 1.2 * np.eye(4, 6)[code] + random.normal(size=(90, 6)), np.array(list("abcd"))[code]


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("average", ["micro", "macro"])
def test_whole_lists_agree_with_scikit_learn(shapes, metric, average):
    vectors, labels = shapes
    distances = cdist(vectors, vectors, metric)
    np.fill_diagonal(distances, -1)
    relevant = labels[:, None] == labels
    precisions = np.array([average_precision_score(relevant[i], -distances[i]) for i in range(90)])
    gains = np.array([ndcg_score(relevant[i : i + 1], -distances[i : i + 1]) for i in range(90)])
    means = [
        values.mean() if average == "micro" else np.mean([values[labels == name].mean() for name in "abcd"])
        for values in (relevant.mean(axis=1), np.ones(90), precisions, gains)
    ]
    scores = retrieval_scores(vectors.astype(np.float64), labels, metric=metric, average=average)
    assert (scores.precision, scores.recall, scores.map, scores.ndcg) == pytest.approx(means)


def test_lists_end_at_the_limit(shapes):
    """In truncated lists, rows that are not retrieved count as never found."""
    vectors, labels = shapes
    distances = cdist(vectors, vectors)
    np.fill_diagonal(distances, -1)
    expected = []
    for query in range(90):
        order = sorted(range(90), key=lambda row, query=query: distances[query, row])[:10]
        hits = [rank for rank, row in enumerate(order, start=1) if labels[row] == labels[query]]
        total = int((labels == labels[query]).sum())
        p, r = len(hits) / 10, len(hits) / total
        ap = sum((number / rank) for number, rank in enumerate(hits, start=1)) / total
        dcg = sum(1 / np.log2(1 + rank) for rank in hits)
        idcg = sum(1 / np.log2(1 + rank) for rank in range(1, total + 1))
        expected.append((p, r, 2 * p * r / (p + r), ap, dcg / idcg))
    scores = retrieval_scores(vectors, labels, limit=10, metric="euclidean")
    assert as_tuple(scores) == pytest.approx(np.mean(expected, axis=0))


def test_lists_of_a_perfect_classifier_are_perfect(shapes):
    vectors, labels = shapes
    assert as_tuple(retrieval_scores(vectors, labels, predicted=labels)) == pytest.approx((1,) * 5)


def test_lists_hold_the_predicted_class_only(shapes):
    """Precision and recall of such lists follow from counts, whatever the vectors."""
    vectors, labels = shapes
    predicted = np.where(np.random.default_rng(1).random(90) < 0.7, labels, "a")
    pairs = labels[:, None] == labels
    lists = predicted[:, None] == predicted
    both = (pairs & lists).sum(axis=1)
    scores = retrieval_scores(vectors, labels, predicted=predicted)
    assert scores.precision == pytest.approx(np.mean(both / lists.sum(axis=1)))
    assert scores.recall == pytest.approx(np.mean(both / pairs.sum(axis=1)))


def test_more_rows_than_are_handled_at_once():
    random = np.random.default_rng(4)
    labels = random.integers(3, size=1100)
    vectors = np.eye(3)[labels] + 0.01 * random.normal(size=(1100, 3))
    assert as_tuple(retrieval_scores(vectors, labels, limit=300))[0] == pytest.approx(1)
    assert retrieval_scores(vectors, labels).recall == 1


def test_bad_input_is_named(shapes):
    vectors, labels = shapes
    with pytest.raises(HoloError, match=r"labels: has shape \[89\]"):
        retrieval_scores(vectors, labels[1:])
    with pytest.raises(HoloError, match="limit is 0"):
        retrieval_scores(vectors, labels, limit=0)
    with pytest.raises(HoloError, match="0 rows"):
        retrieval_scores(vectors[:0], labels[:0])
    vectors[7] = 0
    with pytest.raises(HoloError, match="row 7 is zero"):
        retrieval_scores(vectors, labels)


def test_lists_for_the_evaluator_by_hand(tmp_path):
    """Points on a line, 0 1 3 7, in the form of SHREC17: a file a query, a line a row, nearest first."""
    vectors = np.array([[0.0], [1.0], [3.0], [7.0]])
    names = ["000010", "000020", "000030", "000040"]
    write_ranked_lists(tmp_path / "test_normal", names, vectors, limit=3, metric="euclidean")
    written = {path.name: path.read_text() for path in (tmp_path / "test_normal").iterdir()}
    assert written == {
        "000010": "000010 0.000000\n000020 1.000000\n000030 3.000000\n",
        "000020": "000020 0.000000\n000010 1.000000\n000030 2.000000\n",
        "000030": "000030 0.000000\n000020 2.000000\n000010 3.000000\n",
        "000040": "000040 0.000000\n000030 4.000000\n000020 6.000000\n",
    }


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_scores_of_the_written_lists_are_those_of_the_vectors(shapes, tmp_path, metric):
    """P@N, R@N, F1@N, mAP and NDCG as the evaluator computes them, of nothing but the files."""
    vectors, labels = shapes
    names = [f"{number:06d}" for number in range(len(labels))]
    predicted = np.where(np.random.default_rng(1).random(90) < 0.7, labels, "a")
    write_ranked_lists(tmp_path, names, vectors, predicted=predicted, limit=20, metric=metric)
    label_of = dict(zip(names, labels.tolist(), strict=True))
    found = []
    for query, rows in read_ranked_lists(tmp_path).items():
        relevant = [label_of[name] == label_of[query] for name, _ in rows]
        total = list(label_of.values()).count(label_of[query])
        p, r = sum(relevant) / len(rows), sum(relevant) / total
        ap = sum(sum(relevant[: k + 1]) / (k + 1) for k in range(len(rows)) if relevant[k]) / total
        dcg = sum(1 / np.log2(k + 2) for k in range(len(rows)) if relevant[k])
        found.append((p, r, 2 * p * r / (p + r), ap, dcg / sum(1 / np.log2(k + 2) for k in range(total))))
    scores = retrieval_scores(vectors, labels, predicted=predicted, limit=20, metric=metric)
    assert np.mean(found, axis=0) == pytest.approx(as_tuple(scores))


def test_distances_of_lists_are_those_of_the_metric(shapes):
    vectors, _ = shapes
    for metric in ("cosine", "euclidean"):
        expected = cdist(vectors, vectors, metric)
        for query, (rows, distances) in enumerate(ranked_lists(vectors, limit=30, metric=metric)):
            assert distances == pytest.approx(expected[query, rows], abs=1e-12)
            assert (np.diff(distances) >= -1e-12).all()


@pytest.mark.parametrize(
    ("names", "match"),
    [
        (["a", "b"], "2 names for 3 vectors"),
        (["a", "b", "a"], "a is the name of two rows"),
        (["a", "b", "c d"], "'c d' cannot be the name"),
        (["a", "b", "../c"], "'../c' cannot be the name"),
        (["a", "b", ".."], r"'\.\.' cannot be the name"),
    ],
)
def test_names_that_are_none_of_files(tmp_path, names, match):
    with pytest.raises(HoloError, match=match):
        write_ranked_lists(tmp_path / "lists", names, np.eye(3))


@pytest.mark.parametrize("line", ["000001", "000001 far", "000001 nan", "000001 1 2"])
def test_lines_that_are_no_list(tmp_path, line):
    (tmp_path / "000001").write_text(f"000001 0\n{line}\n")
    with pytest.raises(FormatError, match=r"line 2 is .*; it must be a name and a distance"):
        read_ranked_lists(tmp_path)
    with pytest.raises(FormatError, match="is not a folder"):
        read_ranked_lists(tmp_path / "absent")
