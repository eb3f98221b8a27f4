"""Time reading structure files into atoms: the readers of holo-features beside the installed version of biotite.

The files are the example structures as PDB, mmCIF and BinaryCIF, or those of a folder with ``--structures DIR``. There
are two tasks: all atoms of the first model, and the result of `read_structure`, which also selects residues and
conformers, beside biotite's selection of conformers. First, a check makes sure that both find the same atoms.

Both run in this process on one thread, in turns, so that other load on the machine slows both: on a busy machine the
ratios are valid, the times are not. Times are medians of processor time.
"""

import argparse
import gzip
import platform
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import biotite
import numpy as np
from biotite.structure import AtomArray
from biotite.structure.io import pdb, pdbx

from holo_features import read_structure
from holo_features.datasets import example_structures
from holo_features.readers.formats import raw_atoms

REPEATS = 15
FORMATS = {".pdb": "PDB", ".cif": "mmCIF", ".bcif": "BinaryCIF"}


def biotites(path: Path, altloc: str) -> AtomArray:
    """Read the first model of a file with biotite."""
    options = {"model": 1, "altloc": altloc, "extra_fields": ["occupancy"]}
    if path.suffix == ".pdb":
        return pdb.PDBFile.read(path).get_structure(**options)
    kind = pdbx.CIFFile if path.suffix == ".cif" else pdbx.BinaryCIFFile
    return pdbx.get_structure(kind.read(path), **options)


def write_examples(folder: Path) -> Iterator[Path]:
    """Write the example structures in each format; BinaryCIF is the shipped file, decompressed."""
    for path in example_structures():
        binary = folder / path.name.removesuffix(".gz")
        binary.write_bytes(gzip.decompress(path.read_bytes()))
        atoms = read_structure(path).atoms
        protein_databank = pdb.PDBFile()
        protein_databank.set_structure(atoms)
        protein_databank.write(binary.with_suffix(".pdb"))
        text = pdbx.CIFFile()
        pdbx.set_structure(text, atoms)
        text.write(binary.with_suffix(".cif"))
        yield from (binary, binary.with_suffix(".pdb"), binary.with_suffix(".cif"))


def check_agreement(paths: Sequence[Path]) -> None:
    """Assert that both find the same atoms at the same positions."""
    for path in paths:
        ours, theirs = raw_atoms(path).atoms.coord, biotites(path, "all").coord
        assert ours.shape == theirs.shape, f"{path.name}: {len(ours)} atoms; biotite finds {len(theirs)}"
        np.testing.assert_allclose(ours, theirs, atol=1e-3, err_msg=path.name)


def measure(functions: dict[str, Callable[[Path], object]], paths: Sequence[Path]) -> dict[str, list[float]]:
    """Apply functions to all files in turns; return the milliseconds of processor time per file for each turn."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(REPEATS):
        for name, function in functions.items():
            start = time.process_time()
            for path in paths:
                function(path)
            times[name].append(1e3 * (time.process_time() - start) / len(paths))
    return times


def main() -> None:
    """Print the times per file, and how many times as long biotite takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--structures", type=Path, help="a folder of .pdb, .cif and .bcif files to read")
    options, _ = parser.parse_known_args()  # the rest belongs to the package's other benchmarks
    warnings.filterwarnings("ignore", "Missing 'occupancy'")  # biotite's, of the examples
    with tempfile.TemporaryDirectory() as name:
        if options.structures is None:
            paths = list(write_examples(Path(name)))
        else:
            paths = [path for path in sorted(options.structures.iterdir()) if path.suffix in FORMATS]
        check_agreement(paths)
        print(f"milliseconds a file, medians of {REPEATS} (smallest to largest), with biotite's beside them;")
        print(f"biotite {biotite.__version__}, Python {platform.python_version()}, both in turns:")
        for suffix, kind in FORMATS.items():
            files = [path for path in paths if path.suffix == suffix]
            if not files:
                continue
            jobs: dict[str, Callable[[Path], object]] = {
                "all atoms": raw_atoms,
                "all atoms, biotite": lambda path: biotites(path, "all"),
                "chosen atoms": read_structure,
                "chosen atoms, biotite": lambda path: biotites(path, "occupancy"),
            }
            times = measure(jobs, files)
            for job in ("all atoms", "chosen atoms"):
                ours, theirs = times[job], times[f"{job}, biotite"]
                ratio = statistics.median(theirs) / statistics.median(ours)
                print(f"  {kind:10}{job:14}{_spread(ours)}  {_spread(theirs)}  {ratio:5.2f} times")


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):6.2f} ({min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    main()
