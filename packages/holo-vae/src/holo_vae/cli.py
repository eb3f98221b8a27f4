"""The command line of holo-vae."""

# torch takes seconds to import: it is imported by the commands, so that --help is quick.
# ruff: noqa: PLC0415

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import attrs
import cyclopts
import holo_types
from cyclopts import Parameter
from holo_types import Holograms, HoloError
from holo_types.console import Outcome, Skipped, progress, run, write_skipped

from ._version import __version__

__all__ = ["app", "main"]

app = cyclopts.App(
    name="holo-vae", help="Train, evaluate and use holographic autoencoders.", version=__version__
)


def _say(line: str) -> None:
    from rich.console import Console

    Console().print(line, soft_wrap=True, highlight=False, markup=False)


@app.command(name="train")
def train_command(
    data: Path,
    /,
    *,
    out: Path,
    recipe: Path | None = None,
    name: str = "holo",
    register: Annotated[bool, Parameter(negative="")] = False,
    alias: str = "champion",
) -> int:
    """Train a model on holograms; the weights that are best on validation are kept.

    Where mlflow is installed the run is tracked, in OUT/mlflow.db unless MLFLOW_TRACKING_URI is set.

    Parameters
    ----------
    data
        HDF5 file of holograms.
    out
        Folder for the model, its history, figures and pictures.
    recipe
        YAML file of model and training; by default a small model for the data's basis.
    name
        Name of the model and of the MLflow experiment.
    register
        Register the model under its name.
    alias
        Alias that --register points at the new version.
    """
    from .config import read_recipe
    from .run import default_recipe, read_holograms, run_training
    from .training import Epoch

    chosen = default_recipe(read_holograms(data).basis) if recipe is None else read_recipe(recipe)
    with progress(chosen.training.epochs, "training, epochs") as advance:

        def on_epoch(_: Epoch) -> None:
            advance()

        done = run_training(
            data, chosen, out, name=name, register=register, alias=alias, on_epoch=on_epoch
        )
    figures = done.evaluation.reconstruction
    registered = f"; registered as models:/{name}@{alias}" if done.registered_version else ""
    _say(
        f"{out / 'model'}: validation cosine {figures.cosine:.4f}, mse {figures.mse:.3e} "
        f"after {len(done.history)} epochs{registered}"
    )
    return 0


@app.command(name="evaluate")
def evaluate_command(model: str, data: Path, /, *, out: Path | None = None) -> int:
    """Measure a model's reconstruction and equivariance on holograms.

    Parameters
    ----------
    model
        Folder of a model, or models:/NAME@ALIAS.
    data
        HDF5 file of holograms.
    out
        JSON file for the figures.
    """
    from .evaluation import evaluate
    from .loading import load
    from .run import read_holograms

    figures = evaluate(load(model), read_holograms(data))
    if out is not None:
        with holo_types.replacing(out) as new:
            new.write_text(json.dumps(attrs.asdict(figures), indent=2) + "\n")
    reconstruction, errors = figures.reconstruction, figures.equivariance
    _say(
        f"{figures.rows} holograms: cosine {reconstruction.cosine:.4f}, mse {reconstruction.mse:.3e}; "
        f"equivariance errors: z {errors.invariants:.1e}, frame {errors.frame_p99:.1e}, "
        f"reconstruction {errors.reconstruction_p99:.1e} (99th percentile)"
    )
    return 0


@app.command(name="embed")
def embed_command(
    inputs: Annotated[list[Path], Parameter(negative="")],
    /,
    *,
    model: str,
    out: Path,
    secondary_structure: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Embed every residue of structures, or every row of a file of holograms.

    Structures (PDB, mmCIF, BinaryCIF, also .gz, or folders of them) need the extra `structures`.
    What was skipped is listed beside OUT, in a file that ends in .skipped.csv.

    Parameters
    ----------
    inputs
        Structure files or folders, or one HDF5 file of holograms.
    model
        Folder of a model, or models:/NAME@ALIAS.
    out
        File for the embeddings: .h5, or a table as .parquet or .csv.
    secondary_structure
        Add a column with each residue's secondary structure (P-SEA: helix, sheet, coil).
    """
    from .embedding import embed_holograms, embed_structures
    from .loading import load
    from .model import Model

    if out.suffix not in (".h5", ".hdf5", ".parquet", ".csv"):
        raise HoloError(f"--out is {out}; it must end in .h5, .parquet or .csv")
    loaded: Model = load(model)
    if len(inputs) == 1 and inputs[0].suffix in (".h5", ".hdf5"):
        data = holo_types.load(inputs[0])
        if not isinstance(data, Holograms):
            raise HoloError(f"{inputs[0]}: holds {type(data).__name__}; Holograms or structures are needed")
        embeddings = embed_holograms(loaded, data)
        _write([embeddings], out)
        _say(f"{out}: {len(embeddings)} embeddings")
        return 0
    try:
        from holo_features import structure_files
    except ImportError:
        raise HoloError("embedding structures needs holo-features; pip install 'holo-vae[structures]'") from None
    paths = structure_files(inputs)
    outcome, skipped, parts, rows = Outcome(), [], [], 0
    with progress(len(paths), "embedding, files") as advance:
        for result in embed_structures(paths, loaded, secondary_structure=secondary_structure):
            skipped += [Skipped(str(result.path), each.residue, each.reason) for each in result.skipped]
            if result.embeddings is None:
                outcome.failed += 1
                skipped.append(Skipped(str(result.path), "", str(result.error)))
            else:
                outcome.succeeded += 1
                outcome.skipped_residues += len(result.skipped)
                parts.append(result.embeddings)
                rows += len(result.embeddings)
            advance()
    write_skipped(out.with_name(f"{out.stem}.skipped.csv"), skipped)
    if parts:
        _write(parts, out)
    _say(f"{out}: {rows} embeddings; {outcome.summary()}")
    return outcome.exit_status


def _write(parts: Sequence[holo_types.Embeddings], out: Path) -> None:
    embeddings = holo_types.concatenate(parts)
    if out.suffix in (".h5", ".hdf5"):
        holo_types.save(embeddings, out)
    else:
        holo_types.write_table(embeddings, out)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and give its exit status."""
    return run(app, argv)
