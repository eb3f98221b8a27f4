"""Data sets that a recipe names: from the files as they are published to files of holograms (extra ``structures``)."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import attrs

import holo_types
from holo_types import Basis, FormatError, HoloError, Holograms
from holo_types.extras import extra
from holo_vae.recipes.data import DataConfig, MnistData, ShapeData
from holo_vae.recipes.views import ViewsConfig

from .cloud_sets import cut_split
from .shape_sets import encode_shape_split, read_shape_splits
from .structure_sets import SPLITS, available_workers, encode_split, read_table

__all__ = ["Prepared", "prepare"]


@attrs.frozen
class Prepared:
    """Files of holograms, each of rows that the others do not have.

    Parameters
    ----------
    training, validation, test
        The files; None for the test where the data set has none.
    skipped
        What of the data set could not be used.
    """

    training: Path
    validation: Path
    test: Path | None
    skipped: tuple[str, ...] = ()


def prepare(
    data: DataConfig,
    basis: Basis,
    source: Path | str,
    folder: Path | str,
    views: ViewsConfig | None = None,
) -> Prepared:
    """Encode a data set, unless that is done already.

    Parameters
    ----------
    data
        Which data set, and how it is split.
    basis
        In which the model takes it.
    source
        Folder of the files as they are published.
    folder
        For ``training.h5``, ``validation.h5`` and ``test.h5``. Files that an earlier call has made in the same
        way are kept.
    views
        Where training is on views of structures: files to train on and to validate with then hold point clouds.

    Raises
    ------
    HoloError
        If holo-features is not installed, the files are not those of the data set, or the basis is another.
    """
    if isinstance(data, MnistData):
        return _prepare_mnist(data, basis, source, folder)
    if isinstance(data, ShapeData):
        return _prepare_shapes(data, basis, source, folder)
    splits = read_table(data, Path(source))
    paths = {SPLITS[split]: Path(folder, f"{SPLITS[split]}.h5") for split in splits}
    workers = available_workers(sum(map(len, splits.values())))
    Path(folder).mkdir(parents=True, exist_ok=True)
    # Validation and test are what the model is judged on: they lie as they are found.
    found = attrs.evolve(data, pose="file")
    notes = []
    for split, rows in splits.items():
        lying, path = data if split == "train" else found, paths[SPLITS[split]]
        if views is None or split == "test":  # which `evaluate` takes: holograms as they are
            notes.append(encode_split(lying, basis, rows, path, workers))
        else:
            notes.append(cut_split(lying, basis, rows, path, margin=views.margin, workers=workers))
    said = tuple(note for note in notes if note is not None)
    return Prepared(paths["training"], paths["validation"], paths["test"], said)


def _prepare_shapes(data: ShapeData, basis: Basis, source: Path | str, folder: Path | str) -> Prepared:
    splits = read_shape_splits(data, Path(source))
    paths = {split: Path(folder, f"{SPLITS[split]}.h5") for split in splits}
    Path(folder).mkdir(parents=True, exist_ok=True)
    notes = [
        encode_shape_split(
            data if split == "train" else attrs.evolve(data, rotation="each", copies=0),
            basis,
            meshes,
            paths[split],
            available_workers(len(meshes) * (1 + data.copies)),
        )
        for split, meshes in splits.items()
    ]
    said = tuple(note for note in notes if note is not None)
    return Prepared(paths["train"], paths["valid"], paths.get("test"), said)


def _prepare_mnist(data: MnistData, basis: Basis, source: Path | str, folder: Path | str) -> Prepared:
    with extra("holo-vae[structures]"):
        from holo_features import encode_images, read_mnist  # noqa: PLC0415
    mnist = read_mnist(source)
    split = len(mnist.train.images) - data.validation_rows
    if split < 1:
        raise HoloError(
            f"{source}: has {len(mnist.train.images)} training images; data.validation_rows is {data.validation_rows}, "
            "which leaves none to train on"
        )
    images, labels = mnist.train.images, mnist.train.labels
    # Validation and test are what the model is judged on: each image turned in a way of its own.
    files: dict[str, Callable[[], Iterator[Holograms]]] = {
        "training": lambda: encode_images(
            images[:split],
            labels[:split],
            lmax=basis.lmax,
            bandwidth=data.bandwidth,
            rotation=data.rotation,
            seed=data.seed,
        ),
        "validation": lambda: encode_images(
            images, labels, lmax=basis.lmax, bandwidth=data.bandwidth, seed=data.seed + 1, start=split
        ),
        "test": lambda: encode_images(
            mnist.test.images,
            mnist.test.labels,
            lmax=basis.lmax,
            bandwidth=data.bandwidth,
            seed=data.seed + 2,
        ),
    }
    settings = {key: str(value) for key, value in attrs.asdict(data).items()} | {"basis": basis.digest}
    paths = {name: Path(folder, f"{name}.h5") for name in files}
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name, encode in files.items():
        if not _is_made(paths[name], settings):
            _write(encode(), basis, paths[name], settings)
    return Prepared(paths["training"], paths["validation"], paths["test"])


def _is_made(path: Path, settings: dict[str, str]) -> bool:
    try:
        with holo_types.open(path) as reader:
            return reader.complete and reader.settings == settings
    except FormatError:
        return False


def _write(chunks: Iterable[Holograms], basis: Basis, path: Path, settings: dict[str, str]) -> None:
    path.unlink(missing_ok=True)  # one that a killed process has left unfinished
    with holo_types.Writer(path, settings=settings) as writer:
        for holograms in chunks:
            if holograms.basis != basis:
                raise HoloError(
                    f"the images are encoded in the basis {holograms.basis}; the recipe has {basis}"
                )
            writer.append(holograms)
