"""The command line of holo-vae."""

# torch takes seconds to import: it is imported by the commands, so that --help is quick.
# ruff: noqa: PLC0415

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import attrs
import cyclopts
from cyclopts import Parameter
from cyclopts.validators import Number

import holo_types
from holo_types import HoloError, Holograms
from holo_types.console import progress, run, visible
from holo_types.extras import extra
from holo_types.files.atomic import replacing
from holo_types.files.locks import PathLock
from holo_types.options import (
    ConfidenceOptions,
    Device,
    Flag,
    OptionalOutput,
    OptionalResidues,
    Output,
    RunOptions,
    SelectionOptions,
    Together,
)

from ._version import __version__
from .web.settings import Settings, check_variables

if TYPE_CHECKING:
    from holo_features import Encoding
    from holo_features.encoding.files import Written
    from holo_types.console import Skipped

    from .embedding import EmbeddedStructure
    from .evaluation.evaluate import Evaluation
    from .networks.model import Model
    from .training.engine import Step

# OpenMP's threads would wait awake for milliseconds after each piece of work, and where others use the machine too take
# the processors from those that still work: 0.1 ms is enough. Read when torch is imported; users may set it otherwise.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

__all__ = ["Evaluated", "EvaluationOptions", "app", "evaluate_files", "main", "show_figures", "write_figures"]

_DEFAULTS = Settings()

app = cyclopts.App(
    name="holo-vae", help="Train, evaluate and use holographic autoencoders.", version=__version__
)


def _say(line: str) -> None:
    from rich.console import Console

    Console().print(visible(line), soft_wrap=True, highlight=False, markup=False)


def _note(step: "Step", epochs: int) -> str:
    rate = step.samples / step.seconds
    return f"epoch {step.epoch + 1} of {epochs}, loss {step.loss:.4g}, {rate:,.0f} samples/s"


@app.command(name="train")
def train_command(
    data: Annotated[tuple[Path, ...], Parameter(negative="")],
    *,
    out: Path,
    recipe: str | None = None,
    validation: Annotated[tuple[Path, ...], Parameter(negative="")] = (),
    name: str = "holo",
    seed: int | None = None,
    resume: Flag = False,
    device: Device = "cpu",
    register: Flag = False,
    alias: str = "champion",
) -> int:
    """Train a network on holograms, and keep the weights that are best on validation data.

    --resume continues a run that was interrupted or killed, which ends with the same weights as one without the
    interruption. Processes started by torchrun share the work. If mlflow is installed it tracks the run, in
    OUT/mlflow.db unless MLFLOW_TRACKING_URI is set. Exit status: 0, all data was used; 3, some of its files gave
    nothing; 1, nothing useful came out; 2, wrong usage.

    Parameters
    ----------
    data
        HDF5 files of holograms, the parts of one data set; or the folder of the data set that the recipe names.
    out
        Folder for the model, its history, figures and pictures.
    recipe
        YAML file, or name of a recipe that comes with holo-vae, as the command recipes lists them; by default a
        small model for the data's basis.
    validation
        HDF5 files on which the best weights are chosen; by default a part of the data, as the recipe says.
    name
        Name of the model and of the MLflow experiment.
    seed
        Seed to use instead of the recipe's.
    resume
        Continue the run in OUT.
    register
        Register the model under its name.
    alias
        Alias that --register points at the new version.
    """
    from .data.opening import basis_of
    from .networks.stores import shown
    from .recipes.shipped import find_recipe
    from .run import default_recipe, run_training
    from .training.distributed import Processes

    chosen = default_recipe(basis_of(data[0])) if recipe is None else find_recipe(recipe)
    if seed is not None:
        chosen = attrs.evolve(chosen, training=attrs.evolve(chosen.training, seed=seed))
    processes = Processes.from_environment(device)
    if processes.count > 1:
        # torchrun ends all by SIGTERM when one is lost; one that waits for that one comes to no handler of Python's.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with ExitStack() as stack:
        advance: list[Callable[..., None]] = []

        def on_step(step: "Step") -> None:
            if not advance:  # only now it is known how many there are, and how many were done before
                advance.append(stack.enter_context(progress(step.total, "training, steps")))
                advance[0](step.number)
            advance[0](1, _note(step, chosen.training.epochs))

        done = run_training(
            chosen,
            data,
            out,
            name=name,
            validation=validation,
            resume=resume,
            processes=processes,
            register=register,
            alias=alias,
            on_step=on_step,
        )
    if not processes.first:
        return 0
    registered = ""
    if done.registered_version is not None:
        which = f"@{alias}" if done.promoted else f"/{done.registered_version}"
        registered = f"; registered as models:/{name}{which} in {shown(done.store or '')}"
    best = min(done.history, key=lambda epoch: (not epoch.best, -epoch.number))
    measured = ", ".join(f"{key} {value:.4g}" for key, value in best.validation.items())
    _say(f"{out / 'model'}: validation {measured} after {len(done.history)} epochs{registered}")
    for note in (*done.notes, *done.skipped):
        _say(note)
    return 3 if done.skipped else 0


