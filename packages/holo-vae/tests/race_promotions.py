"""Run two promotions at once, 200 times: the better model must win, and the other promotion must be told so.

Run it with ``python packages/holo-vae/tests/race_promotions.py [RACES]``; it prints one line. Two processes promote a
good version and a worse one for an alias that a third version has; each race begins when both are ready.
"""

import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections import Counter
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import mlflow
import torch

import holo_types
from holo_types import HoloError, Holograms
from holo_vae import Model, Recipe, load
from holo_vae.data.batches import open_rows
from holo_vae.data.opening import RunData
from holo_vae.networks.network import HolographicAutoencoder
from holo_vae.networks.registry import Registered
from holo_vae.networks.storage import write_model
from holo_vae.promotion import promotions
from holo_vae.promotion.checks import Contender
from holo_vae.promotion.gate import Verdict
from holo_vae.promotion.promotions import promote
from holo_vae.tracking import run as tracking, store as tracking_store

GOLDEN = Path(__file__).parent / "golden" / "regression"
OLD, BETTER, WORSE = "1", "2", "3"


def spoilt(model: Model, by: float) -> Model:
    """Return a model whose decoder's weights are off by a part of their deviation."""
    network = HolographicAutoencoder(model.config)
    network.load_state_dict(model.network.state_dict())
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weights in network.decoder.parameters():
            weights.add_(torch.randn(weights.shape, generator=generator) * by * weights.std(unbiased=False))
    return Model(network.eval(), "spoilt")


def make_registry(folder: Path) -> str:
    """Register three versions: a champion, a better one, and one between the two."""
    store = f"sqlite:///{folder / 'registry.db'}"
    tracking_store._make_database(store)
    os.environ["MLFLOW_TRACKING_URI"] = store
    rows = holo_types.load(GOLDEN / "holograms.h5", kind=Holograms)
    others = Holograms(rows.coefficients + 1, rows.basis, {"structure": ["elsewhere"] * len(rows)})
    good = load(GOLDEN / "model", Model)
    data = RunData(open_rows(others, shuffle_rows=100), open_rows(rows, shuffle_rows=100))
    with tracking.start_run(folder, "small", Recipe(model=good.config), data) as run:
        for model in (spoilt(good, 0.1), good, spoilt(good, 0.05)):
            write_model(model, folder / "model")
            run.log_model(model, folder / "model", rows)
            run.register("small")
    return store


def keep_what_is_known() -> None:
    """Load each version once, and let the gate judge each pair once, since it would always say the same."""
    module: Any = promotions
    of, judge = Contender.of, module.judge
    loaded: dict[str, Contender] = {}
    judged: dict[tuple[str, str | None], Verdict] = {}

    class Known:
        @staticmethod
        def of(registered: Registered) -> Contender:
            if registered.version not in loaded:
                loaded[registered.version] = of(registered)
            return loaded[registered.version]

    def verdict(candidate: Contender, champion: Contender | None, **how: object) -> Verdict:
        pair = candidate.uri, None if champion is None else champion.uri
        if pair not in judged:
            judged[pair] = judge(candidate, champion)
        return judged[pair]

    module.Contender = Known
    module.judge = verdict


def racer(version: str, store: str, start: Barrier, answers: Connection, seed: int) -> None:
    """Promote a version whenever a race starts, after a random moment."""
    mlflow.set_tracking_uri(store)
    torch.set_num_threads(1)
    keep_what_is_known()
    chance = random.Random(seed)
    while True:
        start.wait()
        time.sleep(chance.uniform(0, 0.1))
        try:
            promote("small", version, store=store)
        except HoloError as error:
            answers.send(str(error))
        else:
            answers.send("promoted")


def main(races: int) -> int:
    """Race, count the outcomes, and print them."""
    with tempfile.TemporaryDirectory() as folder:
        store = make_registry(Path(folder))
        client = mlflow.MlflowClient(store)
        start = multiprocessing.Barrier(3)
        pairs = [multiprocessing.Pipe() for _ in range(2)]
        for number, version in enumerate((BETTER, WORSE)):
            process = multiprocessing.Process(
                target=racer, args=(version, store, start, pairs[number][1], number), daemon=True
            )
            process.start()
        ends: Counter[str] = Counter()
        for number in range(races):
            if number % 20 == 0:
                sys.stderr.write(f"race {number}: {dict(ends)}\n")
            client.set_registered_model_alias("small", "champion", OLD)
            start.wait()
            better, worse = pairs[0][0].recv(), pairs[1][0].recv()
            now = str(client.get_model_version_by_alias("small", "champion").version)
            told = (
                "overtaken"
                if "promoted at the same time" in worse
                else "refused"
                if "refused" in worse
                else worse
            )
            ends[f"version {now} stands, the better one is {better[:40]}, the worse one {told[:60]}"] += 1
        fine = {end for end in ends if end.startswith(f"version {BETTER} stands, the better one is promoted")}
        for end, count in ends.most_common():
            sys.stdout.write(f"{count} of {races}: {end}\n")
        return 0 if set(ends) == fine and not any(end.endswith("one promoted") for end in ends) else 1


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200))
