"""Time encoding structure files as holograms on disk: residues per second of one core, and the time of each stage.

``nox -s bench -- holo-features --reference DIR`` also runs the reference, a checkout of gvisani/Holographic-VAE (it
needs biopython and scikit-learn in addition to Holo's environment), by its Biopython-based path and its own functions
in their own order: ``get_structural_info``, ``get_neighborhoods``, ``get_zernikegrams``. First, a check makes sure that
both agree on the same files. The files are the example structures written as PDB, the one format that the reference
reads, or those of ``--structures DIR``.

Both run in this process on one thread, in turns, so that other load on the machine slows both. Rates are medians over
processor time, with the smallest and the largest. The fraction of time that this process waited, for others or for the
disk, is reported: on a busy machine the ratios are valid, the rates are not.
"""

import argparse
import importlib
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import h5py
import numpy as np
from biotite.structure.io.pdb import PDBFile
from numpy.typing import NDArray

from holo_features import encode_structures, read_structure, zernike_transform
from holo_features.datasets import example_structures
from holo_features.surroundings.neighbors import cut_neighborhoods
from holo_types import Basis, Writer, Zernike

CHANNELS = ("C", "N", "O", "S")
DEFAULT = Basis(lmax=6, radial=Zernike(nmax=20, cutoff=10.0), channels=CHANNELS)
# The encoding of the published protein models, which is the reference's own.
REFERENCE = Basis(
    lmax=6,
    radial=Zernike(nmax=20, cutoff=10.0, normalization="floor"),
    channels=CHANNELS,
    angular_normalization="component",
    point_normalization="unit",
)
REPEATS = 5
REFERENCE_FILES = 3  # it needs more than a second for each

AMINO_ACIDS = {
    "ALA": "A",
    "CYS": "C",
    "ASP": "D",
    "GLU": "E",
    "PHE": "F",
    "GLY": "G",
    "HIS": "H",
    "ILE": "I",
    "LYS": "K",
    "LEU": "L",
    "MET": "M",
    "ASN": "N",
    "PRO": "P",
    "GLN": "Q",
    "ARG": "R",
    "SER": "S",
    "THR": "T",
    "VAL": "V",
    "TRP": "W",
    "TYR": "Y",
}
Coefficients = NDArray[np.float32]


# The two ways from files to holograms on disk


def holo(paths: Sequence[Path], out: Path, basis: Basis = DEFAULT, workers: int = 1) -> int:
    """Encode files with holo-features, as its command line does; return the number of residues."""
    with Writer(out) as writer:
        for encoded in encode_structures(paths, basis, workers=workers):
            if encoded.holograms is not None:
                writer.append(encoded.holograms)
        return len(writer)