recipes = cyclopts.App(name="recipes", help="The recipes that come with holo-vae.")
app.command(recipes)


@recipes.default
def recipes_command() -> int:
    """List the recipes that come with holo-vae."""
    from .recipes.shipped import recipe_names

    for name in recipe_names():
        _say(name)
    return 0


@recipes.command(name="show")
def show_recipe_command(name: str, /) -> int:
    """Print a recipe that comes with holo-vae, to be saved as a file and changed.

    Parameters
    ----------
    name
        Name of a recipe.
    """
    from .recipes.shipped import recipe_text

    sys.stdout.write(recipe_text(name))
    return 0


@app.command(name="describe")
def describe_command(source: str, /) -> int:
    """Show the size of every layer of a network, before any training.

    Parameters
    ----------
    source
        YAML file or name of a recipe, or a model: a folder, or models:/NAME@ALIAS.
    """
    from .networks.description import describe
    from .networks.loading import load
    from .recipes.shipped import find_recipe, recipe_names

    is_recipe = source.endswith((".yaml", ".yml")) or source in recipe_names()
    _say(str(describe(find_recipe(source).model if is_recipe else load(source).config)))
    return 0


@app.command(name="import")
def import_command(folder: Path, /, *, out: Path) -> int:
    """Read a checkpoint of the authors' implementation, and write it as a model.

    Parameters
    ----------
    folder
        Folder with hparams.json and the state dict, as written by the authors' implementation.
    out
        Folder for the model.
    """
    from .networks.reference import import_reference
    from .networks.storage import write_model

    if out.exists():
        raise HoloError(f"--out is {out}, which is there already; give another folder")
    model = import_reference(folder)
    write_model(model, out)
    kind = "H-VAE" if model.config.variational else "H-AE"
    _say(f"{out}: {kind}, z {model.config.latent_dim}, of holograms {model.config.basis.irreps}")
    return 0


