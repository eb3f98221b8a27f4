"""The report opens offline, is well-formed, and shows what the model does; its views are the holograms' values."""

from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

import attrs
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from holo_downstream import probe_embeddings
from holo_features import inverse_spherical_transform
from holo_lab.report import page as page_parts, plots
from holo_lab.report.report import write_report
from holo_lab.report.scenes import points_near_plane
from holo_lab.report.training import TrainingReport, write_training_report
from holo_lab.report.views import camera, common_pose, density_slice, sphere_view
from holo_nn import rotate
from holo_nn.testing import random_rotations
from holo_types import Basis, HoloError, Holograms, PointClouds
from holo_vae import (
    HolographicAutoencoder,
    Model,
    ModelConfig,
    Recipe,
    data_scale,
    equivariance_errors,
    evaluate,
    initial_model,
    mean_hologram_cosine_loss,
    open_rows,
    reconstruction,
    train,
)
from holo_vae.networks.classifier import Classifier, TrainedClassifier
from holo_vae.networks.row_losses import row_cosine_losses
from holo_vae.recipes.model import ClassifierConfig, Condition

_VOID = {"meta", "img", "br", "hr", "link", "input"}


class _Checked(HTMLParser):
    """Collects what a page refers to and says; elements that are not closed in order are an error."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []
        self.text: list[str] = []
        self.headings: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.sources += [
            value or "" for name, value in attributes if name in ("src", "href", "srcset", "action")
        ]
        assert tag not in ("script", "iframe", "object")
        if tag == "img":
            assert dict(attributes)["alt"]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)
        self.text.append(data)


def _read(path: Path) -> _Checked:
    page = path.read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "http:" not in page
    assert "https:" not in page
    assert "url(" not in page
    assert "@import" not in page
    checked = _Checked()
    checked.feed(page)
    checked.close()
    assert checked.open == []
    assert all(source.startswith("data:image/webp;base64,") for source in checked.sources)
    return checked


@pytest.fixture
def sphere() -> Basis:
    return Basis(lmax=3, radial=None, channels=("image",))


@pytest.fixture
def images(sphere: Basis) -> Holograms:
    rng = np.random.default_rng(0)
    coefficients = rng.normal(size=(40, 2)) @ rng.normal(size=(2, sphere.dim)) + rng.normal(size=sphere.dim)
    return Holograms(coefficients.astype(np.float32), sphere, {"label": np.arange(40) % 2})


@pytest.fixture
def judged(images: Holograms) -> tuple[Model, TrainedClassifier]:
    torch.manual_seed(0)
    classes = Condition(column="label", categories=(0, 1))
    config = ModelConfig(
        basis=images.basis, latent_dim=4, lmax=(2, 1), channels=(4, 4), variational=True, condition=classes
    )
    judge = ClassifierConfig(basis=images.basis, lmax=(2, 1), channels=(4, 4), classes=classes)
    return (
        Model(HolographicAutoencoder(config), "<sphere & co>"),
        TrainedClassifier(Classifier(judge), "judge"),
    )


def test_everything_of_a_conditional_model_is_in_one_file(
    judged: tuple[Model, TrainedClassifier], images: Holograms, tmp_path: Path
) -> None:
    model, judge = judged
    evaluation = evaluate(
        model, images, training=images, validation=images[:10], label_column="label", classifier=judge
    )
    path = tmp_path / "report.html"
    write_report(
        evaluation,
        model,
        images,
        path,
        training=images,
        label_column="label",
        judge="judge",
        sources={"test": "a <file>"},
    )
    page = _read(path)
    assert page.headings == [
        "Reconstruction",
        "Rotations",
        "The embedding z",
        "Traversals",
        "Interpolation",
        "Samples",
        "How it was made",
    ]
    text = " ".join(page.text)
    assert "<sphere & co>" in text
    assert "a <file>" in text
    assert model.digest in text
    assert f"{evaluation.reconstruction.cosine_loss:.4f}" in text
    assert evaluation.latent is not None
    assert f"{evaluation.latent.v_measure:.3f}" in text
    assert evaluation.prior_samples is not None
    assert f"{evaluation.prior_samples.mean('diversity'):.3f}" in text
    assert len(page.sources) == 11


def test_densities_without_labels_are_reported(recipe: Recipe, holograms: Holograms, tmp_path: Path) -> None:
    model = Model(HolographicAutoencoder(recipe.model), "densities")
    write_report(evaluate(model, holograms), model, holograms, tmp_path / "report.html")
    page = _read(tmp_path / "report.html")
    assert "Samples" not in page.headings  # an H-AE has nothing to draw from
    assert "The circle is the cutoff, 10 Å." in " ".join(page.text)


def test_a_view_shows_the_values_of_the_sphere(images: Holograms) -> None:
    """Pixels are compared with the grid transform at the directions that Lambert's projection gives them."""
    axes = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
    size = 101
    views = sphere_view(images[:2], axes, size)
    grid = inverse_spherical_transform(images[:2], bandwidth=8)
    errors = []
    for row, colatitude in enumerate(np.pi * (2 * np.arange(16) + 1) / 32):
        for column, azimuth in enumerate(np.pi * np.arange(16) / 8):
            sine = np.sin(colatitude)
            direction = axes @ [sine * np.cos(azimuth), sine * np.sin(azimuth), np.cos(colatitude)]
            if direction[2] < 0.05:
                continue  # behind, or on the rim
            place = direction[:2] * np.sqrt(1 / (1 + direction[2]))  # (1 - cos)/sin² = 1/(1 + cos)
            across, up = np.rint((place + 1) / 2 * size - 0.5).astype(int)
            errors.append(np.abs(views[:, up, across] - grid.values[:, 0, row, column]).max())
    assert len(errors) > 100
    assert np.median(errors) < 0.02 * np.abs(grid.values).max()  # half a pixel's worth of slope
    assert np.isnan(views[:, 0, 0]).all()


