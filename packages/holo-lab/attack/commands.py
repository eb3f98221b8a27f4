"""The long commands that are killed, and their results."""

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs
import pyarrow
from inputs import MUTATED
from tracked import TIMES, tracked
from values import said

import holo_types
import holo_vae
from holo_downstream import read_complex_predictor, read_predictor, read_stability_predictor
from holo_features.datasets import example_structures
from holo_lab.mutations.learning import PREDICTOR_FILE
from holo_types import NamedArrays
from holo_types.files.parquet_files import read_parquet

__all__ = ["COMMANDS", "Command"]


@attrs.frozen
class Command:
    """A long command.

    Parameters
    ----------
    name
        The name on the command line of `attack.py`.
    arguments
        The package, its command and options, where INPUTS is the folder of `prepare` and FOLDER the name of the folder
        of the run.
    again
        The arguments that are added to resume it.
    made
        A function of the folder that returns everything that the command made, except ids and times, for comparison.
    over
        A function of the folder that returns whether nothing is left to resume, so that the command would refuse.
    served
        Whether it tracks on the server, in an experiment with the name of the run's folder.
    """

    name: str
    arguments: tuple[str, ...]
    again: tuple[str, ...]
    made: Callable[[Path], Any]
    over: Callable[[Path], bool] = lambda _: False
    served: bool = False


def _names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def _rows(name: str, table: str) -> Callable[[Path], Any]:
    """Return the rows of a file, whether it is complete, and the table of skipped files."""

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
    """Return the rows of all parts; a run that is ended by a signal writes a part of what it has."""
    parts = [read_parquet(path) for path in sorted(folder.glob("parts/part-*.parquet"))]
    others = [name for name in _names(folder) if not name.startswith("parts/part-")]
    return {"rows": said(pyarrow.concat_tables(parts).to_pydict()), "files": others}


def _trained(folder: Path) -> Any:
    run = folder / "run"
    model = holo_vae.load(run / "model")
    with (run / "history.csv").open(encoding="utf-8", newline="") as file:
        history = [{key: row[key] for key in row if key not in TIMES} for row in csv.DictReader(file)]
    state = sorted(path.name for path in (run / "state").iterdir())
    names, store = sorted(path.name for path in run.iterdir()), run / "mlflow.db"
    return {
        # Its name is that of the experiment, which no two trainings share on a server.
        "model": said(attrs.evolve(model.reference, name="")),
        "weights": said(model.network.state_dict()),
        "history": history,
        "evaluation": json.loads((run / "evaluation.json").read_text("utf-8")),
        "recipe": (run / "recipe.yaml").read_text("utf-8"),
        "files": (names, state),
        "tracked": tracked(f"sqlite:///{store}") if store.exists() else None,
    }


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
    served = (*train, "--name", "FOLDER")
    yield Command("train served", served, ("--resume",), _trained, served=True)
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
    structures, learned = str(MUTATED[0].parent), (*stability, "predict", "INPUTS/stability")
    fit = (*stability, "fit", structures, "INPUTS/mutations.csv", "--filling-model", "INPUTS/filling")
    yield Command(
        "mutations fit", (*fit, "--folds", "3", "--out", "made"), (), _mutations_fitted, has_predictor
    )
    scan = (*learned, str(MUTATED[0]), "--scan", "--out", "made.csv")
    yield Command("mutations scan", scan, (), _all_files)
    explore = ("holo_lab", "explore", "INPUTS/residues.h5", *map(str, MUTATED), "--projection", "pca")
    yield Command("explore", (*explore, "--out", "made.html"), (), _all_files)
    table = (*learned, structures, "--table", "INPUTS/mutations.csv", "--out", "made.csv")
    yield Command("mutations table", table, (), _all_files)


COMMANDS = {command.name: command for command in _commands()}