@app.command(name="promote")
def promote_command(
    name: str,
    version: str,
    /,
    *,
    alias: str = "champion",
    gate_data: Path | None = None,
    gate_rows: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    new_basis: Flag = False,
    dry_run: Flag = False,
) -> int:
    """Move an alias to a version of a registered model, if the version passes the gate.

    It must take the champion's basis, be equivariant to rounding, and reconstruct the champion's recorded rows, or what
    --gate-data gives, not worse; neither model may have been trained on them. The figures and the verdict are written
    as tags of the version, and added to the history.

    Parameters
    ----------
    name
        The name of the registered model.
    version
        Which is to get the alias.
    alias
        The alias.
    gate_data
        What to measure on: a folder with structures and structures.csv, as worth takes it, or an HDF5 file of point
        clouds.
    gate_rows
        What must not be worse: reconstruction, continuity, noise, probes, matches, or single rows of worth; by default
        reconstruction on one basis, noise and probes across bases. All but reconstruction need --gate-data.
    new_basis
        Let the version have another basis than the champion; needs --gate-data, and clients must change.
    dry_run
        Measure, and change nothing.
    """
    with extra("holo-vae[mlflow]"):
        from .promotion.promotions import promote

    done = promote(
        name,
        version,
        alias,
        gate_data=gate_data,
        gate_rows=gate_rows,
        new_basis=new_basis,
        dry_run=dry_run,
    )
    for check in done.checks:
        _say(f"{check.name}: {check.figure} (must be {check.bound})")
    for reason in done.left_out:
        _say(f"left out: {reason}")
    before = "none" if done.previous is None else f"version {done.previous}"
    if dry_run:
        _say(f"models:/{name}@{alias} would be version {version}; it is {before}, and nothing was changed")
        return 0
    _say(f"models:/{name}@{alias} is version {version} now; it was {before}")
    for other in done.under_way:
        _say(f"version {other} is being measured beside it: look at holo-vae history {name}")
    return 0


@app.command(name="rollback")
def rollback_command(name: str, /, *, alias: str = "champion") -> int:
    """Move an alias back to the version that had it before, by its history.

    Parameters
    ----------
    name
        The name of the registered model.
    alias
        The alias.
    """
    with extra("holo-vae[mlflow]"):
        from .promotion.rollbacks import rollback

    done = rollback(name, alias)
    _say(f"models:/{name}@{alias} is version {done.version} again; it was version {done.previous}")
    return 0


@app.command(name="history")
def history_command(name: str, /, *, alias: str = "champion") -> int:
    """Say what happened to an alias: who was champion when, by which figures, and what was refused.

    Parameters
    ----------
    name
        The name of the registered model.
    alias
        The alias.
    """
    with extra("holo-vae[mlflow]"):
        from .promotion.rollbacks import promotion_history

    events = promotion_history(name, alias)
    for event in events:
        before = "" if event.previous is None else f", before it version {event.previous}"
        _say(f"{event.time} version {event.version} {event.happening}{before}, by {event.by}")
        for title, figure in event.figures.items():
            _say(f"    {title}: {figure}")
    if not events:
        _say(f"models:/{name}@{alias} has no history")
    return 0


@app.command(name="track")
def track_command(folder: Path, /) -> int:
    """Send to MLflow what a training run could not send while it ran.

    A model that was to be registered then passes the gate now, as it would have.

    Parameters
    ----------
    folder
        The folder of the training run.
    """
    with extra("holo-vae[mlflow]"):
        from .promotion.waiting import promote_waiting
        from .tracking.sender import send_journals
    from .networks.stores import shown

    for store in send_journals(folder):
        gone = ", ".join(store.sent.missing)
        missing = f"; not tracked, for the files are gone: {gone}" if gone else ""
        _say(f"run {store.sent.run_id} in {shown(store.uri)} is complete{missing}")
        for outcome in promote_waiting(store):
            told = f"models:/{outcome.name}@{outcome.alias} is version {outcome.version} now"
            _say(outcome.refusal or told)
    return 0


@attrs.frozen
class EvaluationOptions:
    """What a model is measured with.

    Parameters
    ----------
    training
        HDF5 file of holograms to which the classifiers of z are fitted, with --label.
    validation
        HDF5 file of further holograms for them, on which the number of nearest neighbors is chosen.
    label
        Column of the index with labels, which clusters and classifications of z are compared with (needs the extra
        evaluation).
    classifier
        Folder of a trained classifier that judges samples.
    seed
        Seed of clusterings and samples.
    """

    training: Path | None = None
    validation: Path | None = None
    label: str | None = None
    classifier: str | None = None
    seed: int = 0


