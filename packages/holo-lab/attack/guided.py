"""Fuzz the readers with guidance by code coverage (atheris, libFuzzer): see README.md.

``nox -s fuzz-coverage -- --seconds 60`` sets the time for each parser, and ``-- --only pdb mmcif`` chooses parsers.
Inputs that reach new code are in ``.nox/fuzz-coverage/found``; with ``-- --keep`` the smallest of them are added to
``corpus``, from which later searches start.
"""

import os

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import argparse
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import atheris

CORPUS = Path(__file__).with_name("corpus")
# The parsers written in Python. libFuzzer cannot see into C libraries.
PARSERS = {
    "affinity labels": "holo_downstream.affinity",
    "archive": "holo_features.readers",
    "atom3d record": "holo_features.complexes",
    "binarycif": "holo_features.readers",
    "complexes": "holo_features.complexes",
    "csv": "holo_downstream.vectors",
    "hdf5": "holo_types.files",
    "idx": "holo_features.spheres",
    "journal": "holo_vae.tracking",
    "mmcif": "holo_features.readers",
    "model": "holo_vae.networks",
    "mol2": "holo_features.molecules",
    "mutations": "holo_lab.mutations",
    "npz": "holo_downstream.vectors",
    "obj": "holo_features.spheres",
    "off": "holo_features.spheres",
    "packed": "holo_features.readers",
    "pdb": "holo_features.readers",
    "pdbqt": "holo_features.molecules",
    "ply": "holo_features.spheres",
    "ranked lists": "holo_downstream.probes",
    "recipe": "holo_vae.recipes",
    "reference": "holo_vae.networks",
    "request": "holo_vae.serving",
    "sdf": "holo_features.molecules",
    "shape labels": "holo_features.spheres",
    "state": "holo_vae.training",
    "structure table": "holo_vae.evaluation",
    "training record": "holo_vae.tracking",
    "training structures": "holo_vae.data",
}
_ONE = "--one"
_LONGEST = 20_000  # bytes of an input
_KEPT = 12_000  # bytes of a parser's corpus


def search(name: str, arguments: list[str]) -> None:
    """Fuzz in this process, which ends with the search."""
    warnings.simplefilter("ignore")
    with atheris.instrument_imports(include=[PARSERS[name]]):
        from targets import TARGETS  # noqa: PLC0415

        from holo_features.readers.names import dictionary_elements  # noqa: PLC0415
        from holo_types import HoloError  # noqa: PLC0415

        target = TARGETS[name]
        files = max(target.files, key=len)
        # Of a folder with several files, the one that describes the others.
        changed = next((file for file in files if file.endswith(".json")), next(iter(files)))

        def one(content: bytes) -> None:
            with tempfile.TemporaryDirectory(prefix="fuzz-", dir=_quick()) as folder:
                for file, whole in files.items():
                    Path(folder, file).write_bytes(content if file == changed else whole)
                try:
                    target.read(Path(folder))
                except HoloError as error:
                    if "\n" in str(error).strip():
                        raise RuntimeError(f"not one line: {error}") from error

        dictionary_elements("ATP")  # reading it takes seconds and much memory, once in a process
        one(files[changed])  # late imports are done before the search, so that they are instrumented
    atheris.Setup([sys.argv[0], *arguments], one)
    atheris.Fuzz()


def _quick() -> str | None:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def main() -> int:
    """Fuzz each parser in a process of its own, and return 0 if nothing failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=120, help="for each parser")
    parser.add_argument("--only", nargs="+", choices=list(PARSERS), default=list(PARSERS), metavar="PARSER")
    parser.add_argument("--out", type=Path, default=Path(".nox", "fuzz-coverage", "found"))
    parser.add_argument("--keep", action="store_true", help="keep the smallest of what was found in corpus")
    options = parser.parse_args()
    failed = []
    for name in options.only:
        found = (options.out / name).resolve()
        found.mkdir(parents=True, exist_ok=True)
        _originals(name, found)
        limits = (f"-max_total_time={options.seconds}", "-timeout=20", "-rss_limit_mb=3000")
        how = (
            *limits,
            f"-max_len={_LONGEST}",
            f"-artifact_prefix={found.parent}/{name}-",
            "-print_final_stats=1",
        )
        before = [str(folder) for folder in (CORPUS / name,) if folder.is_dir()]
        print(f"== {name}", flush=True)
        if _process(name, *how, str(found), *before):
            failed.append(name)
        elif options.keep:
            _keep(name, found)
    print(f"unforeseen in {', '.join(failed) or 'none'}")
    return 1 if failed else 0


def _originals(name: str, folder: Path) -> None:
    from targets import TARGETS  # noqa: PLC0415

    for number, files in enumerate(TARGETS[name].files):
        for file, content in files.items():
            if len(content) <= _LONGEST:
                (folder / f"original-{number}-{file}").write_bytes(content)


def _keep(name: str, found: Path) -> None:
    """Keep the smallest of the found inputs that reach the same code, up to a total size."""
    with tempfile.TemporaryDirectory() as smallest:
        if _process(name, "-merge=1", smallest, str(found)):
            return
        kept = CORPUS / name
        kept.mkdir(parents=True, exist_ok=True)
        for old in kept.iterdir():
            old.unlink()
        size = 0
        for path in sorted(Path(smallest).iterdir(), key=lambda path: (path.stat().st_size, path.name)):
            size += path.stat().st_size
            if size > _KEPT:
                break
            (kept / path.name).write_bytes(path.read_bytes())


def _process(name: str, *arguments: str) -> int:
    return subprocess.run([sys.executable, __file__, _ONE, name, *arguments], check=False).returncode


if __name__ == "__main__":
    if sys.argv[1:2] == [_ONE]:  # the remaining arguments are for libFuzzer
        search(sys.argv[2], sys.argv[3:])
    sys.exit(main())
