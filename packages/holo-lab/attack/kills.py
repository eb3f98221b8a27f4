"""Commands that are killed at any moment and go on, compared with what they make undisturbed."""

import csv
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import attrs
import mlflow
import numpy as np
from processes import OTHER, UNFORESEEN, Outcome
from values import said

import holo_types
import holo_vae
from holo_downstream import (
    CrossFitSettings,
    cross_fit,
    read_complex_predictor,
    read_labels,
    read_predictor,
    read_stability_predictor,
    write_complex_predictor,
)
from holo_downstream.affinity.regressors import Ensemble, HistogramBoosting, SupportVectors
from holo_features import STANDARD_AMINO_ACIDS, all_mutations, read_structure
from holo_features.datasets import example_structures
from holo_lab.affinity.blocks import DEFAULT_FEATURES
from holo_lab.affinity.folders import find_bound, folder_features
from holo_lab.mutations.learning import PREDICTOR_FILE, describe_table, learn, write_study
from holo_lab.mutations.tables import read_mutations
from holo_types import Basis, Embeddings, Holograms, ModelReference, NamedArrays, Zernike
from holo_types.files.parquet_files import read_parquet
from holo_vae import ModelConfig, Recipe, TrainingConfig
from holo_vae.networks.storage import write_model
from holo_vae.recipes.model import Condition
from holo_vae.recipes.recipe import write_recipe

__all__ = ["COMMANDS", "Command", "kills"]

ORPHAN, LEFT = "a process is left", "an unfinished file is left"
RESUMED, WHOLE = "the same after a kill", "killed too late"

SECONDS = 900.0  # that a run may take; some are usual
_SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
# How a run ends that is told to: with Holo's own status, or, before it has begun, by the signal itself.
_ENDS = {
    signal.SIGKILL: {-signal.SIGKILL},
    signal.SIGTERM: {143, -signal.SIGTERM},
    signal.SIGINT: {130, -signal.SIGINT},
}
_LATE = -1000  # a status that no process has
_MARK = "HOLO_ATTACK"  # the variable by which all processes of a run are known
_TIMES = ("seconds", "samples_per_second")
_UNFINISHED = (".tmp", ".lock", ".journal", ".rest.h5")
_BASIS = Basis(lmax=2, radial=Zernike(nmax=4, cutoff=8.0), channels=("C", "N", "O", "S"))
_COMPLEXES = Path(__file__).resolve().parents[2] / "holo-features" / "tests" / "golden" / "complexes"
_MUTATED = example_structures()[:3]


@attrs.frozen
class Command:
    """A long command.

    Parameters
    ----------
    name
        What it is called on the command line of `attack.py`.
    arguments
        The package, its command and options; INPUTS is the folder of `prepare`.
    again
        What is added when it goes on.
    made
        Called with the folder: all that the command has made, but ids and times, to be compared.
    over
        Called with the folder: whether there is nothing left to go on with, so that the command would refuse.
    """

    name: str
    arguments: tuple[str, ...]
    again: tuple[str, ...]
    made: Callable[[Path], Any]
    over: Callable[[Path], bool] = lambda _: False


@attrs.frozen
class _End:
    """How a run ended: the status as Python gives it, the end of its standard error, and whether a process is left."""

    status: int
    errors: str
    seconds: float
    left: bool = False