@attrs.frozen(kw_only=True, eq=False)
class Evaluated:
    """A model and the rows that it was measured on, read from files, and the figures.

    Parameters
    ----------
    model, test
        What was measured.
    training
        The rows from which classifiers of z learned.
    judge
        Name of the classifier that judged samples; empty without one.
    figures
        What came out.
    """

    model: "Model"
    test: Holograms
    training: Holograms | None
    judge: str
    figures: "Evaluation"


_NO_EVALUATION, _NO_RUN = EvaluationOptions(), RunOptions()
_NO_CONFIDENCE, _NO_SELECTION = ConfidenceOptions(), SelectionOptions()


@app.command(name="evaluate")
def evaluate_command(
    model: str,
    data: Path,
    /,
    *,
    options: Annotated[EvaluationOptions, Together] = _NO_EVALUATION,
    out: OptionalOutput = None,
) -> int:
    """Measure a model: reconstruction, equivariance, how well z predicts labels, and the quality of samples.

    Parameters
    ----------
    model
        Name of a model that comes with holo-vae, folder of a model, or models:/NAME@ALIAS.
    data
        HDF5 file of holograms.
    out
        JSON file for the figures.
    """
    figures = evaluate_files(model, data, options).figures
    if out is not None:
        write_figures(figures, out)
    show_figures(figures)
    return 0


def evaluate_files(model: str, data: Path, options: EvaluationOptions) -> Evaluated:
    """Read a model and the files that it is measured with, and measure it.

    Raises
    ------
    HoloError
        If a file does not hold what it should, or does not go with the model.
    """
    from .data.opening import read_holograms
    from .evaluation.evaluate import evaluate
    from .networks.classifier import TrainedClassifier
    from .networks.loading import load
    from .networks.model import Model

    loaded, test = load(model, Model), read_holograms(data)
    others = [
        None if path is None else read_holograms(path) for path in (options.training, options.validation)
    ]
    judge = None if options.classifier is None else load(options.classifier, TrainedClassifier)
    figures = evaluate(
        loaded,
        test,
        training=others[0],
        validation=others[1],
        label_column=options.label,
        classifier=judge,
        seed=options.seed,
    )
    return Evaluated(
        model=loaded,
        test=test,
        training=others[0],
        judge="" if judge is None else judge.name,
        figures=figures,
    )


def write_figures(figures: "Evaluation", path: Path) -> None:
    """Write the figures as JSON."""
    with replacing(path) as new:
        new.write_text(json.dumps(attrs.asdict(figures), indent=2) + "\n")


def show_figures(figures: "Evaluation") -> None:
    """Say the figures that are looked for first."""
    reconstruction, errors = figures.reconstruction, figures.equivariance
    _say(
        f"{figures.rows} holograms: cosine loss {reconstruction.cosine_loss:.4f} (0 is perfect), "
        f"mse {reconstruction.mse:.3e}; "
        f"equivariance errors: z {errors.invariants:.1e}, frame {errors.frame_p99:.1e}, "
        f"reconstruction {errors.reconstruction_p99:.1e} (99th percentile)"
    )
    if figures.latent is not None:
        latent = figures.latent
        known = ", ".join(
            f"{name} {value:.3f}"
            for name, value in {
                "purity": latent.purity,
                "V-measure": latent.v_measure,
                "linear accuracy": latent.linear_accuracy,
                "KNN accuracy": latent.knn_accuracy,
            }.items()
            if value is not None
        )
        _say(f"z beside {latent.column}: {known}")


