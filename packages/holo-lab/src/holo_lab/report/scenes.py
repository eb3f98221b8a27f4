"""The rows that a report draws, the frames in which each class is drawn, and the views of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from holo_types import Embeddings, Holograms, Index, PointClouds, rotation_between
from holo_vae.evaluation.latent_scores import row_labels
from holo_vae.generation.sampling import to_canonical_frame
from holo_vae.networks.model import Model
from holo_vae.networks.row_losses import row_cosine_losses

from . import plots
from .views import camera, common_pose, density_slice, sphere_view

__all__ = [
    "COLUMNS",
    "Label",
    "Scene",
    "colored_views",
    "densities_by_loss",
    "make_scene",
    "points_near_plane",
    "residue_name",
]

COLUMNS = 10  # columns of a grid of pictures
_ROWS = 5000  # rows whose losses are drawn, and from which pictures are chosen
_POSE_ROWS = 300  # rows of each class, which are compared in pairs
_NEAR = 1.0  # Å, the largest distance of an atom from the plane of a picture in which it is drawn

Label = int | str | None


@attrs.frozen(kw_only=True, eq=False)
class Scene:
    """The rows of a report, and how they are viewed.

    Parameters
    ----------
    model, rows, embeddings, losses
        The model, the rows from which pictures are chosen, their embeddings, and the cosine loss of each.
    labels
        ``[n]``, or None if there are no labels.
    classes
        The labels that have a column in the pictures; empty without labels.
    poses
        The frame in which each class is drawn, and under None that of rows without a class. It is the pose of the
        training rows, or the canonical frame.
    axes
        The axes of the camera on the sphere, or None for densities.
    """

    model: Model
    rows: Holograms
    embeddings: Embeddings
    losses: NDArray[np.float64]
    labels: NDArray[Any] | None
    classes: tuple[Label, ...]
    poses: Mapping[Label, NDArray[np.float64]]
    axes: NDArray[np.float64] | None

    @property
    def channels(self) -> tuple[str, ...]:
        """The names of the channels that are drawn in their own colors; empty on the sphere."""
        return self.rows.basis.channels if self.axes is None else ()

    def posed(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the frame in which each row is drawn."""
        labels: Sequence[Label] = [None] * len(rows) if self.labels is None else self.labels[rows].tolist()
        return np.stack([self.poses.get(label, self.poses[None]) for label in labels])

    def look(
        self, holograms: Holograms, like: NDArray[Any] | None = None, *, follow: bool = False
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return colored views, and the limits of their colors, by which others can be drawn in the same way.

        With `follow`, the camera looks toward the signal of each row.
        """
        return colored_views(holograms, self.axes, like, follow=follow)

    def chosen(self) -> tuple[NDArray[np.int64], list[str]]:
        """Return rows of median loss in each class, or of losses from low to high, and their titles."""
        order = np.argsort(self.losses, kind="stable")
        if self.labels is None:
            rows = _quantiles(order, min(COLUMNS, len(order)))
            return rows, [
                f"{residue_name(self.rows.index, row)}\n{self.losses[row]:.3f}".strip()
                for row in rows.tolist()
            ]
        each = max(1, COLUMNS // len(self.classes))
        members = [order[self.labels[order] == label] for label in self.classes]
        parts = [_quantiles(some, min(each, len(some))) for some in members]
        titles = [str(label) for label, part in zip(self.classes, parts, strict=True) for _ in part]
        return np.concatenate(parts), titles

    def turn(self, holograms: Holograms, label: Label) -> Holograms:
        """Rotate holograms that were decoded in the canonical frame into the pose in which their class is drawn."""
        pose = self.poses.get(label, self.poses[None])
        return to_canonical_frame(
            holograms, np.broadcast_to(rotation_between(np.eye(3), pose), (len(holograms), 3, 3))
        )

    def label(self, row: int) -> Label:
        """Return the class of a row."""
        label: Label = None if self.labels is None else self.labels[row].item()
        return label

    def category(self, row: int) -> int | str | None:
        """Return the category of a row for a conditional model, or None for other models."""
        categories = self.model.categories(self.rows.index)
        category: int | str | None = None if categories is None else categories[row].item()
        return category


def colored_views(
    holograms: Holograms,
    axes: NDArray[np.float64] | None,
    like: NDArray[Any] | None = None,
    *,
    follow: bool = False,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return pictures of holograms, and the limits of their colors, by which others can be drawn in the same way.

    Parameters
    ----------
    holograms
        Holograms on the sphere, of which the half in front of a camera is drawn, or densities, which are drawn in the
        plane z = 0.
    axes
        The axes of the camera, as returned by `camera`, or None for densities.
    like
        The limits of the colors, or None for those of each row.
    follow
        Whether the camera looks toward the signal of each row.
    """
    if axes is None:
        densities = density_slice(holograms)
        limits = np.percentile(np.abs(densities), 99, axis=(1, 2, 3)) if like is None else like
        return plots.density_colors(densities, holograms.basis.channels, limits), limits
    if follow:
        single = [holograms[row : row + 1] for row in range(len(holograms))]
        values = np.concatenate([sphere_view(one, camera(one)) for one in single])
    else:
        values = sphere_view(holograms, axes)
    if like is None:
        like = np.stack([np.nanmin(values, axis=(1, 2)), np.nanmax(values, axis=(1, 2))], axis=1)
    return plots.sphere_colors(values, like), like


def make_scene(model: Model, test: Holograms, training: Holograms | None, column: str | None) -> Scene:
    """Encode the first 5,000 rows, and find the usual pose of the signals.

    Parameters
    ----------
    model, test
        The model and the rows to draw.
    training
        Rows in the usual pose of the signals, or None to use the test rows.
    column
        The index column of the classes, if there are any.

    Raises
    ------
    HoloError
        If a basis is not the model's, or a conditional model's column is missing.
    """
    rows = test[:_ROWS]
    embeddings = model.encode(rows)
    losses = row_cosine_losses(rows, model.decode(embeddings, model.categories(embeddings.index)))
    labels = None if column is None else row_labels(rows, column)
    classes = () if labels is None else tuple(np.unique(labels).tolist())
    axes: NDArray[np.float64] | None = None
    poses: dict[Label, NDArray[np.float64]] = {None: np.eye(3)}
    if rows.basis.radial is None:
        lying = rows if training is None else training[:_ROWS]
        frames = embeddings.frames if training is None else model.encode(lying).frames
        poses = _poses(lying, frames, column)
        still = lying if poses else to_canonical_frame(rows, embeddings.frames)
        poses, axes = poses or {None: np.eye(3)}, camera(still)
    return Scene(
        model=model,
        rows=rows,
        embeddings=embeddings,
        losses=losses,
        labels=labels,
        classes=classes[:COLUMNS],
        poses=poses,
        axes=axes,
    )


def densities_by_loss(
    model: Model,
    rows: Holograms,
    embeddings: Embeddings,
    losses: NDArray[Any],
    clouds: PointClouds | None = None,
) -> Figure:
    """Draw true and reconstructed densities of rows at the 10th, 50th and 90th percentile of the loss.

    The title of a row says which residue it is, if the index knows, and its loss.

    Parameters
    ----------
    model, rows, embeddings, losses
        The same as in `Scene`; the basis must have a Zernike radial part.
    clouds
        The points from which the rows were made, which are drawn if they are near the plane, or None if they are not
        known.
    """
    radial = rows.basis.radial
    assert radial is not None
    order = np.argsort(losses, kind="stable")
    chosen = order[[len(order) * share // 100 for share in (10, 50, 90)]]
    some = embeddings[chosen]
    true = density_slice(rows[chosen])
    again = density_slice(model.decode(some, model.categories(some.index)))
    titles = [
        f"{residue_name(rows.index, row)}\ncosine loss {losses[row]:.3f}".strip() for row in chosen.tolist()
    ]
    pairs = list(zip(titles, true, again, strict=True))
    near = [] if clouds is None else [points_near_plane(clouds[row : row + 1]) for row in chosen.tolist()]
    return plots.density_slices(pairs, rows.basis.channels, radial.cutoff, near)


def residue_name(index: Index, row: int) -> str:
    """Return the type, the number and the structure of a residue, as far as the index contains them.

    Examples
    --------
    >>> index = Index({"residue_name": ["HIS"], "residue_number": [57], "structure": ["1abc"]})
    >>> residue_name(index, 0), residue_name(Index(), 0)
    ('HIS 57, 1abc', '')
    """
    residue = " ".join(str(index[name][row]) for name in ("residue_name", "residue_number") if name in index)
    return ", ".join(filter(None, [residue, str(index["structure"][row]) if "structure" in index else ""]))


def points_near_plane(cloud: PointClouds) -> plots.PlanePoints:
    """Return the points of one cloud that are near the plane z = 0, each with its strongest channel."""
    places = cloud.coordinates.astype(np.float64)
    near = (np.abs(places[:, 2]) < _NEAR) & (cloud.weights.max(axis=1) > 0)
    own = cloud.point_columns["own"] if "own" in cloud.point_columns else np.zeros(len(places), dtype=bool)
    return plots.PlanePoints(places[near, :2], cloud.weights[near].argmax(axis=1), own[near].astype(bool))


def _poses(lying: Holograms, frames: NDArray[Any], column: str | None) -> dict[Label, NDArray[np.float64]]:
    """Return the pose of the rows of each class in the canonical frame; none if they were rotated at random."""
    labels = lying.index[column] if column is not None and column in lying.index else None
    groups: dict[Label, NDArray[Any]] = {None: frames[:_POSE_ROWS]}
    for label in () if labels is None else np.unique(labels).tolist():
        groups[label] = frames[labels == label][:_POSE_ROWS]
    found: dict[Label, NDArray[np.float64]] = {}
    for label, group in groups.items():
        if (pose := common_pose(group)) is not None:
            found[label] = pose
    if found and None not in found:
        # Rows without a class, or of a class without a pose, are drawn in the pose of the largest class that has one.
        found[None] = found[max(found, key=lambda label: len(groups[label]))]
    return found


def _quantiles(order: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return the entries at the centers of equal parts; for a single part this is the median."""
    return order[((np.arange(count) + 0.5) / count * len(order)).astype(np.int64)]
