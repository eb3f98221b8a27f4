"""Rows for the table of docs/results/search.md on scale: residues as they are, and again with their atoms moved.

    python docs/results/search/copies.py PROTEINS... --out rows/ --rows 10000000

Each of the folders is searched for PDB files with a protein (all of chains/, else those called protein.pdb). Copy 0
of a protein has its atoms where they are; in the others each was moved by .2 or .4 Å (standard deviation along each
axis) in turns, anew for each copy. The column ``structure`` names the protein and its copy, as ``1abc#3``. What was
interrupted is continued by the same command.
"""

import argparse
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs
import numpy as np

import holo_features
from holo_features import Structure
from holo_types import Embeddings, HoloError, PartsWriter
from holo_vae import Model, load
from holo_vae.embedding import unchanging

MODEL = "microenvironment-z128"
NOISES = (0.2, 0.4)  # Å


def proteins(folders: Sequence[Path]) -> dict[str, Path]:
    """Return the files of proteins by name, those of complexes by that of their folder, each name once."""
    found: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(folder.glob("chains/*.pdb")):
            found.setdefault(path.stem, path)
        for path in sorted(folder.rglob("protein.pdb")):
            found.setdefault(path.parent.name, path)
    return found


def moved(structure: Structure, name: str, copy: int) -> Structure:
    """Move the atoms of a structure, those of copy 0 not at all."""
    if copy == 0:
        return structure
    generator = np.random.default_rng([zlib.crc32(name.encode()), copy])
    atoms = structure.atoms.copy()
    off = generator.normal(scale=NOISES[(copy - 1) % len(NOISES)], size=atoms.coord.shape)
    atoms.coord = (atoms.coord + off).astype(np.float32)
    return attrs.evolve(structure, atoms=atoms)


def embedded(path: Path, name: str, copy: int, model: Model) -> Embeddings | None:
    """Embed a copy of a protein; None where the file cannot be used."""
    radial, channels = model.config.basis.radial, model.config.basis.channels
    assert radial is not None
    try:
        structure = moved(holo_features.read_structure(path), name, copy)
        clouds = holo_features.neighborhoods(structure, radial.cutoff, channels)
    except HoloError:
        return None
    if not len(clouds):
        return None
    holograms = holo_features.zernike_transform(clouds, model.config.basis, np.float32)
    rows = model.encode(holograms)
    return attrs.evolve(rows, index=rows.index.assign(structure=[f"{name}#{copy}"] * len(rows)))


def wanted(files: dict[str, Path], done: frozenset[str]) -> Iterator[tuple[str, int]]:
    """Name copies that are not done, the first of all proteins before the second of any."""
    copy = 0
    while True:
        yield from ((name, copy) for name in files if f"{name}#{copy}" not in done)
        copy += 1


def main() -> None:
    """Embed until there are as many rows as asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=10_000_000)
    given = parser.parse_args()
    model, files = unchanging(load(MODEL, Model)), proteins(given.folders)
    if not files:
        raise SystemExit("there is no protein in these folders; they must have chains/*.pdb or protein.pdb")
    with PartsWriter(given.out, resume=True) as writer:
        done = writer.written("structure") if len(writer) else frozenset()
        for name, copy in wanted(files, done):
            if len(writer) >= given.rows:
                break
            rows = embedded(files[name], name, copy, model)
            if rows is not None:
                writer.append(rows)
        print(f"{given.out}: {len(writer)} rows")


if __name__ == "__main__":
    main()