@app.command(name="worth")
def worth_command(
    model: str,
    folder: Path,
    /,
    *,
    out: Path | None = None,
    split: Literal["valid", "test"] = "valid",
    count: Annotated[int, Parameter(validator=Number(gte=100))] = 5000,
    trained_for: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    baselines: bool = True,
    seed: int = 0,
) -> int:
    """Measure what z of a model is worth, beside invariants that need no training.

    It measures the reconstruction; how far z moves when a structure is rotated and rounded, and when atoms move;
    whether a residue is recognized in another crystal and in a relative; and how well secondary structure, burial and
    residue type are predicted from z. It needs the extras structures and evaluation. Exit status: 0, all was measured;
    3, rows or structures were left out, and are named; 1, nothing useful came out; 2, wrong usage.

    Parameters
    ----------
    model
        Name of a model that comes with holo-vae, folder of a model, or models:/NAME@ALIAS.
    folder
        Folder with structures and structures.csv: file, split (train, valid or test), and, for the rows that need
        them, chain, cluster, protein, relative and ligand.
    out
        Folder for worth.json and worth.md.
    split
        Structures to measure; those of train set the scale of distances.
    count
        Least number of residues to measure.
    trained_for
        Rows to mark because the model was trained on their label, such as "residue type", in addition to those of its
        heads.
    baselines
        Whether to measure invariants that need no training too, which take most of the time.
    seed
        Seed of sampling, noise and rotations.
    """
    from .networks.loading import load
    from .networks.model import Model

    with extra("holo-vae[structures]"):
        import holo_features  # noqa: F401
    with extra("holo-vae[evaluation]"):
        import holo_downstream  # noqa: F401
    from .evaluation.worth import PARTS, measure_worth
    from .evaluation.worth_table import worth_table, write_worth

    loaded = load(model, Model)
    with progress(len(PARTS), "measuring") as advance:
        worth = measure_worth(
            loaded,
            folder,
            split=split,
            residues=count,
            trained_for=trained_for,
            baselines=baselines,
            seed=seed,
            on_part=lambda part: advance(1, part),
        )
    if out is not None:
        write_worth(worth, out)
    _say(worth_table(worth))
    return 3 if worth.left_out else 0


@app.command(name="embed")
def embed_command(
    inputs: Annotated[tuple[Path, ...], Parameter(negative="")],
    /,
    *,
    out: Output,
    model: str = "microenvironment-z128",
    pocket: Flag = False,
    ligand: Flag = False,
    secondary_structure: Flag = False,
    half: Flag = False,
    device: Device = "cpu",
    selection: Annotated[SelectionOptions, Together] = _NO_SELECTION,
    residues: OptionalResidues = None,
    confidence: Annotated[ConfidenceOptions, Together] = _NO_CONFIDENCE,
    run: Annotated[RunOptions, Together] = _NO_RUN,
) -> int:
    """Embed every residue of structures, pockets or ligands of complexes, or every row of a file of holograms.

    Structures and complexes need the extra `structures`. Skipped files and residues are listed in a CSV file
    beside the output, with the reason. Exit status: 0, every file gave results; 3, some files gave none; 1,
    nothing useful came out; 2, wrong usage.

    Parameters
    ----------
    inputs
        Structure files (.pdb, .ent, .cif, .mmcif, .bcif, also with .gz) or folders or archives (.tar, .zip)
        of them, or one .h5 file of holograms. With --pocket or --ligand, one CSV file with the columns id, protein,
        ligand; a folder with one; or an ATOM3D LBA data set (LMDB).
    out
        File for the embeddings, .h5; or a table, .parquet or .csv. It is replaced unless --resume is given.
        A name without an ending stands for a folder of Parquet files, to be read as one table.
    model
        Name of a model that comes with holo-vae, folder of a model, or models:/NAME@ALIAS.
    pocket
        Embed the residues with any atom within 6 Å of the ligand, whose atoms count among their neighbors.
    ligand
        Embed each heavy atom of the ligand, with the atoms of protein and ligand as neighbors.
    secondary_structure
        Add the column secondary_structure to the index: helix, sheet or coil (P-SEA).
    half
        Store z in 16 bits, in a folder of Parquet files; it is read back as float32.
    residues
        Residues to embed.
    """
    if out.suffix not in (".h5", ".parquet", ".csv", ""):
        raise HoloError(
            f"--out is {out}; it must end in .h5, .parquet or .csv, or be a folder, without an ending"
        )
    if half and out.suffix:
        raise HoloError(f"--half is for a folder of Parquet files; --out is {out}")
    if any(os.path.realpath(path) == os.path.realpath(out) for path in inputs):
        raise HoloError(f"--out is {out}, which is an input; give another file")
    centers: Literal["pocket", "ligand"] | None = "pocket" if pocket else "ligand" if ligand else None
    if pocket and ligand:
        raise HoloError("--pocket and --ligand are given; it must be one of the two")
    if centers is not None:
        _check_complexes(inputs, centers, secondary_structure=secondary_structure)
    if centers is not None or inputs[0].suffix == ".h5":
        for given, names in (
            (confidence != _NO_CONFIDENCE, "--minimum-plddt"),
            (selection != _NO_SELECTION, "--chains, --assembly, --hetero and what else chooses of a file"),
            (residues is not None, "--residues"),
        ):
            if given:
                raise HoloError(f"{names}: only for structures, not for complexes or a file of holograms")
    if centers is not None:
        return _embed_complexes(
            inputs[0],
            model,
            out,
            centers=centers,
            half=half,
            secondary_structure=secondary_structure,
            device=device,
            run=run,
        )
    if not (len(inputs) == 1 and inputs[0].suffix == ".h5"):
        return _embed_structures(
            inputs,
            model,
            out,
            half=half,
            secondary_structure=secondary_structure,
            device=device,
            options=_StructureOptions(selection, residues, confidence),
            run=run,
        )
    if secondary_structure or run != _NO_RUN:
        raise HoloError(
            "--secondary-structure, --resume, --workers and --scheduler are for structures, not for a file of holograms"
        )
    return _embed_file(inputs[0], model, out, half=half, device=device)