def prepare(inputs: Path) -> None:
    """Write what the commands read: rows, a recipe, models, embeddings, tables, complexes and predictors."""
    random = np.random.default_rng(0)
    rows = random.normal(size=(200, _BASIS.dim)).astype(np.float32)
    structures = {"structure": [f"{row // 10}abc" for row in range(len(rows))]}
    holo_types.save(Holograms(rows, _BASIS, structures), inputs / "rows.h5")
    residues = {
        **structures,
        "chain": ["A"] * len(rows),
        "residue_number": np.arange(len(rows)),
        "insertion_code": [""] * len(rows),
        "residue_name": ["ALA"] * len(rows),
    }
    frames, made_by = np.tile(np.eye(3), (len(rows), 1, 1)), ModelReference("attacked", "1", "", "")
    embeddings = Embeddings(
        rows[:, :8], frames, made_by, residues, centers=random.uniform(0, 20, (len(rows), 3))
    )
    holo_types.save(embeddings, inputs / "embeddings.h5")
    config = ModelConfig(basis=_BASIS, latent_dim=4, lmax=(2, 1), channels=(6, 8), initial_projection=6)
    recipe = Recipe(model=config, training=TrainingConfig(epochs=6, batch_size=10, checkpoint_minutes=0.0))
    write_recipe(recipe, inputs / "recipe.yaml")
    write_model(holo_vae.initial_model(recipe, 1.0, "attacked"), inputs / "model")
    vectors = random.normal(size=(80, 3))
    names = [f"{number}abc" for number in range(len(vectors))]
    np.savez(inputs / "vectors.npz", id=np.array(names), vectors=vectors)
    labels = [f"{name},{5 + x},{name}" for name, x in zip(names, vectors[:, 0].tolist(), strict=True)]
    _write_csv(inputs / "labels.csv", ["id,label,cluster", *labels])
    _prepare_complexes(inputs / "complexes", inputs / "affinity")
    naming = attrs.evolve(config, heads=(Condition(column="residue_name", categories=STANDARD_AMINO_ACIDS),))
    filling = holo_vae.initial_model(attrs.evolve(recipe, model=naming), 1.0, "filling")
    write_model(filling, inputs / "filling")
    _prepare_mutations(inputs)
    holo_types.save(holo_vae.embed(_MUTATED, inputs / "model"), inputs / "residues.h5")


def _write_csv(path: Path, lines: Sequence[str]) -> None:
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")


def _prepare_complexes(folder: Path, predictor: Path) -> None:
    """Write twelve complexes, three ligands of one protein again and again, and a small predictor of them."""
    folder.mkdir()
    blocks = (_COMPLEXES / "ligands.sdf").read_text("utf-8").split("$$$$\n")[:3]
    (folder / "ligands.sdf").write_text("".join(f"{block}$$$$\n" for block in blocks), encoding="utf-8")
    (folder / "thrombin.pdb").write_bytes((_COMPLEXES / "thrombin.pdb").read_bytes())
    names = [block.partition("\n")[0].strip() for block in blocks]
    rows = [
        f"c{number},thrombin.pdb,ligands.sdf,{names[number % 3]},{5 + number % 3 + 0.1 * number:.1f},{number // 2}"
        for number in range(12)
    ]
    _write_csv(folder / "labels.csv", ["id,protein,ligand,molecule,label,cluster", *rows])
    features = folder_features(find_bound(folder / "labels.csv"), DEFAULT_FEATURES).table
    small = Ensemble((HistogramBoosting(4, 4, 2, 0.1, 1.0, 1.0), SupportVectors(2.0, 0.1, 0.3, 0.01)))
    labels = read_labels(folder / "labels.csv").complexes
    fitted = cross_fit(features, labels, CrossFitSettings(small), blocks=DEFAULT_FEATURES)
    write_complex_predictor(fitted.predictor, predictor)


def _prepare_mutations(inputs: Path) -> None:
    """Write a table of mutations that cost what chance says, and a predictor that has learned from it."""
    random, rows = np.random.default_rng(0), []
    for path in _MUTATED:
        mutations = all_mutations(read_structure(path))
        for number in random.choice(len(mutations), 40, replace=False).tolist():
            one = mutations[number]
            place = f"{one.residue.residue_number}{one.residue.insertion_code}"
            cost = f"{random.normal() - 1:.2f}"
            cells = (path.name, one.residue.chain, place, one.wild_type or "", one.mutant, cost, path.name)
            rows.append(",".join(cells))
    _write_csv(inputs / "mutations.csv", ["file,chain,residue,wild_type,mutant,ddg,family", *rows])
    table, model = read_mutations(inputs / "mutations.csv", measured=True), holo_vae.load(inputs / "filling")
    described = describe_table(_MUTATED[0].parent, table, model)
    study = learn(described, table, (str(inputs / "filling"), model.digest), folds=3)
    write_study(study, inputs / "stability")


