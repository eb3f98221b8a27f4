"""Queries and the meshes that they retrieve, each drawn in its own frame."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from variants import chosen_form

from holo_downstream import ranked_lists
from holo_features import mesh_set, read_mesh
from holo_features.spheres.deformation import simplified
from holo_features.spheres.meshes import CenteredMesh, center

if TYPE_CHECKING:
    from halvings import Halving
    from shape_sets import ShapeSet

    from holo_types import Embeddings

__all__ = ["gallery_figure"]

_QUERIES, _HITS = 8, 6
_RIGHT, _WRONG, _QUERY = "#5a9367", "#c0504d", "#3b4750"
_LIGHT = np.array([0.3, 0.5, 0.8]) / np.linalg.norm([0.3, 0.5, 0.8])


def gallery_figure(source: Path, shapes: "ShapeSet", halving: "Halving", z: "Embeddings") -> Figure:
    """Draw a query of each held-out class, eight at most, and the six meshes nearest to it.

    Each mesh is drawn in the frame that the model finds, so that similar meshes with similar frames look similar.

    Parameters
    ----------
    source
        The folder of the meshes.
    shapes, halving
        The meshes and the halving to draw.
    z
        The embeddings of the meshes in the orientation of their files, whose frames are used.
    """
    labels = shapes.labels[halving.held_out]
    invariants = z.invariants.astype(np.float64)
    form = chosen_form(invariants, shapes.labels, halving.known)
    lists = [
        order
        for order, _ in ranked_lists(form.of(invariants, halving.known)[halving.held_out], metric=form.metric)
    ]
    paths = {mesh.name: mesh.path for mesh in mesh_set(source)}
    queries = [int(np.flatnonzero(labels == name)[0]) for name in np.unique(labels)][:_QUERIES]
    figure = Figure(figsize=(1.5 * (_HITS + 1), 1.6 * len(queries)), layout="constrained")
    axes = figure.subplots(len(queries), _HITS + 1, squeeze=False)
    for line, query in zip(axes, queries, strict=True):
        for axis, place in zip(line, lists[query][: _HITS + 1], strict=True):
            row = halving.held_out[place]
            mesh = center(simplified(read_mesh(paths[shapes.names[row]])))
            frame = z.frames[row].astype(np.float64)  # The rows of a frame are its axes.
            # A mesh of high symmetry may define no frame; it is drawn in the orientation of its file.
            _draw(axis, mesh, frame if abs(np.linalg.det(frame)) > 0.5 else np.eye(3))
            color = _QUERY if place == query else _RIGHT if labels[place] == labels[query] else _WRONG
            axis.set_title(shapes.names[row], fontsize=7, color=color, pad=2)
    return figure


def _draw(axis: Axes, mesh: CenteredMesh, turn: Float[np.ndarray, "3 3"]) -> None:
    """Draw a mesh seen along the third axis, with nearer faces over farther ones."""
    corners = (mesh.vertices @ turn.T)[mesh.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    shade = np.abs(normals / np.where(lengths > 0, lengths, 1) @ _LIGHT)
    order = np.argsort(corners[:, :, 2].mean(axis=1))
    gray = 0.35 + 0.6 * shade[order, None].repeat(3, axis=1)
    axis.add_collection(
        PolyCollection(corners[order, :, :2].tolist(), facecolors=gray, edgecolors=gray, linewidths=0.3)
    )
    axis.set_xlim(-1, 1)
    axis.set_ylim(-1, 1)
    axis.set_aspect("equal")
    axis.set_axis_off()
