"""The main job on real protein chains: from structures to a trained and registered model, embeddings and a report.

Run it with ``nox -s demo``. Everything is written to one folder, by default ``demo/``.
"""

import argparse
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import attrs
import numpy as np
import torch
from rich.console import Console

import holo_features
import holo_types
import holo_vae
from holo_downstream import probe_embeddings
from holo_lab import TrainingReport, write_training_report
from holo_lab.explore.making import make_contents
from holo_lab.explore.page import write_explore_page
from holo_types import Embeddings, Holograms, PointClouds, concatenate
from holo_types.console import progress
from holo_vae import EquivarianceErrors, Model, Step, TrainingRun
from holo_vae.tracking.run import tracking_uri

MODEL_NAME = "holo-demo"
HELD_OUT = 10  # structures
RECIPE = holo_vae.read_recipe(Path(__file__).with_name("recipe.yaml"))
BASIS = RECIPE.model.basis
assert BASIS.radial is not None
CUTOFF = BASIS.radial.cutoff

console = Console(highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """Tell the user what is happening."""
    console.print(text, markup=False)


def featurize(paths: list[Path], out: Path) -> Holograms:
    """Encode structures and write the holograms to a file."""
    parts = []
    out.unlink(missing_ok=True)
    with holo_types.Writer(out) as writer, progress(len(paths), f"encoding {out.stem} structures") as advance:
        for encoded in holo_features.encode_structures(paths, BASIS, secondary_structure=True):
            if encoded.holograms is None:
                raise encoded.error or RuntimeError(f"{encoded.path}: gave no holograms")
            writer.append(encoded.holograms)
            parts.append(encoded.holograms)
            advance()
    return concatenate(parts)


def surroundings(paths: list[Path]) -> PointClouds:
    """Collect the atoms from which the holograms of structures are made, for the pictures."""
    structures = map(holo_features.read_structure, paths)
    cut = (holo_features.neighborhoods(one, CUTOFF, BASIS.channels, own_atoms=True) for one in structures)
    return concatenate(list(cut))


def train(data: Path, out: Path) -> TrainingRun:
    """Train the autoencoder, track it in MLflow and register it."""
    shutil.rmtree(out, ignore_errors=True)
    with ExitStack() as stack:
        advance: list[Callable[..., None]] = []

        def on_step(step: Step) -> None:
            if not advance:
                advance.append(stack.enter_context(progress(step.total, "training, steps")))
            advance[0](1, f"loss {step.loss:.3f}")

        return holo_vae.run_training(RECIPE, data, out, name=MODEL_NAME, register=True, on_step=on_step)


def embed(paths: list[Path], model: Model) -> Embeddings:
    """Embed structures."""
    parts = []
    with progress(len(paths), "embedding structures") as advance:
        for result in holo_vae.embed_structures(paths, model, secondary_structure=True):
            if result.embeddings is None:
                raise result.encoded.error or RuntimeError(f"{result.encoded.path}: gave no embeddings")
            parts.append(result.embeddings)
            advance()
    return concatenate(parts)


def rotate_end_to_end(path: Path, model: Model) -> EquivarianceErrors:
    """Rotate a structure's coordinates, encode and embed again, and compare."""
    structure = holo_features.read_structure(path)

    def turned(rotation: torch.Tensor) -> Holograms:
        atoms = structure.atoms.copy()
        atoms.coord = atoms.coord @ rotation.numpy().T
        clouds = holo_features.neighborhoods(attrs.evolve(structure, atoms=atoms), CUTOFF, BASIS.channels)
        return holo_features.zernike_transform(clouds, BASIS)

    still = turned(torch.eye(3, dtype=torch.float64))
    return holo_vae.equivariance_errors(model, still, rotations=4, seed=1, turned=turned)


def main() -> None:
    """Do the whole job."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--out", type=Path, default=Path("demo"), help="folder for everything (default: demo)"
    )
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()

    paths = sorted(holo_features.datasets.example_structures())
    order = np.random.default_rng(0).permutation(len(paths))
    held_out_paths = [paths[i] for i in sorted(order[:HELD_OUT])]
    training_paths = [paths[i] for i in sorted(order[HELD_OUT:])]
    say(f"{len(training_paths)} structures to learn from, {len(held_out_paths)} held out")
    training = featurize(training_paths, out / "training.h5")
    held_out = featurize(held_out_paths, out / "held_out.h5")

    run = train(out / "training.h5", out / "run")
    model = run.model
    assert isinstance(model, Model)
    scale = float(model.network.scale)
    untrained = holo_vae.initial_model(RECIPE, scale, "untrained")
    trained_figures = holo_vae.reconstruction(model, held_out)
    untrained_figures = holo_vae.reconstruction(untrained, held_out)
    mean_cosine_loss = holo_vae.mean_hologram_cosine_loss(training, held_out)

    embeddings = embed(held_out_paths, model)
    holo_types.save(embeddings, out / "embeddings.h5")
    holo_types.write_table(embeddings, out / "embeddings.parquet")
    say("probing embeddings")
    probes = tuple(
        probe_embeddings(embeddings, target, holograms=held_out)
        for target in ("secondary_structure", "residue_name")
    )
    say("measuring equivariance")
    equivariance = holo_vae.equivariance_errors(model, held_out)
    end_to_end = rotate_end_to_end(held_out_paths[0], model)

    report = TrainingReport(
        model=model,
        history=run.history,
        training=training,
        held_out=held_out,
        surroundings=surroundings(held_out_paths),
        embeddings=embeddings,
        trained=trained_figures,
        untrained=untrained_figures,
        mean_cosine_loss=mean_cosine_loss,
        probes=probes,
        equivariance=equivariance,
        end_to_end=end_to_end,
        seconds=time.monotonic() - started,
    )
    write_training_report(report, out / "report.html")
    say("making a page to explore the held-out residues")
    write_explore_page(
        make_contents(
            embeddings, held_out_paths, MODEL_NAME, density=_middle_residues(embeddings), model=model
        ),
        out / "explore.html",
    )
    summarize(report, run, out)
    if wanting := _wanting(report):
        sys.exit(f"the demo did not show: {'; '.join(wanting)}")


def _middle_residues(embeddings: Embeddings) -> list[str]:
    """Return the name of the residue in the middle of each structure, whose density is shown."""
    index, named = embeddings.index, []
    for structure in np.unique(index["structure"]).tolist():
        rows = np.flatnonzero(index["structure"] == structure)
        row = int(rows[len(rows) // 2])
        named.append(
            f"{structure} {index['chain'][row]}:{index['residue_number'][row]}{index['insertion_code'][row]}"
        )
    return named


def _wanting(report: TrainingReport) -> list[str]:
    """Return a list of what the demo should show but does not."""
    z = [result for result in report.probes[0].results if result.features == "z"]
    shown = {
        "a held-out cosine loss under half of both baselines": 2 * report.trained.cosine_loss
        < min(report.untrained.cosine_loss, report.mean_cosine_loss),
        "z naming the secondary structure better than the majority class": any(r.beats_majority for r in z),
        "z the same after a rotation, to 1e-5": report.end_to_end.invariants < 1e-5,
    }
    return [what for what, is_shown in shown.items() if not is_shown]


def summarize(report: TrainingReport, run: TrainingRun, out: Path) -> None:
    """Print the results and the places of the files in a dozen lines."""
    trained, errors = report.trained, report.end_to_end
    verdict = (
        "under"
        if 2 * trained.cosine_loss < min(report.untrained.cosine_loss, report.mean_cosine_loss)
        else "NOT under"
    )
    secondary = report.probes[0]
    store = tracking_uri(out / "run")
    lines = [
        "",
        f"Holo demo, {report.seconds:.0f} s: {len(report.training)} residues learned from, "
        f"{len(report.held_out)} held out",
        f"  held-out cosine loss {trained.cosine_loss:.4f}; untrained {report.untrained.cosine_loss:.4f}, "
        f"mean hologram {report.mean_cosine_loss:.4f}: {verdict} half of both",
        f"  {secondary.summary()}",
        f"  {report.probes[1].summary()}",
        f"  rotating a structure end to end changes z by {errors.invariants:.1e}, frames by {errors.frame_p99:.1e}, "
        f"reconstructions by {errors.reconstruction_p99:.1e} (99th percentile)",
        f"  report      {out / 'report.html'}",
        f"  explore     {out / 'explore.html'}",
        f"  embeddings  {out / 'embeddings.parquet'}",
        f"  model       {out / 'run' / 'model'}, registered as models:/{MODEL_NAME}@champion "
        f"(version {run.registered_version})",
        f"  MLflow      {Path(sys.executable).with_name('mlflow')} ui --backend-store-uri {store}",
        f"  serve       python3 start.py -s serve -- --store {store}",
    ]
    for line in lines:
        say(line)


if __name__ == "__main__":
    main()
