"""The promotion gate on a real registry: what passes, and what each check refuses."""

import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import mlflow
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import holo_types
import holo_vae.networks.storage
from holo_types import Basis, HoloError, Holograms
from holo_vae import Model, ModelConfig, Recipe, load
from holo_vae.cli.program import main
from holo_vae.data.batches import open_rows
from holo_vae.data.opening import RunData
from holo_vae.networks.network import HolographicAutoencoder
from holo_vae.networks.storage import write_model
from holo_vae.promotion.checks import compare_losses
from holo_vae.promotion.history import Event
from holo_vae.promotion.promotions import PromotionRefused, promote
from holo_vae.promotion.rollbacks import promotion_history, rollback, version_before
from holo_vae.tracking import run as tracking, store as tracking_store
from holo_vae.tracking.training_record import TRAINED, read_training_record

GOLDEN = Path(__file__).parent / "golden" / "regression"


def _untrained(basis: Basis) -> Model:
    config = ModelConfig(basis=basis, latent_dim=4, lmax=(2, 1), channels=(6, 6), initial_projection=6)
    torch.manual_seed(0)
    return Model(HolographicAutoencoder(config).eval(), "untrained")


def _worse(model: Model) -> Model:
    """Return a model with weights of the decoder that are a little off."""
    network = HolographicAutoencoder(model.config)
    network.load_state_dict(model.network.state_dict())
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weights in network.decoder.parameters():
            weights.add_(torch.randn(weights.shape, generator=generator) * 0.05 * weights.std(unbiased=False))
    return Model(network.eval(), "worse")


def _times_ten(model: Model) -> Model:
    """Return a model whose decoder makes everything ten times as large, which the cosine loss does not detect."""
    network = HolographicAutoencoder(model.config)
    network.load_state_dict(model.network.state_dict())
    with torch.no_grad():
        for weights in network.final_projection.parameters():
            weights.mul_(10)
    return Model(network.eval(), "times ten")