def kills(command: Command, count: int, seed: int, inputs: Path) -> Iterator[Outcome]:
    """Kill a command so many times, each run as often as chance wants before it may end; give what came of each.

    Parameters
    ----------
    command
        Which.
    count
        How many kills.
    seed
        Decides when, and the signals come in turn.
    inputs
        From `prepare`.
    """
    random = Random(f"{command.name} {seed}")
    with tempfile.TemporaryDirectory(prefix="kills-") as name:
        whole = _run(command, inputs, Path(name))
        assert whole.status == 0, whole
        expected, seconds = command.made(Path(name)), whole.seconds
    done = 0
    while done < count:
        these = range(done, min(count, done + random.choice((1, 1, 2, 3))))
        plan = [(_SIGNALS[number % len(_SIGNALS)], random.uniform(0, seconds)) for number in these]
        with tempfile.TemporaryDirectory(prefix="kills-") as name:
            started = time.monotonic()
            verdict, detail, ends = _one(command, plan, expected, inputs, Path(name))
        for number, end in zip(these, ends, strict=False):
            late = verdict == RESUMED and end.status == 0
            yield Outcome(number, WHOLE if late else verdict, detail, time.monotonic() - started)
        done += max(1, len(ends))
        if ends and ends[0].status == 0:  # the machine is less busy than it was: the next kills are to strike
            seconds = min(seconds, ends[0].seconds)


def _one(
    command: Command, plan: Sequence[tuple[signal.Signals, float]], expected: Any, inputs: Path, folder: Path
) -> tuple[str, str, Sequence[_End]]:
    """Kill a run by a plan, let it end, and compare: a verdict, its reason, and how the killed runs ended."""
    told = ", ".join(f"{number.name} after {after:.2f} s" for number, after in plan)
    ends: list[_End] = []
    for number, after in plan:
        end = _run(command, inputs, folder, again=bool(ends), kill=(number, after))
        ends.append(end)
        if end.left:
            return ORPHAN, told, ends
        if end.status not in _ENDS[number] | {0} or "Traceback" in end.errors:
            return UNFORESEEN, f"{told}: {end}", ends
        if command.over(folder):
            break
    if not command.over(folder):
        end = _run(command, inputs, folder, again=True)
        if end.left or end.status:
            return UNFORESEEN, f"{told}: does not go on: {end}", ends
    unfinished = [path.name for path in folder.rglob("*") if path.name.endswith(_UNFINISHED)]
    if unfinished:
        return LEFT, f"{told}: {unfinished}", ends
    found = command.made(folder)
    if found != expected:
        return OTHER, f"{told}: {_difference(expected, found)}", ends
    return RESUMED, told, ends