def _check_complexes(
    inputs: Sequence[Path], centers: Literal["pocket", "ligand"], *, secondary_structure: bool
) -> None:
    """Refuse what is no data set of complexes, and what its ligands do not have."""
    if len(inputs) != 1 or inputs[0].suffix == ".h5":
        given = ", ".join(map(str, inputs))
        raise HoloError(
            f"--{centers} takes one data set of complexes (CSV file, folder, LMDB); it was given {given}"
        )
    if centers == "ligand" and secondary_structure:
        raise HoloError("--secondary-structure is of residues; the atoms of --ligand have none")


@attrs.frozen
class _StructureOptions:
    """Of which residues embeddings are wanted, and what of the structures' files is taken."""

    selection: SelectionOptions
    residues: tuple[str, ...] | None
    confidence: ConfidenceOptions

    def encoding(self) -> "Encoding":
        """Return the same as holo-features takes it."""
        from holo_features import Confidence, ResidueId
        from holo_features.encoding.structures import Encoding
        from holo_features.structures.selection import Selection

        return Encoding(
            selection=Selection(**attrs.asdict(self.selection)),
            residues=None if self.residues is None else ResidueId.parse_all(self.residues),
            confidence=Confidence.asked(**attrs.asdict(self.confidence)),
        )

    def settings(self) -> dict[str, str]:
        """Return what an output keeps of them, so that it is continued with the same."""
        selection = {f"selection_{name}": value for name, value in attrs.asdict(self.selection).items()}
        plain = {**selection, **attrs.asdict(self.confidence), "residues": self.residues}
        return {name: str(value) for name, value in plain.items()}


def _embed_structures(
    inputs: Sequence[Path],
    model: str,
    out: Path,
    *,
    half: bool,
    secondary_structure: bool,
    device: str,
    options: _StructureOptions,
    run: RunOptions,
) -> int:
    with extra("holo-vae[structures]"):
        from holo_features import structure_names
        from holo_features.encoding.files import structure_files
    from .embedding import embed_structures
    from .networks.loading import load
    from .networks.model import Model

    encoding = options.encoding()
    loaded = load(model, Model)
    paths, empty = structure_files(inputs)
    return _write_embeddings(
        lambda written: embed_structures(
            paths,
            loaded if run.alone else model,
            secondary_structure,
            written.structures,
            encoding=encoding,
            device=device,
            workers=run.workers,
            scheduler=run.scheduler,
        ),
        structure_names(paths),
        out,
        doing="embedding structures",
        settings={
            "model": f"{loaded.name} {loaded.digest}",
            "secondary_structure": str(secondary_structure),
            **options.settings(),
        },
        resume=run.resume,
        half=half,
        empty=empty,
    )


