"""The service's processes: what goes through their pipes, whoever reads at the same time, and what is lost with one."""

import builtins
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from holo_types import Basis, Zernike
from holo_vae.networks.model import Model
from holo_vae.networks.network import HolographicAutoencoder
from holo_vae.networks.storage import write_model
from holo_vae.recipes.model import ModelConfig
from holo_vae.serving.holograms import encode_coefficients, parse_holograms
from holo_vae.serving.limits import Limits, RefusedRequest
from holo_vae.serving.processes import pack, unpack
from holo_vae.web import crew as web_crew
from holo_vae.web.settings import Settings

BASIS = Basis(lmax=2, radial=Zernike(nmax=4, cutoff=10.0), channels=("C", "N"))
ARRAYS: tuple[np.ndarray[Any, Any], ...] = (
    np.arange(6, dtype=np.float32).reshape(2, 3).T,
    np.array(["A", "Bé"]),
    np.array(["", ""], "<U0"),
    np.array([True]),
    np.zeros((0, 4)),
)


def test_arrays_come_out_as_they_went_in() -> None:
    found = unpack(pack(ARRAYS))
    assert len(found) == len(ARRAYS)
    for array, expected in zip(found, ARRAYS, strict=True):
        assert array.dtype == expected.dtype
        assert array.flags.writeable
        np.testing.assert_array_equal(array, expected)


@pytest.mark.parametrize(("dtype", "shape"), [("|O", [1]), ("<f4,|O", [1]), ("<f4", [-1]), ("<f4", [5])])
def test_no_array_is_made_of_what_is_none(dtype: str, shape: list[int]) -> None:
    """Interpreting bytes as addresses would read arbitrary memory, or crash."""
    header = json.dumps([(dtype, shape)]).encode()
    with pytest.raises((ValueError, TypeError)):
        unpack(len(header).to_bytes(8) + header + bytes(16))


def test_processes_do_without_pythons_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    """In Python 3.11 it counts its depth for all threads together, and may raise SystemError where two use it."""
    monkeypatch.setattr(builtins, "compile", None)
    np.testing.assert_equal(unpack(pack(ARRAYS))[1], ARRAYS[1])


def test_one_thread_at_a_time_parses_a_header(monkeypatch: pytest.MonkeyPatch) -> None:
    parse, inside, seen = builtins.compile, threading.Semaphore(1), []

    def alone(*arguments: Any, **named: Any) -> Any:
        seen.append(inside.acquire(blocking=False))
        time.sleep(0.001)  # others may come
        try:
            return parse(*arguments, **named)
        finally:
            inside.release()

    text = encode_coefficients(np.ones((1, BASIS.dim), np.float32))
    monkeypatch.setattr(builtins, "compile", alone)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: parse_holograms(text, BASIS.digest, BASIS, Limits(), "row 0"), range(40)))
    assert len(seen) == 40
    assert all(seen)


def test_a_fault_of_ours_costs_one_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    config = ModelConfig(basis=BASIS, latent_dim=6, lmax=(2, 1), channels=(6, 8), initial_projection=6)
    write_model(Model(HolographicAutoencoder(config).eval(), "small"), tmp_path / "model")
    faults = [SystemError("of Python's own")]

    def once_at_fault(content: bytes) -> list[np.ndarray[Any, Any]]:
        if faults:
            raise faults.pop()
        return unpack(content)

    monkeypatch.setattr(web_crew, "unpack", once_at_fault)
    crew = web_crew.Crew(str(tmp_path / "model"), Settings(workers=1))
    try:
        rows = np.ones((2, BASIS.dim), np.float32)
        with pytest.raises(RefusedRequest, match="the service failed; its log says why"):
            crew.waiting.put(rows).future.result(timeout=60)
        assert crew.waiting.put(rows).future.result(timeout=60).arrays["invariants"].shape == (2, 6)
    finally:
        crew.close()