def test_the_camera_looks_to_where_the_signal_is(sphere: Basis) -> None:
    coefficients = np.zeros((1, sphere.dim))
    coefficients[0, 1:4] = [0.0, 3.0, 4.0]
    right, up, forward = camera(Holograms(coefficients, sphere))
    np.testing.assert_allclose(forward, [0, 0.6, 0.8])
    np.testing.assert_allclose(up, [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(np.cross(up, right), -np.cross(right, up))
    np.testing.assert_allclose(
        np.cross(up, right), forward * np.linalg.det([right, up, forward]) * -1, atol=1e-12
    )


def test_frames_that_lie_alike_have_a_common_pose_and_random_ones_none() -> None:
    pose, *others = random_rotations(200, seed=4)
    around = torch.tensor([[0.9689124, -0.2474040, 0.0], [0.2474040, 0.9689124, 0.0], [0.0, 0.0, 1.0]])
    alike = np.stack([(around.double() @ pose).numpy(), pose.numpy()] * 30)
    found = common_pose(np.concatenate([alike, np.stack(others[:60])]))
    assert found is not None
    assert np.trace(found @ pose.numpy().T) > 2.9
    assert common_pose(np.stack(others)) is None


def test_pictures_in_one_frame_do_not_turn(
    judged: tuple[Model, TrainedClassifier],
    images: Holograms,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of turned rows the report shows other inputs, but the same in one frame, traversed and interpolated."""
    model = Model(judged[0].network.double(), "float64")
    images = attrs.evolve(images, coefficients=images.coefficients.astype(np.float64))
    coefficients = rotate(
        torch.from_numpy(images.coefficients), str(images.basis.irreps), random_rotations(1, seed=7)[0]
    )
    turned = attrs.evolve(images, coefficients=coefficients.numpy())
    drawn: list[list[tuple[str, np.ndarray]]] = []

    def record(
        rows: list[tuple[str, np.ndarray]], titles: Sequence[str] = (), channels: Sequence[str] = ()
    ) -> Figure:
        drawn.append(rows)
        return Figure(figsize=(1, 1))

    monkeypatch.setattr(plots, "tiles", record)
    evaluation = evaluate(model, images)
    for rows in (images, turned):
        write_report(evaluation, model, rows, tmp_path / "r.html", training=images, label_column="label")
    half = len(drawn) // 2
    still, again = drawn[:half], drawn[half:]
    assert np.abs(still[0][0][1] - again[0][0][1]).max() > 0.1  # inputs
    aligned = {"input, aligned": 0, "z in one frame": 0}
    for before, after in zip(still, again, strict=True):
        for (name, views), (_, others) in zip(before, after, strict=True):
            if name in aligned or name.startswith("z") or "→" in name:
                # A value on the border of two of the color map's 256 colors may fall into the other.
                np.testing.assert_allclose(others, views, atol=0.03)
                aligned[name] = aligned.get(name, 0) + 1
    assert aligned["input, aligned"] == 1
    assert aligned["z in one frame"] == 2
    assert sum(times for name, times in aligned.items() if "→" in name) == 4


def test_a_sphere_has_no_slice(images: Holograms) -> None:
    with pytest.raises(HoloError, match="it must have a Zernike radial part"):
        density_slice(images)


def _clouds(rows: Holograms) -> PointClouds:
    """Return clouds in which each row has two atoms near the plane, one of them its own, and one far from it."""
    places = np.tile([[1.0, 2.0, 0.5], [-3.0, 0.0, -0.9], [0.0, 0.0, 4.0]], (len(rows), 1))
    channels = rows.basis.channels
    weights = np.eye(len(channels))[np.arange(len(places)) % len(channels)]
    offsets = np.arange(0, len(places) + 1, 3)
    return PointClouds(
        places, weights, offsets, channels, point_columns={"own": np.tile([1, 0, 0], len(rows))}
    )


def test_atoms_near_the_plane_are_drawn_upon_their_channels_density(holograms: Holograms) -> None:
    near = points_near_plane(_clouds(holograms[:1]))
    assert near.places.tolist() == [[1.0, 2.0], [-3.0, 0.0]]
    assert near.own.tolist() == [True, False]
    assert near.channels.tolist() == [0, 1 % len(holograms.basis.channels)]
    channels = holograms.basis.channels
    density = np.zeros((len(channels), 4, 4))
    drawn = plots.density_slices([("HIS 57", density, density)], channels, 10.0, [near])
    points = [
        [tuple(place) for part in axes.collections for place in np.asarray(part.get_offsets()).tolist()]
        for axes in drawn.axes
    ]
    assert (1.0, 2.0) in points[0]
    assert (-3.0, 0.0) in points[1 % len(channels)]
    assert drawn.axes[-1].get_ylabel().startswith("density")  # the color bar


@pytest.mark.parametrize("channels", [(), ("C", "N")])
def test_colors_of_views_have_a_key(channels: tuple[str, ...]) -> None:
    (axes,) = plots.tiles([("input", np.zeros((1, 4, 4, 3)))], channels=channels).axes
    assert {text.get_text() for text in axes.texts} == {"input", *(channels or ("low", "high"))}


def test_a_dash_in_a_table_is_explained() -> None:
    assert "stands for a value" in page_parts.table(("", "a"), [("b", page_parts.DASH)])
    assert "stands for a value" not in page_parts.table(("", "a"), [("b", "1")])


def test_a_training_on_residues_is_reported(recipe: Recipe, holograms: Holograms, tmp_path: Path) -> None:
    training, held_out = holograms[:40], holograms[40:]
    parts = [open_rows(part, shuffle_rows=100) for part in (training, held_out)]
    model = initial_model(recipe, data_scale(parts[0]), "residues")
    untrained = reconstruction(model, held_out)
    history = list(train(model.network, *parts, recipe))
    embeddings = model.encode(held_out)
    embeddings = attrs.evolve(
        embeddings,
        reconstruction_cosine_loss=row_cosine_losses(held_out, model.decode(embeddings)).astype(np.float32),
    )
    errors = equivariance_errors(model, held_out)
    probe = probe_embeddings(embeddings, "residue_name", folds=2)
    report = TrainingReport(
        model=model,
        history=history,
        training=training,
        held_out=held_out,
        surroundings=_clouds(held_out),
        embeddings=embeddings,
        trained=reconstruction(model, held_out),
        untrained=untrained,
        mean_cosine_loss=mean_hologram_cosine_loss(training, held_out),
        probes=(probe,),
        equivariance=errors,
        end_to_end=errors,
        seconds=12.3,
    )
    write_training_report(report, tmp_path / "report.html")
    page = _read(tmp_path / "report.html")
    assert page.headings == [
        "Reconstruction",
        "Embeddings",
        "Probe: residue name",
        "Rotations",
        "How it was made",
    ]
    text = " ".join(page.text)
    assert f"{report.mean_cosine_loss:.4f}" in text
    assert f"{report.trained.mse:.3e}" in text
    assert probe.summary() in text
    assert model.digest[:16] in text
    assert "12 s" in text
    assert len(page.sources) == 4  # learning curves, degrees, densities, map
    blind = attrs.evolve(report, embeddings=attrs.evolve(embeddings, reconstruction_cosine_loss=None))
    with pytest.raises(HoloError, match="has no reconstruction_cosine_loss"):
        write_training_report(blind, tmp_path / "blind.html")
