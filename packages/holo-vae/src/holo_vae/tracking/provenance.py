"""The environment of a run: the code's revision, the packages and the machine."""

import os
import platform
import re
from importlib.metadata import distributions
from pathlib import Path

import torch

__all__ = ["checked_out", "environment", "git_revision", "packages"]

_OWN_FOLDER = ("packages", "holo-vae", "src", "holo_vae")  # this package in a checkout of Holo
_HASH = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_MOST_REFERENCES = 5  # length of a chain of references


def git_revision() -> str | None:
    """Return the commit that Holo's code was checked out from; None if it was installed.

    This does not check whether the code differs from the commit.
    """
    package = Path(__file__).parents[1]
    if package.parts[-len(_OWN_FOLDER) :] != _OWN_FOLDER:
        return None
    return checked_out(package.parents[len(_OWN_FOLDER) - 1])


def checked_out(root: Path) -> str | None:
    """Return the commit of a working tree, read from git's files; None if they do not name one.

    Git itself is not run, because it executes programs that a repository's own configuration names.

    Parameters
    ----------
    root
        The folder that holds ``.git``, which is a folder or, in a linked worktree, a file that names one.
    """
    try:
        git = root / ".git"
        if git.is_file():
            git = root / _line(git).removeprefix("gitdir:").strip()
        common = git / _line(git / "commondir") if (git / "commondir").exists() else git
        said = _line(git / "HEAD")
        for _ in range(_MOST_REFERENCES):
            if not said.startswith("ref:"):
                break
            said = _referred(said.removeprefix("ref:").strip(), git, common)
    except (OSError, ValueError):
        return None
    return said if _HASH.fullmatch(said) else None


def _referred(name: str, git: Path, common: Path) -> str:
    """Return the value of a reference: from its own file, or else from its line in the file of packed references."""
    if not name.startswith("refs/") or ".." in name:
        return ""
    for folder in (git, common):
        if (folder / name).is_file():
            return _line(folder / name)
    for line in (common / "packed-refs").read_text(encoding="utf-8").splitlines():
        commit, _, packed = line.partition(" ")
        if packed == name:
            return commit
    return ""


def _line(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip()


def packages() -> dict[str, str]:
    """Return the version of every installed distribution, by name in alphabetical order.

    Examples
    --------
    >>> "torch" in packages()
    True
    """
    found = {each.metadata["Name"]: each.version for each in distributions()}
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def environment(device: torch.device | str) -> dict[str, str]:
    """Return the properties that a run's speed and rounding depend on.

    Parameters
    ----------
    device
        The device on which the run computes.

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