def _run(
    command: Command,
    inputs: Path,
    folder: Path,
    *,
    again: bool = False,
    kill: tuple[signal.Signals, float] | None = None,
) -> _End:
    """Run a command in a folder, and end it after some seconds."""
    mark, started = uuid.uuid4().hex, time.monotonic()
    environment = {**os.environ, _MARK: mark}
    environment.pop("MLFLOW_TRACKING_URI", None)
    program = (*command.arguments, *(command.again if again else ()))
    process = subprocess.Popen(
        [sys.executable, "-m", *(argument.replace("INPUTS", str(inputs)) for argument in program)],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        if kill is not None:
            number, after = kill
            _wait(process, after)
            # Ctrl-C goes to all processes of a terminal's group; the others to the one that is named.
            (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
        _, errors = process.communicate(timeout=SECONDS)
        seconds = time.monotonic() - started
        return _End(process.returncode, errors[-1500:], seconds, left=not _nobody(mark))
    except subprocess.TimeoutExpired:
        return _End(_LATE, "it was not over in time", SECONDS)
    finally:
        for each in _marked(mark):
            os.kill(each, signal.SIGKILL)
        process.kill()
        process.wait()


def _wait(process: "subprocess.Popen[str]", seconds: float) -> None:
    """Wait so long, or until the process has ended and is still to be waited for: its number is then nobody else's."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not os.waitid(
        os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT
    ):
        time.sleep(0.01)


def _nobody(mark: str) -> bool:
    """Say whether no process of a run is left, or soon none will be."""
    end = time.monotonic() + 20
    while _marked(mark):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def _marked(mark: str) -> list[int]:
    wanted, found = f"{_MARK}={mark}".encode(), []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if wanted in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
        except OSError:  # it has ended, or is somebody else's
            continue
    return found


def _difference(one: Any, other: Any) -> str:
    """Say where two results first differ."""
    if isinstance(one, Mapping) and isinstance(other, Mapping) and one.keys() == other.keys():
        name = next(name for name in one if one[name] != other[name])
        return f"{name}: {_difference(one[name], other[name])}"
    if isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        place = next(place for place, pair in enumerate(zip(one, other, strict=True)) if pair[0] != pair[1])
        return f"{place}: {_difference(one[place], other[place])}"
    return f"{str(one)[:300]} is now {str(other)[:300]}"


def _names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def _rows(name: str, table: str) -> Callable[[Path], Any]:
    """Read a file of rows, whether it is complete, and the table of what was skipped."""

    def made(folder: Path) -> Any:
        with holo_types.open(folder / name) as reader:
            complete, rows = reader.complete, reader[:]
        return {
            "complete": complete,
            "rows": said(rows),
            "skipped": (folder / table).read_text("utf-8"),
            "files": _names(folder),
        }

    return made


def _parts(folder: Path) -> Any:
    parts = {path.name: said(read_parquet(path).to_pydict()) for path in sorted((folder / "parts").iterdir())}
    return {"parts": parts, "files": _names(folder)}


def _trained(folder: Path) -> Any:
    run = folder / "run"
    model = holo_vae.load(run / "model")
    with (run / "history.csv").open(encoding="utf-8", newline="") as file:
        history = [{key: row[key] for key in row if key not in _TIMES} for row in csv.DictReader(file)]
    state = sorted(path.name for path in (run / "state").iterdir())
    names = sorted(path.name for path in run.iterdir())
    return {
        "model": said(model.reference),
        "weights": said(model.network.state_dict()),
        "history": history,
        "evaluation": json.loads((run / "evaluation.json").read_text("utf-8")),
        "recipe": (run / "recipe.yaml").read_text("utf-8"),
        "files": (names, state),
        "tracked": _tracked(f"sqlite:///{run / 'mlflow.db'}"),
    }


def _tracked(store: str) -> Any:
    """Return all that a tracking store holds but ids and times, which system metrics are too."""
    client = mlflow.MlflowClient(tracking_uri=store)
    experiments = [each.experiment_id for each in client.search_experiments()]
    models = client.search_logged_models(experiments)
    return {
        "runs": [_tracked_run(client, run) for run in client.search_runs(experiments)],
        "models": [(model.name, str(model.status)) for model in models],
    }


def _tracked_run(client: mlflow.MlflowClient, run: mlflow.entities.Run) -> Any:
    points = {}
    for name in sorted(run.data.metrics):
        history = client.get_metric_history(run.info.run_id, name)
        if name.rpartition("/")[2] in _TIMES:
            points[name] = [(point.step, 0.0) for point in history]
        elif not name.startswith("system/"):
            points[name] = [(point.step, point.value) for point in history]
    return {
        "status": run.info.status,
        "parameters": run.data.params,
        "points": points,
        "data": sorted((each.dataset.name, each.dataset.digest) for each in run.inputs.dataset_inputs),
        "artifacts": sorted(_artifacts(client, run.info.run_id, None)),
        "outputs": len(run.outputs.model_outputs) if run.outputs else 0,
    }


def _artifacts(client: mlflow.MlflowClient, run: str, folder: str | None) -> Iterator[tuple[str, int]]:
    for each in client.list_artifacts(run, folder):
        if each.is_dir:
            yield from _artifacts(client, run, each.path)
        else:
            yield each.path, each.file_size


def _studied(folder: Path) -> Any:
    study = folder / "study"
    return {
        "report": json.loads((study / "report.json").read_text("utf-8")),
        "predictions": (study / "predictions.csv").read_text("utf-8"),
        "predictor": said(read_predictor(study)),
        "files": _names(folder),
    }


def _indexed(folder: Path) -> Any:
    return {
        "embeddings": said(holo_types.load(folder / "index" / "embeddings.h5")),
        "search": said(holo_types.load(folder / "index" / "search.h5", kind=NamedArrays).arrays),
        "names": _names(folder),
    }


def _affinity_fitted(folder: Path) -> Any:
    made = folder / "made"
    return {
        "predictor": said(read_complex_predictor(made)),
        "figures": json.loads((made / "figures.json").read_text("utf-8")),
        "files": _contents(made, ("cross-validated.csv", "skipped.csv", "report.html")),
        "names": _names(folder),
    }


def _mutations_fitted(folder: Path) -> Any:
    made = folder / "made"
    return {
        "predictor": said(read_stability_predictor(made / PREDICTOR_FILE)),
        "files": _contents(made, ("cross-validated.csv", "skipped.csv")),
        "names": _names(folder),
    }


def _all_files(folder: Path) -> Any:
    return _contents(folder, _names(folder))


def _contents(folder: Path, names: Sequence[str]) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in names}


def _commands() -> Iterator[Command]:
    structures = tuple(map(str, example_structures()[:16]))
    basis = ("--lmax", "2", "--nmax", "4", "--cutoff", "8")
    yield Command(
        "structures",
        ("holo_features", "structures", *structures, "--out", "out.h5", "--workers", "2", *basis),
        ("--resume",),
        _rows("out.h5", "out.skipped.csv"),
    )
    embed = ("holo_vae", "embed", *structures, "--model", "INPUTS/model")
    yield Command("embed", (*embed, "--out", "out.h5"), ("--resume",), _rows("out.h5", "out.skipped.csv"))
    yield Command("parts", (*embed, "--out", "parts"), ("--resume",), _parts)
    train = ("holo_vae", "train", "INPUTS/rows.h5", "--recipe", "INPUTS/recipe.yaml", "--out", "run")
    yield Command("train", train, ("--resume",), _trained)
    fit = ("holo_downstream", "affinity", "study", "INPUTS/vectors.npz", "INPUTS/labels.csv")
    yield Command(
        "affinity",
        (*fit, "--out", "study", "--seeds", "2"),
        (),
        _studied,
        lambda folder: (folder / "study" / "report.json").exists(),
    )
    yield Command(
        "index",
        ("holo_downstream", "index", "INPUTS/embeddings.h5", "--out", "index"),
        (),
        _indexed,
        lambda folder: (folder / "index" / "search.h5").exists(),
    )
    yield from _lab_commands()


def _lab_commands() -> Iterator[Command]:
    def has_predictor(folder: Path) -> bool:
        return (folder / "made" / PREDICTOR_FILE).exists()

    affinity, stability = ("holo_lab", "affinity"), ("holo_lab", "mutations")
    fit = (*affinity, "fit", "INPUTS/complexes", "--out", "made", "--workers", "2")
    yield Command("affinity fit", fit, (), _affinity_fitted, has_predictor)
    predict = (*affinity, "predict", "INPUTS/affinity", "INPUTS/complexes", "--out", "made.csv")
    yield Command("affinity predict", (*predict, "--workers", "2"), (), _all_files)
    structures, learned = str(_MUTATED[0].parent), (*stability, "predict", "INPUTS/stability")
    fit = (*stability, "fit", structures, "INPUTS/mutations.csv", "--filling-model", "INPUTS/filling")
    yield Command(
        "mutations fit", (*fit, "--folds", "3", "--out", "made"), (), _mutations_fitted, has_predictor
    )
    scan = (*learned, str(_MUTATED[0]), "--scan", "--out", "made.csv")
    yield Command("mutations scan", scan, (), _all_files)
    explore = ("holo_lab", "explore", "INPUTS/residues.h5", *map(str, _MUTATED), "--projection", "pca")
    yield Command("explore", (*explore, "--out", "made.html"), (), _all_files)
    table = (*learned, structures, "--table", "INPUTS/mutations.csv", "--out", "made.csv")
    yield Command("mutations table", table, (), _all_files)


COMMANDS = {command.name: command for command in _commands()}
