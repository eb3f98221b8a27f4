"""A process of `Crew`, which holds the model and embeds what it receives."""

import contextlib
import json
import os
from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from holo_types import Embeddings, HoloError, Holograms
from holo_vae.embedding import unchanging
from holo_vae.networks.loading import locate
from holo_vae.networks.model import Model
from holo_vae.networks.row_losses import row_cosine_losses
from holo_vae.networks.storage import read_folder
from holo_vae.networks.training_z import TrainingDistance
from holo_vae.serving.faults import report, where
from holo_vae.serving.processes import own_pipes, pack, receive, send, unpack

from .waiting import MOST_ROWS

__all__ = ["alike", "embed_parts", "work"]

_LEAST_ROWS = 8  # with fewer rows, libraries compute products differently, with different last bits
_FIELDS = ("degenerate", "log_variances", "reconstruction_cosine_loss")


def work() -> None:
    """Load the model, report which one it is, and embed until the service ends."""
    import torch  # noqa: PLC0415

    requests, answers = own_pipes()
    with contextlib.suppress(OSError, EOFError):
        setting = json.loads(receive(requests))
        torch.set_num_threads(1)
        try:
            model, near = _loaded(setting["model"])
            together = alike(model)
        except (HoloError, OSError) as error:
            send(answers, json.dumps({"refused": str(error)}).encode())
            os._exit(1)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a model, the service reports it in one line
            send(
                answers,
                json.dumps({"refused": f"{setting['model']}: cannot be used ({where(error)})"}).encode(),
            )
            os._exit(1)
        hello = {
            "refused": None,
            "model": attrs.asdict(model.reference),
            "basis": model.config.basis.to_dict(),
            "alike": together,
            "training_z": near is not None,
        }
        send(answers, json.dumps(hello).encode())
        while True:
            parts = unpack(receive(requests))
            try:
                found = embed_parts(model, parts)
            except Exception as error:  # noqa: BLE001 - a bug in the service: it is logged, and the service continues
                report("embedding", error)
                found = ["fault"] * len(parts)
            for each in found:
                _send(answers, each, near)
    os._exit(0)


def _loaded(source: str) -> tuple[Model, TrainingDistance | None]:
    found = locate(source)
    model = read_folder(found.folder, (Model,))
    if found.name is not None and found.version is not None:
        model = attrs.evolve(model, name=found.name, version=found.version)
    return unchanging(model), TrainingDistance.of(found.folder, model.digest)


def embed_parts(model: Model, parts: Sequence[NDArray[Any]]) -> list[Embeddings | str]:
    """Embed the rows of several requests in one batch.

    Parameters
    ----------
    model
        The model.
    parts
        Coefficients ``[n, dim]`` of each request, all of the same dtype.

    Returns
    -------
    list
        The embeddings of each request; or ``"infinite"`` if they would not be finite.
    """
    try:
        return _embedded(model, parts)
    except HoloError:
        if len(parts) == 1:
            return ["infinite"]
        return [found for part in parts for found in embed_parts(model, [part])]


def _embedded(model: Model, parts: Sequence[NDArray[Any]]) -> list[Embeddings | str]:
    rows, basis = np.concatenate(parts), model.config.basis
    missing = _LEAST_ROWS - len(rows)
    if missing > 0:
        rows = np.concatenate([rows, np.repeat(rows[:1], missing, axis=0)])
    embeddings = model.encode(Holograms(rows, basis))
    decoded = None if model.config.condition is not None else model.decode(embeddings)
    found: list[Embeddings | str] = []
    end = 0
    for part in parts:
        some = slice(end, end := end + len(part))
        losses = None
        if (
            decoded is not None
        ):  # for each part by itself, since the way in which a sum is computed depends on the number of rows
            losses = row_cosine_losses(Holograms(part, basis), decoded[some])
            losses = losses.astype(embeddings.invariants.dtype, copy=False)
        found.append(attrs.evolve(embeddings[some], reconstruction_cosine_loss=losses))
    return found


def alike(model: Model) -> bool:
    """Return whether a row's embedding has the same bits on this machine whatever rows are in its batch.

    This depends on the libraries, the processor and the sizes of the model: products of very small matrices are
    computed differently for different numbers of rows. If it does not hold, requests are not combined into one batch.
    """
    rows = np.random.default_rng(0).normal(size=(MOST_ROWS, model.config.basis.dim)).astype(np.float32)
    parts = np.split(rows, (1, 3, 20, 31, 64, 67))
    return all(
        _embedded(model, [part]) == [found]
        for part, found in zip(parts, _embedded(model, parts), strict=True)
    )


def _send(answers: Any, found: Embeddings | str, near: TrainingDistance | None) -> None:
    if isinstance(found, str):
        send(answers, json.dumps({"refused": found}).encode())
        return
    arrays = {"invariants": found.invariants, "frames": found.frames}
    arrays |= {name: values for name in _FIELDS if (values := getattr(found, name)) is not None}
    if near is not None:
        arrays["training_distance"] = near(found.invariants)
    send(answers, json.dumps({"refused": None, "arrays": list(arrays)}).encode())
    send(answers, pack(arrays.values()))
