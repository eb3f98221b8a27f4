"""Training by two processes, as torchrun starts them, beside one; and what happens when a process is lost."""

import os
import re
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from holo_types import Basis, HoloError, Holograms, PointClouds, Zernike
from holo_vae import Condition, ModelConfig, Recipe, TrainingConfig, ViewsConfig, initial_model, open_rows
from holo_vae.data.clusters import ClusterColumns
from holo_vae.data.encoded_clouds import EncodedClouds
from holo_vae.data.precision import weights_dtype
from holo_vae.training.distributed import ALONE, Processes
from holo_vae.training.engine import train

BASIS = Basis(lmax=2, radial=Zernike(nmax=4, cutoff=10.0), channels=("C", "N"))
TWINS = 40  # rows of a structure that another of its family has again: an epoch takes as many of the two
ROWS = 134  # ten batches an epoch, of 13 and 14: uneven among them, and among the processes
CASES = {
    "an H-VAE": {"model": {"variational": True}},
    "averaged, denoising": {
        "model": {"channel_rule": "full"},
        "training": {"masking": 0.3, "ema_decay": 0.9, "optimizer": "adamw", "weight_decay": 0.01},
    },
    "masked H-VAE in float32": {
        "model": {"variational": True},
        "training": {"masking": 0.3, "precision": "float32"},
    },
    "a sample of each cluster, by Muon": {
        "model": {},
        "training": {"cluster_column": "family", "optimizer": "muon"},
    },
    "views, pairs and a head": {
        "model": {"heads": (Condition(column="kind", categories=(0, 1)),)},
        "views": {"noise": 0.2, "without_own_atoms": 0.4, "invariance": 1.0, "variance": 2.0}
        | {"covariance": 0.5, "pairs": 5},
    },
}
TOLERANCES = {"float64": 1e-10, "float32": 1e-5}


def recipe(name):
    case = CASES[name]
    # As many channels in each block: of one that a skip cuts, a bias before a batch norm has no gradient but
    # rounding, of which Adam in float32 makes steps.
    model = {"latent_dim": 5, "lmax": (2, 1), "channels": (6, 6), "initial_projection": 6} | case["model"]
    training = {"kl_weight": 0.1, "precision": "float64", "warmup_steps": 4} | case.get("training", {})
    return Recipe(
        model=ModelConfig(basis=BASIS, **model),
        training=TrainingConfig(epochs=2, batch_size=14, **training),
        views=ViewsConfig(**case["views"]) if "views" in case else None,
    )


def random_clouds(index):
    """Ten points a row, of which three are the residue's own; rows of one remainder by seven are alike."""
    rows = len(index["structure"])
    generator = np.random.default_rng(1)
    return PointClouds(
        generator.normal(scale=4, size=(10 * rows, 3)).astype(np.float32),
        np.eye(2, dtype=np.float32)[generator.integers(2, size=10 * rows)],
        10 * np.arange(rows + 1),
        ("C", "N"),
        {**index, "kind": np.arange(rows) % 3, "alike": np.arange(rows) % 7},
        point_columns={"own": np.tile([0, 0, 1, 2, 2, 0, 0, 0, 0, 0], rows)},
    )


