"""Figures of descriptors and of z for the held-out classes of a halving, and on other meshes."""

from collections import defaultdict
from typing import TYPE_CHECKING

import attrs
import numpy as np
from jaxtyping import Float, Shaped
from shape_sets import descriptors
from sklearn.model_selection import StratifiedKFold
from variants import SHORT, Form, chosen_form

from holo_downstream import (
    RetrievalScores,
    cluster_scores,
    knn_accuracy,
    linear_accuracy,
    ranked_lists,
    retrieval_scores,
)
from holo_vae.training.whitening import within_map

if TYPE_CHECKING:
    from halvings import Halving
    from shape_sets import ShapeSet

    from holo_types import Embeddings, Holograms

__all__ = ["LIST_LENGTH", "Classes", "Figures", "Partners", "Retrieved"]

LIST_LENGTH = 10  # of the lists whose precision, recall and F1 are reported; about the size of most classes
_FOLDS = 5


@attrs.frozen
class Retrieved:
    """How well a row of the tables retrieves the held-out classes of a halving.

    Parameters
    ----------
    form
        The form in which it was used, chosen on the training classes.
    micro, macro
        The scores: mAP and NDCG of whole lists, and the others of lists of 10.
    """

    form: str
    micro: RetrievalScores
    macro: RetrievalScores


@attrs.frozen
class Classes:
    """How well clusters and classifiers separate held-out classes, and how well their meshes are reconstructed.

    Parameters
    ----------
    cosine_loss
        1 - cosine of mesh and reconstruction, or None for descriptors, which have no reconstruction.
    purity, v_measure
        The scores of K-means with as many clusters as classes.
    linear, knn
        The accuracies, as means over five folds of the meshes.
    """

    cosine_loss: float | None
    purity: float
    v_measure: float
    linear: float
    knn: float


@attrs.frozen
class Partners:
    """How well meshes in classes of two find their partners.

    Parameters
    ----------
    first_hit
        The share whose nearest mesh is of their class.
    reciprocal_rank
        The mean of 1 / rank of the first mesh of their class.
    """

    first_hit: float
    reciprocal_rank: float


@attrs.define
class Figures:
    """All figures measured so far.

    Parameters
    ----------
    retrieved, classes
        The figures by row of the tables and by halving, with one for each seed.
    partners
        The figures by row of the tables, with one for each seed.
    """

    retrieved: dict[str, dict[int, list[Retrieved]]] = attrs.field(factory=lambda: defaultdict(dict))
    classes: dict[str, dict[int, list[Classes]]] = attrs.field(factory=lambda: defaultdict(dict))
    partners: dict[str, list[Partners]] = attrs.field(factory=lambda: defaultdict(list))

    def add_descriptors(
        self, shapes: "ShapeSet", copies: "Holograms", halving: "Halving", untrained: "Embeddings"
    ) -> None:
        """Measure the rows without training on a halving, and those with a fitted linear map alone.

        Parameters
        ----------
        shapes, halving
            The meshes and the halving.
        copies
            The rows of the training meshes and their copies.
        untrained
            z of a network with initial weights, whitened by the copies.
        """
        for name, rows in (("chance", _chance(len(shapes.labels))), *shapes.descriptors.items()):
            for short in (False, True) if rows.shape[1] > SHORT else (False,):
                row = row_name(name, rows.shape[1], short=short)
                self.retrieved[row][halving.number] = [_retrieved(rows, shapes, halving, short=short)]
                if name == "power spectrum":
                    self.classes[row][halving.number] = [_classes(rows, shapes, halving, short=short)]
        for row, rows in _mapped(copies, shapes, untrained).items():
            self.retrieved[row][halving.number] = [_retrieved(rows, shapes, halving, short=False)]
            self.classes[row][halving.number] = [_classes(rows, shapes, halving, short=False)]

    def add_halving(self, mode: str, shapes: "ShapeSet", halving: "Halving", z: "Embeddings") -> None:
        """Measure z of a run on a halving."""
        invariants = z.invariants.astype(np.float64)
        assert z.reconstruction_cosine_loss is not None
        loss = float(z.reconstruction_cosine_loss[halving.held_out].mean())
        row = f"z, {mode}"
        found = _retrieved(invariants, shapes, halving, short=False)
        self.retrieved[row].setdefault(halving.number, []).append(found)
        classes = attrs.evolve(_classes(invariants, shapes, halving, short=False), cosine_loss=loss)
        self.classes[row].setdefault(halving.number, []).append(classes)

    def add_partner_descriptors(
        self,
        shapes: "ShapeSet",
        copies: "Holograms",
        second: "ShapeSet",
        untrained: "tuple[Embeddings, Embeddings]",
    ) -> None:
        """Measure how the meshes of the second set find their partners by rows for which no network is trained.

        Parameters
        ----------
        shapes
            The first set, on which forms are chosen.
        copies
            The rows of its meshes and their copies.
        second
            The second set.
        untrained
            z of both sets by a network with initial weights, whitened by the copies.
        """
        for name, rows in shapes.descriptors.items():
            both = np.concatenate([rows, second.descriptors[name]])
            for short in (False, True) if rows.shape[1] > SHORT else (False,):
                self.partners[row_name(name, rows.shape[1], short=short)] = [
                    _partners(both, shapes, second, short=short)
                ]
        first, other = (_mapped(copies, part, z) for part, z in zip((shapes, second), untrained, strict=True))
        for row, rows in first.items():
            both = np.concatenate([rows, other[row]])
            self.partners[row] = [_partners(both, shapes, second, short=False)]

    def add_partners(
        self, mode: str, shapes: "ShapeSet", second: "ShapeSet", z: "tuple[Embeddings, Embeddings]"
    ) -> None:
        """Measure how z of a run on all classes of the first set finds partners in the second."""
        both = np.concatenate([part.invariants.astype(np.float64) for part in z])
        self.partners[f"z, {mode}"].append(_partners(both, shapes, second, short=False))


