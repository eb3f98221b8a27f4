"""The forms of a descriptor: whole or short, standardized or not, with different distances."""

from collections.abc import Iterator
from typing import Literal

import attrs
import numpy as np
from jaxtyping import Float, Int, Shaped
from sklearn.decomposition import PCA

from holo_downstream import retrieval_scores, standardization

__all__ = ["SHORT", "Form", "chosen_form", "forms"]

SHORT = 40  # numbers, as many as z has


@attrs.frozen
class Form:
    """How a descriptor is used.

    Parameters
    ----------
    short
        Whether it is reduced to 40 numbers by principal components.
    standardized
        Whether each of its numbers is scaled to variance 1 first.
    metric
        The distance by which rows are compared.
    """

    short: bool
    standardized: bool
    metric: Literal["cosine", "euclidean"]

    def __str__(self) -> str:
        parts = (f"{SHORT} by PCA" if self.short else "all", "standardized" * self.standardized, self.metric)
        return ", ".join(part for part in parts if part)

    def of(self, rows: Float[np.ndarray, "n d"], known: Int[np.ndarray, "known"]) -> Float[np.ndarray, "n k"]:
        """Return rows in this form, with the means, variances and components of the known rows."""
        found = standardization(rows[known]).of(rows) if self.standardized else rows
        if self.short:
            found = PCA(SHORT, svd_solver="full").fit(found[known]).transform(found)
        return found


def forms(width: int) -> Iterator[Form]:
    """Return all forms of a descriptor of a given length."""
    for short in (False, True) if width > SHORT else (False,):
        for standardized in (False, True):
            yield Form(short, standardized, "cosine")
            yield Form(short, standardized, "euclidean")


def chosen_form(
    rows: Float[np.ndarray, "n d"],
    labels: Shaped[np.ndarray, "n"],
    known: Int[np.ndarray, "known"],
    *,
    short: bool | None = None,
) -> Form:
    """Return the form with the largest mean average precision on the known rows.

    Parameters
    ----------
    rows, labels
        The descriptor and the label of each mesh.
    known
        The rows of the training classes, on which the form is chosen.
    short
        Whether to use only the forms of 40 numbers or only those of all numbers, or None for both.
    """
    candidates = [form for form in forms(rows.shape[1]) if short is None or form.short == short]
    if not candidates:  # there are no more than 40 numbers
        candidates = list(forms(rows.shape[1]))
    found = [
        retrieval_scores(form.of(rows, known)[known], labels[known], metric=form.metric, average="macro").map
        for form in candidates
    ]
    return candidates[int(np.argmax(found))]
