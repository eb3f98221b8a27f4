"""The forms of a descriptor: whole or short, standardized or not, with different distances."""

from collections.abc import Iterator
from typing import Literal

import attrs
import numpy as np
from jaxtyping import Float, Int, Shaped
from sklearn.decomposition import PCA

from holo_downstream import retrieval_scores, standardization

__all__ = ["SHORT", "Form", "chosen_form", "forms", "whitened_by_copies"]

SHORT = 40  # numbers, as many as z has
_SHRINKAGE = 0.001  # as for z


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


def whitened_by_copies(
    rows: Float[np.ndarray, "n d"], copies: Float[np.ndarray, "m d"], meshes: Shaped[np.ndarray, "m"]
) -> Float[np.ndarray, "n 40"]:
    """Whiten a descriptor like z by `holo_vae.training.whitening`, and reduce it to 40 numbers.

    Parameters
    ----------
    rows
        The descriptor of each mesh.
    copies, meshes
        The same descriptor for copies of the training meshes, and the mesh of each copy.
    """
    scaling = standardization(copies)
    scaled = scaling.of(copies)
    _, members = np.unique(meshes, return_inverse=True)
    sums = np.stack([np.bincount(members, column) for column in scaled.T], axis=1)
    means = sums / np.bincount(members)[:, None]
    apart = scaled - means[members]
    covariance = apart.T @ apart / (len(apart) - len(means))
    covariance += _SHRINKAGE * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    variances, directions = np.linalg.eigh(covariance)
    there = directions / np.sqrt(variances)
    found: Float[np.ndarray, "n 40"] = (
        PCA(SHORT, svd_solver="full").fit(means @ there).transform(scaling.of(rows) @ there)
    )
    return found