def _mapped(
    copies: "Holograms", judged: "ShapeSet", untrained: "Embeddings"
) -> dict[str, Float[np.ndarray, "judged 40"]]:
    """Return the rows for which a linear map is fitted to the copies, as for z, but no network is trained."""
    of_copies, things = descriptors(copies), copies.index["structure"]
    found = {
        f"{name}, {SHORT}, whitened by copies": within_map(of_copies[name], things, SHORT).of(
            judged.descriptors[name]
        )
        for name in ("power spectrum", "power spectrum, all pairs of channels")
    }
    return found | {"z of initial weights, whitened by copies": untrained.invariants.astype(np.float64)}


def row_name(name: str, width: int, *, short: bool) -> str:
    """Return the name of a descriptor in the tables."""
    return name if name == "chance" else f"{name}, {SHORT if short else width}"


def _chance(count: int) -> Float[np.ndarray, "n 40"]:
    return np.random.default_rng(0).normal(size=(count, SHORT))


def _held_out(
    rows: Float[np.ndarray, "n d"], shapes: "ShapeSet", halving: "Halving", *, short: bool
) -> tuple[Form, Float[np.ndarray, "held_out k"], Shaped[np.ndarray, "held_out"]]:
    """Return the form chosen on the training classes, and the rows of the other classes in it with their labels."""
    form = chosen_form(rows, shapes.labels, halving.known, short=short)
    return form, form.of(rows, halving.known)[halving.held_out], shapes.labels[halving.held_out]


def _retrieved(
    rows: Float[np.ndarray, "n d"], shapes: "ShapeSet", halving: "Halving", *, short: bool
) -> Retrieved:
    form, found, labels = _held_out(rows, shapes, halving, short=short)
    averages = []
    for average in ("micro", "macro"):
        whole = retrieval_scores(found, labels, metric=form.metric, average=average)
        cut = retrieval_scores(found, labels, metric=form.metric, average=average, limit=LIST_LENGTH)
        averages.append(attrs.evolve(cut, map=whole.map, ndcg=whole.ndcg))
    return Retrieved(str(form), averages[0], averages[1])


def _classes(
    rows: Float[np.ndarray, "n d"], shapes: "ShapeSet", halving: "Halving", *, short: bool
) -> Classes:
    form, found, labels = _held_out(rows, shapes, halving, short=short)
    if form.metric == "cosine":
        found = found / np.linalg.norm(found, axis=1, keepdims=True)
    clusters = cluster_scores(found, labels, starts=3)
    folds = [test for _, test in StratifiedKFold(_FOLDS, shuffle=True, random_state=0).split(found, labels)]
    linear, knn = [], []
    for number, test in enumerate(folds):
        aside = folds[number - 1]
        rest = np.setdiff1d(np.arange(len(found)), test)
        kept = np.setdiff1d(rest, aside)
        linear.append(linear_accuracy(found[rest], labels[rest], found[test], labels[test]))
        parts = ((found[part], labels[part]) for part in (kept, aside, test))
        knn.append(knn_accuracy(*(each for part in parts for each in part)).test)
    means = float(np.mean(linear)), float(np.mean(knn))
    return Classes(None, clusters.purity, clusters.v_measure, *means)


def _partners(
    rows: Float[np.ndarray, "n d"], shapes: "ShapeSet", second: "ShapeSet", *, short: bool
) -> Partners:
    """Choose the form on the first set, and score how meshes of the second find their partners."""
    known = np.arange(len(shapes.labels))
    labels = np.concatenate([shapes.labels, second.labels])
    form = chosen_form(rows, labels, known, short=short)
    found = form.of(rows, known)[len(known) :]
    ranks = []
    for query, (order, _) in enumerate(ranked_lists(found, metric=form.metric)):
        right = second.labels[order[1:]] == second.labels[query]  # the first is the query itself
        ranks.append(1 + int(np.argmax(right)))
    return Partners(float(np.mean(np.array(ranks) == 1)), float(np.mean(1 / np.array(ranks))))
