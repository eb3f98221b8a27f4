"""The files that let a logged model run without Holo installed: Holo's wheels, and the versions of everything else.

The packages need not be on an index, and no package of the same name on an index can take their place: requirements
name the wheels by their path in the model's folder.
"""

import base64
import hashlib
import io
import zipfile
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from holo_types import HoloError

__all__ = ["WHEELS", "pack", "pinned"]

WHEELS = "wheels"
_SERVED = Requirement("holo-vae[mlflow,structures]")
_OWN = "holo-"
# Other models are left out: they are twenty times as large as all of the code.
_LEFT_OUT = ("__pycache__", "shipped/models")
_TIME = (1980, 1, 1, 0, 0, 0)  # fixed, so that the same code always gives the same wheel
_KEPT = ("METADATA", "WHEEL", "entry_points.txt")


def pack(folder: Path) -> list[str]:
    """Write wheels of the Holo packages that serve a model, and return what must be installed to run it.

    Parameters
    ----------
    folder
        The model's folder in MLflow's format; the wheels are written to its ``wheels/``.

    Returns
    -------
    list of str
        The lines of a ``requirements.txt`` for that folder: paths of wheels, and exact versions.

    Raises
    ------
    HoloError
        If the files of a package cannot be found.

    Examples
    --------
    >>> import tempfile
    >>> lines = pack(Path(tempfile.mkdtemp()))
    >>> lines[0].startswith("wheels/holo_"), any(line.startswith("torch==") for line in lines)
    (True, True)
    """
    (folder / WHEELS).mkdir(parents=True, exist_ok=True)
    own, others = pinned(_SERVED)
    lines = []
    for name in own:
        file, content = _wheel(name)
        (folder / WHEELS / file).write_bytes(content)
        lines.append(f"{WHEELS}/{file}")
    return [*lines, *others]


def pinned(requirement: Requirement) -> tuple[list[str], list[str]]:
    """Return what a requirement installs in this environment, including its own requirements.

    Returns
    -------
    tuple
        The names of Holo's packages, and ``name==version`` for the others.

    Examples
    --------
    >>> own, others = pinned(Requirement("holo-types[table]"))
    >>> own, [line.partition("==")[0] for line in others if line.startswith("pan")]
    (['holo-types'], ['pandas'])
    """
    found: dict[str, str] = {}  # names and their versions
    asked: set[tuple[str, str]] = set()
    waiting = [requirement]
    while waiting:
        one = waiting.pop()
        name = canonicalize_name(one.name)
        if name not in found:
            try:
                found[name] = distribution(name).version
            except PackageNotFoundError:
                continue  # a requirement of another system, or of an extra that is not installed
        for extra in ("", *one.extras):
            if (name, extra) not in asked:
                asked.add((name, extra))
                waiting += _needed(name, extra)
    own = sorted(name for name in found if name.startswith(_OWN))
    # A local version, such as torch's +cpu, is on no index.
    others = [f"{name}=={Version(found[name]).public}" for name in sorted(found) if name not in own]
    return own, others


def _needed(name: str, extra: str) -> Iterator[Requirement]:
    for line in distribution(name).requires or ():
        requirement = Requirement(line)
        if requirement.marker is None:
            if not extra:
                yield requirement
        elif requirement.marker.evaluate({"extra": extra}):
            yield requirement


@cache
def _wheel(name: str) -> tuple[str, bytes]:
    """Return an installed package as a wheel: its file name and content. An editable installation is also possible."""
    found, module = distribution(name), name.replace("-", "_")
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise HoloError(f"{name}: is not installed as files, and cannot be put into a wheel")
    root = Path(spec.origin).parent
    files = {
        f"{module}/{path.relative_to(root).as_posix()}": path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not any(part in f"{path.relative_to(root).as_posix()}/" for part in _LEFT_OUT)
    }
    info = f"{module}-{found.version}.dist-info"
    for part in _KEPT:
        if (text := found.read_text(part)) is not None:
            files[f"{info}/{part}"] = text.encode()
    record = f"{info}/RECORD"
    lines = [f"{path},sha256={_digest(content)},{len(content)}\n" for path, content in files.items()]
    files[record] = "".join([*lines, f"{record},,\n"]).encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            entry = zipfile.ZipInfo(path, _TIME)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, content)
    said = (found.read_text("WHEEL") or "").splitlines()
    tag = next(line.removeprefix("Tag: ") for line in said if line.startswith("Tag: "))
    return f"{module}-{found.version}-{tag}.whl", packed.getvalue()


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode("ascii")