def trained(name, processes, state):
    """Train for two epochs of ten steps; return the kept weights, and the records of steps and epochs."""
    chosen = recipe(name)
    family = chosen.training.cluster_column
    count = ROWS if family is None else ROWS + TWINS
    row = np.arange(count + 25)
    coefficients = np.random.default_rng(0).normal(size=(len(row), BASIS.dim))
    index = {
        "structure": np.where(row < 2 * TWINS, row // TWINS, row),
        "family": np.where(row < 2 * TWINS, 0, row),
    }
    data, dtype = Holograms(coefficients, BASIS, index), weights_dtype(chosen.training.precision)
    if chosen.views is not None:
        data = EncodedClouds(random_clouds(index), BASIS, chosen.views)
    pairs, heads = 0 if chosen.views is None else chosen.views.pairs, chosen.model.heads
    clusters = None if family is None else ClusterColumns(family, "structure")
    training = open_rows(
        data, rows=row[:count], shuffle_rows=1000, dtype=dtype, clusters=clusters, heads=heads
    )
    validation = open_rows(data, rows=row[count:], shuffle_rows=1000, dtype=dtype)
    assert (training.epoch_rows, len(training)) == (ROWS, count)
    network = initial_model(chosen, 3.0, "small").network
    with torch.no_grad():  # only the first process's weights count
        network.mean.weight.add_(processes.rank)
    steps = []
    epochs = list(
        train(network, training, validation, chosen, processes=processes, state=state, on_step=steps.append)
    )
    assert len(steps) == 20
    assert {step.samples for step in steps} == {13 + pairs, 14 + pairs}
    figures = [[step.loss, step.gradient_norm] for step in steps]
    figures += [[epoch.loss, epoch.validation_loss] for epoch in epochs]
    return network.state_dict() | {"figures": torch.tensor(figures, dtype=torch.float64)}


def worker(folder):
    processes = Processes.from_environment()
    with processes.joined(timedelta(seconds=120)):
        for name in CASES:
            found = trained(name, processes, folder / name)
            save_file(found, folder / f"{name} {processes.rank}.safetensors")
        processes.wait()
        try:
            processes.check_same(processes.rank % 2, "the step")
        except HoloError as error:
            (folder / f"refused {processes.rank}").write_text(str(error))


# One of two processes, of which the second is lost as its argument says.
LOSER = """
import os, sys, time
from datetime import timedelta
import torch
from holo_vae.training.distributed import Processes

processes = Processes.from_environment()
with processes.joined(timedelta(seconds=10)):
    if processes.first:
        processes.sum_gradients(torch.ones(6))
    elif sys.argv[1] == "killed":
        os._exit(9)
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*launcher, __file__, str(folder)], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("name", list(CASES))
def test_two_processes_train_what_one_does(two_processes, tmp_path, name):
    alone = trained(name, ALONE, tmp_path)
    first, second = (load_file(two_processes / f"{name} {rank}.safetensors") for rank in range(2))
    for quantity, tensor in first.items():
        assert torch.equal(tensor, second[quantity]), quantity
    # After step 20: weights, statistics, averages, the optimizer's moments, the best weights.
    found, expected = (
        load_file(folder / "state-20.safetensors") for folder in (two_processes / name, tmp_path)
    )
    found, expected = found | first, expected | alone
    assert found.keys() == expected.keys()
    tolerance = TOLERANCES[recipe(name).training.precision]
    for quantity, tensor in expected.items():
        scale = max(float(tensor.abs().max()), 1.0)
        torch.testing.assert_close(
            found[quantity] / scale,
            tensor / scale,
            rtol=0,
            atol=tolerance,
            msg=lambda text, quantity=quantity: f"{quantity}: {text}",
        )
    start = initial_model(recipe(name), 3.0, "small").network.state_dict()
    for quantity in ("encoder.0.linear.weights.1", "mean.weight", "decoder.1.linear.weights.0"):
        assert (expected[f"network/{quantity}"] - start[quantity]).abs().max() > 1e-3, quantity


def test_only_the_first_process_writes_the_state(two_processes):
    for name in CASES:
        found = sorted(path.name for path in (two_processes / name).iterdir())
        assert found == ["state-20.safetensors", "state.json"]


def test_what_differs_between_processes_is_refused_by_all(two_processes):
    for rank in range(2):
        message = (two_processes / f"refused {rank}").read_text()
        assert re.match(
            rf"the step differs between the 2 processes \(it is {rank} in process {rank}\)", message
        )


@pytest.mark.parametrize("way", ["killed", "stuck"])
def test_a_lost_process_is_one_clear_error_of_the_other(way):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    pair = [
        subprocess.Popen(
            [sys.executable, "-c", LOSER, way],
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ
            | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
            | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in range(2)
    ]
    try:
        _, message = pair[0].communicate(timeout=300)  # before the ten minutes that the stuck one sleeps
    finally:
        for process in pair:
            process.kill()
            process.communicate()
    assert pair[0].returncode == 1
    # torch sets the rank before each line.
    assert message.strip().splitlines()[-1].removeprefix("[rank0]: ") == (
        "holo_types.errors.HoloError: process 0 of 2 lost another, which ended or did not respond for 10 s; "
        "the output of that process says what went wrong"
    )


def test_errors_of_ones_own_are_not_taken_for_a_lost_process(monkeypatch):
    for name, value in {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    with (
        pytest.raises(RuntimeError, match="shapes cannot be multiplied"),
        Processes.from_environment().joined(),
    ):
        torch.ones(2, 3) @ torch.ones(2, 3)


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"WORLD_SIZE": "2", "LOCAL_RANK": "0"}, "RANK is None; it must be an integer"),
        ({"WORLD_SIZE": "two", "RANK": "0", "LOCAL_RANK": "0"}, "WORLD_SIZE is 'two'; it must be"),
        ({"WORLD_SIZE": "2", "RANK": "2", "LOCAL_RANK": "0"}, "RANK is 2; it must be below WORLD_SIZE, 2"),
    ],
)
def test_an_environment_that_torchrun_did_not_set(monkeypatch, environment, message):
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    assert Processes.from_environment() == ALONE
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(HoloError, match=message):
        Processes.from_environment()


def test_each_process_of_a_machine_has_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for name, value in {"WORLD_SIZE": "4", "RANK": "3", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    assert Processes.from_environment("cuda") == Processes(3, 4, "cuda:1")
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(HoloError, match="process 2 of this machine has no GPU: there are 2"):
        Processes.from_environment("cuda")


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_parts_are_those_that_tensors_are_split_into(count):
    for samples in (7, 8, 100):
        expected = torch.arange(samples).tensor_split(count)
        for rank, part in enumerate(expected):
            assert torch.equal(torch.arange(samples)[Processes(rank, count).part(samples)], part)
    with pytest.raises(HoloError, match="a batch of 6 is too small for 7 processes"):
        Processes(0, 7).part(6)


if __name__ == "__main__":
    worker(Path(sys.argv[1]))