@pytest.fixture(scope="module")
def rows() -> Holograms:
    rows = holo_types.load(GOLDEN / "holograms.h5")
    assert isinstance(rows, Holograms)
    return rows


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory, rows: Holograms) -> Iterator[dict[str, str]]:
    """Register a trained model and others, and give each one's version."""
    folder = tmp_path_factory.mktemp("registry")
    good = load(GOLDEN / "model")
    assert isinstance(good, Model)
    other = Holograms(rows.coefficients, attrs.evolve(rows.basis, channels=("C", "N", "O", "P")))
    models = {
        "good": (good, rows),
        "worse": (_worse(good), rows[:7]),
        "another basis": (_untrained(other.basis), other),
        "untrained": (_untrained(rows.basis), rows),
        "times ten": (_times_ten(good), rows),
    }
    others = Holograms(rows.coefficients + 1, rows.basis, {"structure": ["elsewhere"] * len(rows)})
    found: dict[str, str] = {}

    def log(trained: Holograms, models: dict[str, tuple[Model, Holograms | None]]) -> None:
        data = RunData(open_rows(trained, shuffle_rows=100), open_rows(rows, shuffle_rows=100))
        with tracking.start_run(folder, "small", Recipe(model=good.config), data) as run:
            for name, (model, recorded) in models.items():
                write_model(model, folder / "model")
                run.log_model(model, folder / "model", recorded)
                found[name] = str(run.register("small"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'registry.db'}")
        tracking_store._make_database(os.environ["MLFLOW_TRACKING_URI"])
        log(others, models)
        # A run logs a model once, and registers it once.
        log(others, {"the same": (good, rows[:7])})
        log(others, {"without rows": (good, None)})
        log(others, {"silent": (good, rows)})
        structures = Holograms(rows.coefficients[:3] + 1, rows.basis, rows[:3].index)
        log(structures, {"of its structures": (good, rows)})
        log(Holograms(rows.coefficients[:3], rows.basis), {"of its rows": (good, rows)})
        (_location(found["silent"]) / TRAINED).unlink()  # as a holo-vae before this one logged models
        yield found
    mlflow.set_tracking_uri(None)
    os.environ.pop("MLFLOW_TRACKING_URI", None)


def _location(version: str) -> Path:
    return Path(mlflow.artifacts.download_artifacts(f"models:/small/{version}"))


@pytest.fixture(autouse=True)
def champion(versions: dict[str, str]) -> None:
    """Make the good model the champion, whatever an earlier test has moved."""
    client = mlflow.MlflowClient()
    client.set_registered_model_alias("small", "champion", versions["good"])
    model = client.get_registered_model("small")
    if "first" in model.aliases:
        client.delete_registered_model_alias("small", "first")
    for key in model.tags:
        client.delete_registered_model_tag("small", key)


def tags(version: str) -> dict[str, str]:
    found = mlflow.MlflowClient().get_model_version("small", version).tags
    return {key.removeprefix("promotion."): value for key, value in found.items()}


def assert_refused(version: str, words: str, alias: str = "champion") -> dict[str, str]:
    client = mlflow.MlflowClient()
    before = client.get_registered_model("small").aliases
    with pytest.raises(PromotionRefused, match=words) as caught:
        promote("small", version, alias)
    assert "\n" not in str(caught.value)
    assert client.get_registered_model("small").aliases == before
    written = tags(version)
    assert (written["verdict"], written["alias"]) == ("refused", alias)
    return written


def test_a_worse_model_is_refused_on_the_champions_rows(versions, rows: Holograms) -> None:
    written = assert_refused(
        versions["worse"], "reconstruction is a mean cosine loss of .* must be at most 1.02"
    )
    assert written["rows"] == str(len(rows))  # not the seven that it brought
    assert written["previous"] == versions["good"]
    assert written["reconstruction"].startswith("failed: ")
    assert written["equivariance_invariants"].startswith("held: ")
    assert written["basis"].startswith("held: ")


def test_another_basis_is_refused(versions) -> None:
    written = assert_refused(
        versions["another basis"], r"basis is channels \['C', 'N', 'O', 'P'\], it must be"
    )
    assert "reconstruction" not in written


@pytest.fixture
def forget_coefficients() -> Iterator[Callable[[], None]]:
    """Return a function that clears the coefficients cached by holo-nn, which is also called after the test."""

    def forget() -> None:
        for name, module in list(sys.modules.items()):
            if name.startswith("holo_nn."):
                for value in vars(module).values():
                    if hasattr(value, "cache_clear"):
                        value.cache_clear()

    yield forget
    forget()


def test_a_model_that_is_not_equivariant_is_refused(
    versions, forget_coefficients: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    # One sign of one Clebsch-Gordan coefficient, behind the back of the digest by which a model is loaded.
    module = importlib.import_module("holo_nn.so3.clebsch_gordan")
    coefficients, digest = module._coefficients, holo_vae.networks.storage.clebsch_gordan_digest()

    def flipped(*degrees: int) -> torch.Tensor:
        values: torch.Tensor = coefficients(*degrees).clone()
        if degrees == (1, 1, 2):
            values[tuple(values.nonzero()[-1])] *= -1
        return values

    monkeypatch.setattr(holo_vae.networks.storage, "clebsch_gordan_digest", lambda: digest)
    monkeypatch.setattr(module, "_coefficients", flipped)
    forget_coefficients()
    written = assert_refused(
        versions["the same"], r"equivariance_invariants is .*e-0[1-4], it must be at most 1e-05"
    )
    assert written["equivariance_invariants"].startswith("failed: ")
    assert written["equivariance_frame_p99"].startswith("failed: ")


def test_a_model_that_is_as_good_is_promoted(versions, rows: Holograms) -> None:
    done = promote("small", versions["the same"])
    assert (done.previous, done.rows) == (versions["good"], len(rows))
    assert all(check.held for check in done.checks)
    assert load("models:/small@champion").version == versions["the same"]
    written = tags(versions["the same"])
    assert (written["verdict"], written["previous"]) == ("promoted", versions["good"])
    assert "0.1973 beside 0.1973, at most 1.000 times" in written["reconstruction"]
    with pytest.raises(HoloError, match="already"):
        promote("small", versions["the same"])


def test_a_first_model_must_be_better_than_the_mean_hologram(versions) -> None:
    assert_refused(versions["untrained"], "reconstruction is .*, it must be under 0.4064", alias="first")
    done = promote("small", versions["good"], "first")
    assert done.previous is None
    assert tags(versions["good"])["previous"] == "none"
    with pytest.raises(HoloError, match="already"):
        promote("small", versions["good"], "first")


def test_what_cannot_be_measured_is_named(versions) -> None:
    with pytest.raises(HoloError, match="no validation rows"):
        promote("small", versions["without rows"], "first")
    with pytest.raises(HoloError, match="models:/nobody"):
        promote("nobody", "1")
    with pytest.raises(HoloError, match="models:/small/99"):
        promote("small", "99")
    for version in ("latest", "02", "-1", "1.0", ""):
        with pytest.raises(HoloError, match=rf"the version is '{version}'; it must be a number, such as 3"):
            promote("small", version)
    with pytest.raises(HoloError, match="models:/small/latest: the version is 'latest'"):
        load("models:/small/latest")
    for alias in ("latest", "v2", "the best", ""):
        with pytest.raises(HoloError, match=rf"the alias is '{alias}'; it must be letters"):
            promote("small", versions["good"], alias)


def test_a_model_that_was_trained_on_the_rows_is_refused(versions, rows: Holograms) -> None:
    seen = sum(np.isin(rows.index["structure"], rows.index["structure"][:3]))
    assert_refused(
        versions["of its structures"],
        rf"unseen is {seen} of 60 rows were used to train models:/small/\d+, it must be none; .*--gate-data",
    )
    assert_refused(versions["of its rows"], r"unseen is 3 of 60 rows were used to train")
    # Nor does a champion measure others on what it has learned itself.
    mlflow.MlflowClient().set_registered_model_alias("small", "champion", versions["of its rows"])
    assert_refused(
        versions["the same"], rf"3 of 60 rows were used to train models:/small/{versions['of its rows']}"
    )


def test_a_model_that_does_not_say_what_it_was_trained_on_is_refused(versions) -> None:
    silent = f"training_record is none with models:/small/{versions['silent']}, it must be with every model"
    assert_refused(versions["silent"], silent)
    mlflow.MlflowClient().set_registered_model_alias("small", "champion", versions["silent"])
    assert_refused(versions["the same"], silent)


def test_a_decoder_times_ten_is_refused(versions) -> None:
    written = assert_refused(
        versions["times ten"], "squared_error is a mean squared error of .* at most 1.02"
    )
    assert written["reconstruction"].startswith("held: ")
    written = assert_refused(versions["times ten"], "squared_error is .*, the mean hologram's", alias="first")
    assert written["reconstruction"].startswith("held: ")


def test_a_dry_run_writes_nothing(versions) -> None:
    client = mlflow.MlflowClient()

    def state() -> list[object]:
        model = client.get_registered_model("small")
        return [model.aliases, model.tags, *(tags(version) for version in versions.values())]

    before = state()
    done = promote("small", versions["the same"], dry_run=True)
    assert (done.previous, done.version) == (versions["good"], versions["the same"])
    with pytest.raises(PromotionRefused, match="reconstruction"):
        promote("small", versions["worse"], dry_run=True)
    assert state() == before


def test_a_rollback_goes_back_and_the_history_keeps_all(versions) -> None:
    client = mlflow.MlflowClient()
    promote("small", versions["good"], "first")
    with pytest.raises(HoloError, match=r"@first is version \d+; its history has none before"):
        rollback("small", "first")
    promote("small", versions["the same"], "first")
    with pytest.raises(PromotionRefused):
        promote("small", versions["worse"], "first")
    event = rollback("small", "first")
    assert (event.version, event.previous) == (versions["good"], versions["the same"])
    assert client.get_model_version_by_alias("small", "first").version == int(versions["good"])
    promote("small", versions["the same"], "first")
    events = promotion_history("small", "first")
    assert [(each.happening, each.version, each.previous) for each in events] == [
        ("promoted", versions["good"], None),
        ("promoted", versions["the same"], versions["good"]),
        ("refused", versions["worse"], versions["the same"]),
        ("rolled back", versions["good"], versions["the same"]),
        ("promoted", versions["the same"], versions["good"]),
    ]
    assert "0.1973 beside 0.1973" in events[1].figures["reconstruction"]
    assert events[2].figures["reconstruction"].startswith("failed: ")
    assert [each.time for each in events] == sorted(each.time for each in events)
    assert promotion_history("small") == ()


def test_the_commands_say_what_they_did(versions, capsys: pytest.CaptureFixture[str]) -> None:
    good, same = versions["good"], versions["the same"]

    def said(*arguments: str) -> list[str]:
        assert main(list(arguments)) == 0
        return capsys.readouterr().out.splitlines()

    would = said("promote", "small", same, "--dry-run")
    assert would[-1] == (
        f"models:/small@champion would be version {same}; it is version {good}, and nothing was changed"
    )
    assert said("history", "small") == ["models:/small@champion has no history"]
    done = said("promote", "small", same)
    assert done[:-1] == would[:-1]  # each check
    assert done[-1] == f"models:/small@champion is version {same} now; it was version {good}"
    assert said("rollback", "small") == [
        f"models:/small@champion is version {good} again; it was version {same}"
    ]
    happened = [line.split()[1:4] for line in said("history", "small") if not line.startswith(" ")]
    assert happened == [["version", same, "promoted,"], ["version", good, "rolled"]]


def test_each_rollback_goes_one_promotion_further_back() -> None:
    def event(happening, version: str, previous: str | None) -> Event:
        return Event(time="", happening=happening, alias="a", version=version, previous=previous, by="")

    first = [event("promoted", "1", None), event("promoted", "2", "1"), event("promoted", "3", "2")]
    assert version_before(first, "3") == "2"
    back = [*first, event("rolled back", "2", "3")]
    assert version_before(back, "2") == "1"
    assert version_before([*back, event("promoted", "4", "2")], "4") == "2"
    assert version_before([*back, event("rolled back", "1", "2")], "1") is None
    # Somebody has moved the alias by hand: what it points at is on no list, what it pointed at last is.
    assert version_before(first, "9") == "3"


def test_another_store_is_asked_than_the_one_of_the_environment(
    versions, rows: Holograms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The weights of one registry would otherwise decide on the aliases of another."""
    store = os.environ["MLFLOW_TRACKING_URI"]
    elsewhere = f"sqlite:///{tmp_path / 'other.db'}"
    tracking_store._make_database(elsewhere)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", elsewhere)
    mlflow.set_tracking_uri(elsewhere)
    try:
        # A model of the same name and version, there: a good one, as it were.
        client = mlflow.MlflowClient(elsewhere)
        client.create_registered_model("small")
        for _ in versions:
            client.create_model_version("small", _uri(store, versions["good"]))
        with pytest.raises(PromotionRefused, match="reconstruction"):
            promote("small", versions["worse"], store=store)
        assert promote("small", versions["the same"], store=store).previous == versions["good"]
        assert client.get_registered_model("small").aliases == {}
    finally:
        mlflow.set_tracking_uri(store)


def _uri(store: str, version: str) -> str:
    uri: str = mlflow.MlflowClient(store).get_model_version_download_uri("small", version)
    return uri


def test_what_a_model_was_trained_on_is_logged_with_it(versions) -> None:
    record = read_training_record(_location(versions["good"]) / TRAINED)
    assert (record.groups, record.rows, len(record.digests)) == ({"structure": ("elsewhere",)}, 60, 60)


def test_the_bound_is_where_it_says() -> None:
    champion = np.random.default_rng(0).uniform(0.02, 0.2, size=400)

    def held(candidate: NDArray[np.float64], beside: NDArray[np.float64]) -> bool:
        return compare_losses("reconstruction", "cosine loss", candidate, beside).held

    assert held(champion * 1.019, champion)
    assert not held(champion * 1.021, champion)
    noisy = np.sort(champion) * np.where(np.arange(400) % 2, 0.5, 1.5)
    assert not held(noisy, np.sort(champion))  # may be as good, which 400 rows do not show
    assert not held(champion * np.nan, champion)


LOADED = """
import sys
import mlflow, pandas as pd
import holo_vae
from holo_vae.serving import service as serving
version = sys.argv[1]
model = holo_vae.load("models:/small/" + version)
served = mlflow.pyfunc.load_model("models:/small/" + version)
answer = served.predict(serving.input_example(model))
assert type(served.unwrap_python_model()) is holo_vae.Model
print(model.digest, len(answer), served.unwrap_python_model().digest)
"""


def test_models_load_where_pickle_is_forbidden(versions) -> None:
    folder = Path(mlflow.artifacts.download_artifacts(f"models:/small/{versions['good']}"))
    kinds = {path.suffix for path in folder.rglob("*") if path.is_file()}
    assert kinds <= {".json", ".yaml", ".txt", ".safetensors", ".h5", ".md", ".whl", ""}
    done = subprocess.run(
        [sys.executable, "-c", LOADED, versions["good"]],
        env={**os.environ, "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    digest, count, unwrapped = done.stdout.split()
    assert digest == unwrapped == load(GOLDEN / "model").digest
    assert int(count) > 0