class Reference:
    """The reference's functions, imported from a checkout."""

    def __init__(self, folder: Path) -> None:
        sys.path.insert(0, str(folder))
        package = "experiments.protein_neighborhoods.src.preprocessing"
        self.information = importlib.import_module(f"{package}.get_structural_info").get_structural_info
        self.neighborhoods = importlib.import_module(f"{package}.get_neighborhoods").get_neighborhoods
        self.zernikegrams = importlib.import_module(f"{package}.get_zernikegrams").get_zernikegrams
        importlib.import_module("torch").set_num_threads(1)

    def encode(self, path: Path) -> tuple[Coefficients, NDArray[np.bytes_]]:
        """Return a file's coefficients and residue ids, as the reference's ``hvae_inference`` makes them."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            proteins = self.information(str(path))
            found = self.neighborhoods(proteins, remove_central_residue=False)
            # It fails entirely at a residue that is not one of the twenty.
            known = np.isin(found["res_id"][:, 0], [letter.encode() for letter in AMINO_ACIDS.values()])
            made = self.zernikegrams(found[known], 10.0, 20, 6, list(CHANNELS), rst_normalization="square")
        return made["zernikegrams"], made["data_ids"]

    def write(self, paths: Sequence[Path], out: Path) -> int:
        """Encode files and write them, uncompressed, which is the least that it could do."""
        parts = [self.encode(path) for path in paths]
        with h5py.File(out, "w") as file:
            file["zernikegram"] = np.concatenate([coefficients for coefficients, _ in parts])
            file["res_id"] = np.concatenate([ids for _, ids in parts])
        return sum(len(ids) for _, ids in parts)


def check_agreement(reference: Reference, paths: Sequence[Path]) -> None:
    """Assert that both yield the same residues and, to float32 rounding, the same coefficients."""
    worst = 0.0
    count = 0
    for path in paths:
        (encoded,) = encode_structures([path], REFERENCE)
        assert encoded.holograms is not None, encoded.error
        theirs, ids = reference.encode(path)
        index = encoded.holograms.index
        ours = {
            (AMINO_ACIDS[name], chain, str(number), code): row
            for row, (name, chain, number, code) in enumerate(
                zip(
                    *(
                        index[c].tolist()
                        for c in ("residue_name", "chain", "residue_number", "insertion_code")
                    ),
                    strict=True,
                )
            )
            if name in AMINO_ACIDS
        }
        keys = [tuple(part.decode().strip() for part in ids[row, [0, 2, 3, 4]]) for row in range(len(ids))]
        assert set(keys) == set(ours), f"{path.name}: other residues: {sorted(set(keys) ^ set(ours))[:5]}"
        rows = [ours[key] for key in keys]  # type: ignore[index]
        errors = np.abs(theirs - encoded.holograms.coefficients[rows]).max(axis=1)
        errors /= np.abs(theirs).max(axis=1)
        bad = np.flatnonzero(errors > 1e-4)
        assert len(bad) == 0, (
            f"{path.name}: {len(bad)} residues differ, such as {keys[bad[0]]}: {errors.max():.1e}"
        )
        worst, count = max(worst, float(errors.max())), count + len(rows)
    print(
        f"agreement with the reference: {count} residues of {len(paths)} files, the same ones; "
        f"coefficients to {worst:.1e} of a residue's largest"
    )


# Measuring


def measure(functions: dict[str, Callable[[], int]]) -> tuple[dict[str, list[float]], float]:
    """Call functions in turns; return residues per second of processor time, and the fraction of time waited."""
    rates: dict[str, list[float]] = {name: [] for name in functions}
    worked = passed = 0.0
    for _ in range(REPEATS):
        for name, function in functions.items():
            wall, processor = time.perf_counter(), time.process_time()
            residues = function()
            wall, processor = time.perf_counter() - wall, time.process_time() - processor
            rates[name].append(residues / processor)
            worked, passed = worked + processor, passed + wall
    return rates, 1 - worked / passed


def spread(values: Sequence[float]) -> str:
    """Return repetitions as text: the median, and the smallest and the largest."""
    return f"{statistics.median(values):8,.0f}  ({min(values):,.0f} to {max(values):,.0f})"


def stages(paths: Sequence[Path], folder: Path) -> None:
    """Print the processor time of each stage of holo-features on one core."""
    seconds = dict.fromkeys(("reading", "neighborhoods", "projection", "writing"), 0.0)
    residues = 0

    def timed(stage: str, function: Callable[..., object], *arguments: object) -> object:
        start = time.process_time()
        result = function(*arguments)
        seconds[stage] += time.process_time() - start
        return result

    with Writer(folder / "stages.h5") as writer:
        for path in paths:
            structure = timed("reading", read_structure, path)
            clouds = timed("neighborhoods", cut_neighborhoods, structure).clouds  # type: ignore[attr-defined]
            holograms = timed("projection", zernike_transform, clouds, DEFAULT)
            timed("writing", writer.append, holograms)
            residues += len(holograms)  # type: ignore[arg-type]
        timed("writing", writer.commit)
    total = sum(seconds.values())
    parts = ", ".join(f"{name} {1e6 * s / residues:.0f} µs ({s / total:.0%})" for name, s in seconds.items())
    print(f"  {paths[0].suffix.lstrip('.') if paths[0].suffix != '.gz' else 'bcif.gz':8} {parts}")


def as_pdb(paths: Sequence[Path], folder: Path) -> list[Path]:
    """Write structures as PDB files."""
    made = []
    for path in paths:
        structure = read_structure(path)
        file = PDBFile()
        file.set_structure(structure.atoms)
        made.append(folder / f"{structure.name}.pdb")
        file.write(made[-1])
    return made


def main() -> None:
    """Print the rates, their ratio, and the stages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reference", type=Path, help="a checkout of gvisani/Holographic-VAE")
    parser.add_argument("--structures", type=Path, help="a folder of PDB files to encode")
    options, _ = parser.parse_known_args()  # the rest belongs to the package's other benchmarks
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.structures is None:
            paths = as_pdb(example_structures(), folder)
        else:
            paths = sorted(options.structures.glob("*.pdb"))[:40]
        out = folder / "out.h5"
        functions: dict[str, Callable[[], int]] = {"holo-features, PDB": lambda: holo(paths, out)}
        if options.structures is None:
            functions["holo-features, BinaryCIF (.bcif.gz)"] = lambda: holo(example_structures(), out)
        if options.reference is not None:
            reference = Reference(options.reference)
            few = paths[:REFERENCE_FILES]
            check_agreement(reference, few)
            functions["holo-features, PDB, the reference's encoding"] = lambda: holo(paths, out, REFERENCE)
            functions["reference"] = lambda: reference.write(few, folder / "reference.h5")
        rates, waited = measure(functions)
        print(
            "residues per second of one core, from structure files to an HDF5 file (lmax 6, nmax 20, 10 Å);"
        )
        print(f"medians of {REPEATS}, {waited:.0%} of the time waited:")
        for label, values in rates.items():
            print(f"  {label:46}{spread(values)}")
        if options.reference is not None:
            theirs = statistics.median(rates["reference"])
            for label in list(functions)[:-1]:
                print(f"  {label:46}{statistics.median(rates[label]) / theirs:8.0f} times the reference")
        print("processor time of each stage, a residue:")
        stages(paths, folder)
        if options.structures is None:
            stages(example_structures(), folder)


if __name__ == "__main__":
    main()
