"""``holo-vae train``."""

# torch takes seconds to import: it is imported by the commands, so that --help is quick.
# ruff: noqa: PLC0415

import signal
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import attrs
from cyclopts import Parameter

from holo_types.console import progress, say
from holo_types.options import IN_LINES, Device, Flag, SummaryOptions

if TYPE_CHECKING:
    from holo_vae.training.engine import Step

__all__ = ["train_command"]


def _note(step: "Step", epochs: int) -> str:
    rate = step.samples / step.seconds
    return f"epoch {step.epoch + 1} of {epochs}, loss {step.loss:.4g}, {rate:,.0f} samples/s"


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
    summary: SummaryOptions = IN_LINES,
) -> int:
    """Train a network on holograms, and keep the weights that are best on validation data.

    --resume continues a run that was interrupted or killed; it ends with the same weights as an uninterrupted run.
    Processes started by torchrun share the work. If mlflow is installed it tracks the run, in OUT/mlflow.db unless
    MLFLOW_TRACKING_URI is set. Exit status: 0, all data was used; 3, some files yielded nothing; 1, nothing useful came
    out; 2, wrong usage.

    Parameters
    ----------
    data
        HDF5 files of holograms, the parts of one data set; or the folder of the data set that the recipe names.
    out
        Folder for the model, its history, figures and pictures.
    recipe
        YAML file, or name of a recipe that comes with holo-vae (as listed by the command recipes); by default a
        small model for the basis of the data.
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
    from holo_vae.data.opening import basis_of
    from holo_vae.networks.stores import shown
    from holo_vae.recipes.shipped import find_recipe
    from holo_vae.run import default_recipe, run_training
    from holo_vae.training.distributed import Processes

    chosen = default_recipe(basis_of(data[0])) if recipe is None else find_recipe(recipe)
    if seed is not None:
        chosen = attrs.evolve(chosen, training=attrs.evolve(chosen.training, seed=seed))
    processes = Processes.from_environment(device)
    if processes.count > 1:
        # When a process is lost, torchrun ends all with SIGTERM; one that waits for it never runs a Python handler.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with ExitStack() as stack:
        advance: list[Callable[..., None]] = []

        def on_step(step: "Step") -> None:
            if not advance:  # only now the number of steps, and of those that were done before, is known
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
    say(
        f"{out / 'model'}: validation {measured} after {len(done.history)} epochs{registered}",
        model=out / "model",
        validation=best.validation,
        epochs=len(done.history),
        version=done.registered_version,
    )
    for note in (*done.notes, *done.skipped):
        say(note)
    return 3 if done.skipped else 0
