"""Embedding over processes and over a cluster: what one process gives, to the bit, whatever is killed."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from holo_features.datasets import example_structures
from holo_types import Basis, Embeddings, HoloError, Zernike, load
from holo_vae import HolographicAutoencoder, Model, ModelConfig
from holo_vae.cli.program import main
from holo_vae.embedding import embed_structures
from holo_vae.networks.storage import write_model

psutil = pytest.importorskip("psutil")

BASIS = Basis(lmax=2, radial=Zernike(nmax=4, cutoff=10.0), channels=("C", "N", "O", "S"))
PATHS = example_structures()[:40]


def small(seed: int) -> Model:
    torch.manual_seed(seed)
    config = ModelConfig(basis=BASIS, latent_dim=5, lmax=(2, 1), channels=(6, 6), initial_projection=6)
    return Model(HolographicAutoencoder(config), "small")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "small"
    write_model(small(0), folder)
    return folder


@pytest.fixture(scope="module")
def alone(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Embeddings:
    out = tmp_path_factory.mktemp("alone") / "z.h5"
    assert main(["embed", *map(str, PATHS), "--model", str(model), "--out", str(out)]) == 0
    return embeddings_in(out)


def embeddings_in(path: Path) -> Embeddings:
    found = load(path)
    assert isinstance(found, Embeddings)
    return found


def test_two_workers_write_what_one_process_does_to_the_bit(
    model: Path, alone: Embeddings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(model.parent)  # the model is given relative to it
    arguments = ["embed", *map(str, PATHS), "--model", "small", "--out", str(tmp_path / "z.h5")]
    assert main([*arguments, "--workers", "2"]) == 0
    assert embeddings_in(tmp_path / "z.h5") == alone


def command(model: Path, out: Path, *options: str) -> list[str]:
    program = "from holo_vae.cli.program import main; raise SystemExit(main())"
    given = [str(path) for path in PATHS]
    return [
        sys.executable,
        "-c",
        program,
        "embed",
        *given,
        "--model",
        str(model),
        "--out",
        str(out),
        *options,
    ]


def workers_of(process: int) -> list[psutil.Process]:
    found = []
    for child in psutil.Process(process).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # some live for a moment only
            if "import work" in "".join(child.cmdline()[-1:]):
                found.append(child)
    return found


@pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")
def test_a_killed_worker_loses_nothing(model: Path, alone: Embeddings, tmp_path: Path) -> None:
    out = tmp_path / "z.h5"
    process = subprocess.Popen(command(model, out, "--workers", "2"))
    limit = time.monotonic() + 300
    while not (started := workers_of(process.pid)) and time.monotonic() < limit:
        time.sleep(0.01)
    started[0].kill()
    assert process.wait(timeout=600) == 0
    assert embeddings_in(out) == alone


@pytest.mark.parametrize("half", [False, True])
def test_a_folder_of_parts_is_one_table_and_is_continued(
    model: Path, alone: Embeddings, tmp_path: Path, half: bool
) -> None:
    pandas = pytest.importorskip("pandas")
    arguments = ["--model", str(model), "--out", str(tmp_path / "z"), *(["--half"] if half else [])]
    assert main(["embed", *map(str, PATHS[:20]), *arguments]) == 0
    assert main(["embed", *map(str, PATHS), *arguments]) == 1, "it is not empty"
    assert main(["embed", *map(str, PATHS), *arguments, "--resume"]) == 0
    found = pandas.read_parquet(tmp_path / "z")
    assert len(list((tmp_path / "z").iterdir())) == 2
    np.testing.assert_array_equal(found["structure"], alone.index["structure"])
    z = found[[f"z_{i}" for i in range(5)]].to_numpy()
    expected = alone.invariants.astype(np.float16).astype(np.float32) if half else alone.invariants
    np.testing.assert_array_equal(z, expected)


def test_several_workers_need_a_model_that_each_can_load() -> None:
    with pytest.raises(
        HoloError, match="model is the loaded model 'small'; for several workers it must be what"
    ):
        embed_structures(PATHS, small(0), workers=2)


def test_a_worker_that_loads_another_model_is_refused(model: Path, tmp_path: Path) -> None:
    changing = tmp_path / "changing"
    shutil.copytree(model, changing)
    results = embed_structures(PATHS, changing, workers=2)
    shutil.rmtree(changing)
    write_model(small(1), changing)
    with pytest.raises(
        HoloError, match=r"a worker loads one with the digest .*; it must be the one that the run"
    ):
        list(results)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a scheduler with two worker processes, which are started anew when they are killed."""
    pytest.importorskip("distributed")
    folder = tmp_path_factory.mktemp("cluster")

    def start(kind: str, *arguments: str) -> "subprocess.Popen[bytes]":
        with (folder / f"{kind}.log").open("a") as log:
            whole = [sys.executable, "-m", f"distributed.cli.dask_{kind}", *arguments, "--no-dashboard"]
            return subprocess.Popen(whole, stdout=log, stderr=log, cwd=folder)

    processes = [start("scheduler", "--host", "127.0.0.1", "--port", "0")]
    try:
        found, limit = None, time.monotonic() + 300
        while found is None and time.monotonic() < limit:
            time.sleep(0.1)
            found = re.search(r"Scheduler at: +(tcp://\S+)", (folder / "scheduler.log").read_text())
        assert found is not None
        processes.append(start("worker", found.group(1), "--nworkers", "2", "--host", "127.0.0.1"))
        from distributed import Client

        with Client(found.group(1), set_as_default=False) as client:
            client.wait_for_workers(2, timeout=300)
        yield found.group(1)
    finally:
        for process in reversed(processes):
            process.send_signal(signal.SIGTERM)
        for process in processes:
            process.wait(timeout=300)


@pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")
def test_a_cluster_one_of_whose_workers_is_killed_gives_the_same(
    cluster: str, model: Path, alone: Embeddings
) -> None:
    from distributed import Client

    with Client(cluster, set_as_default=False) as client:
        first = min(client.run(os.getpid).values())
    parts = []
    for result in embed_structures(PATHS, model, scheduler=cluster):
        if not parts:
            os.kill(first, signal.SIGKILL)
        assert result.embeddings is not None
        parts.append(result.embeddings)
    with Client(
        cluster, set_as_default=False
    ) as client:  # whoever ends it while it starts a worker waits for ever
        client.wait_for_workers(2, timeout=300)
    for name in ("invariants", "frames", "reconstruction_cosine_loss"):
        joined = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_array_equal(joined, getattr(alone, name))
