"""Data sets that a recipe names: conversion of the published files to files of holograms (extra ``structures``)."""

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
    """Files of holograms, no two of which share rows.

    Parameters
    ----------
    training, validation, test
        The files; `test` is None if the data set has no test part.
    skipped
        What could not be used of the data set.
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
    """Encode a data set, unless this has been done already.

    Parameters
    ----------
    data
        Which data set to encode, and how to split it.
    basis
        The basis of the model.
    source
        Folder of the files as published.
    folder
        Folder for ``training.h5``, ``validation.h5`` and ``test.h5``. Files from an earlier call with the same
        settings are kept.
    views
        Set for training on views of structures: the training and validation files then hold point clouds.

    Raises
    ------
    HoloError
        If holo-features is not installed, the files are not those of the data set, or the basis does not match.
    """
    if isinstance(data, MnistData):
        return _prepare_mnist(data, basis, source, folder)
    if isinstance(data, ShapeData):
        return _prepare_shapes(data, basis, source, folder)
    splits = read_table(data, Path(source))
    paths = {SPLITS[split]: Path(folder, f"{SPLITS[split]}.h5") for split in splits}
    workers = available_workers(sum(map(len, splits.values())))
    Path(folder).mkdir(parents=True, exist_ok=True)
    # The model is judged on validation and test: their structures keep the pose of the file.
    found = attrs.evolve(data, pose="file")
    notes = []
    for split, rows in splits.items():
        lying, path = data if split == "train" else found, paths[SPLITS[split]]
        if views is None or split == "test":  # `evaluate` takes the test rows: holograms without views
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
    # The model is judged on validation and test: each of their images gets its own rotation.
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
    path.unlink(missing_ok=True)  # a file that a killed process has left unfinished
    with holo_types.Writer(path, settings=settings) as writer:
        for holograms in chunks:
            if holograms.basis != basis:
                raise HoloError(
                    f"the images are encoded in the basis {holograms.basis}; the recipe has {basis}"
                )
            writer.append(holograms)
