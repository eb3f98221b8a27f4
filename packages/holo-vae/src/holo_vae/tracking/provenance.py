"""What a run ran on: the code's revision, the packages and the machine."""

import os
import platform
import subprocess
from importlib.metadata import distributions

import attrs
import torch

__all__ = ["Revision", "environment", "git_revision", "packages"]


@attrs.frozen
class Revision:
    """The commit that a working tree stands on.

    Parameters
    ----------
    commit
        Its hash.
    dirty
        Whether tracked files differ from it.
    """

    commit: str
    dirty: bool


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def git_revision() -> Revision | None:
    """Give the revision of the working tree that the process runs in; None outside of one."""
    commit = _git("rev-parse", "HEAD")
    changes = _git("status", "--porcelain", "--untracked-files=no")
    return Revision(commit, bool(changes)) if commit and changes is not None else None


def packages() -> dict[str, str]:
    """Give the version of every installed distribution, by name in alphabetical order.

    Examples
    --------
    >>> "torch" in packages()
    True
    """
    found = {each.metadata["Name"]: each.version for each in distributions()}
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def environment(device: torch.device | str) -> dict[str, str]:
    """Give what a run's speed and rounding depend on.

    Parameters
    ----------
    device
        On which the run computes.

    Examples
    --------
    >>> sorted(environment("cpu"))
    ['cpus', 'device', 'machine', 'platform', 'python', 'threads', 'torch']
    """
    device = torch.device(device)
    found = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpus": str(os.cpu_count()),
        "threads": str(torch.get_num_threads()),
        "device": str(device),
    }
    if device.type == "cuda":
        found |= {"gpu": torch.cuda.get_device_name(device), "cuda": str(torch.version.cuda)}
    return found