def _embed_complexes(
    data: Path,
    model: str,
    out: Path,
    *,
    centers: Literal["pocket", "ligand"],
    half: bool,
    secondary_structure: bool,
    device: str,
    run: RunOptions,
) -> int:
    with extra("holo-vae[structures]"):
        from holo_features import find_complexes
        from holo_features.encoding.files import unusable
    from .embedding import embed_complexes
    from .networks.loading import load
    from .networks.model import Model

    loaded, found = load(model, Model), find_complexes(data)

    def embedded(written: "Written") -> "Iterator[EmbeddedStructure]":
        sources = [source for source in found.sources if source.name not in written.structures]
        used = loaded if run.alone else model
        return embed_complexes(
            sources,
            used,
            secondary_structure,
            centers=centers,
            device=device,
            workers=run.workers,
            scheduler=run.scheduler,
        )

    return _write_embeddings(
        embedded,
        {Path(source.name): source.name for source in found.sources},
        out,
        doing="embedding pockets" if centers == "pocket" else "embedding ligands",
        settings={
            "model": f"{loaded.name} {loaded.digest}",
            "secondary_structure": str(secondary_structure),
            centers: "True",
        },
        resume=run.resume,
        half=half,
        empty=unusable(found.skipped),
    )


def _embed_file(path: Path, model: str, out: Path, *, half: bool, device: str) -> int:
    from .embedding import embed_holograms
    from .networks.loading import load
    from .networks.model import Model

    data = holo_types.load(path, kind=Holograms)
    if not len(data):
        raise HoloError(f"{path}: holds no holograms")
    embeddings = embed_holograms(load(model, Model), data, device=device)
    if out.suffix == ".h5":
        holo_types.save(embeddings, out)
    elif not out.suffix:
        with holo_types.PartsWriter(out, half=half) as writer:
            writer.append(embeddings)
    else:
        holo_types.write_table(embeddings, out)
    _say(f"{len(embeddings)} embeddings in {out}")
    return 0


def _write_embeddings(
    embedded: "Callable[[Written], Iterator[EmbeddedStructure]]",
    files: Mapping[Path, str],
    out: Path,
    *,
    doing: str,
    settings: Mapping[str, str],
    resume: bool,
    half: bool,
    empty: "Sequence[Skipped]",
) -> int:
    """Write embeddings as they come, and then as a table if that is what is asked for."""
    from holo_features.encoding.files import rows_of, write_rows

    # Rows go to an HDF5 file as they come, so that an interruption costs little; a table is made of it.
    # A folder has parts for that.
    rows = out if out.suffix in (".h5", "") else out.with_name(f"{out.name}.partial.h5")
    with nullcontext() if rows == out else PathLock(out):
        report = write_rows(
            lambda written: (rows_of(result.encoded, result.embeddings) for result in embedded(written)),
            files,
            rows,
            doing=doing,
            what="embedding",
            settings=settings,
            resume=resume,
            table=out.with_suffix(".skipped.csv"),
            empty=empty,
            parts=not out.suffix,
            half=half,
        )
        if report.count and rows != out:
            holo_types.write_table(holo_types.load(rows, kind=holo_types.Embeddings), out)
            rows.unlink()
    return report.show(out)


@app.command(name="serve")
def serve_command(*, settings: Annotated[Settings, Together] = _DEFAULTS) -> int:
    """Serve a model: structures or holograms in, one row per residue or hologram out.

    Parameters
    ----------
    settings
        How.
    """
    with extra("holo-vae[serving]"):
        from .web.server import serve

    check_variables(os.environ)
    serve(settings)
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and give its exit status."""
    return run(app, argv)
