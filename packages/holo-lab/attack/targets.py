"""The targets of the attacks: kinds of files, and their readers."""

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from examples import BASIS, EXAMPLES, write_atom3d
from values import same

import holo_downstream
import holo_features
import holo_types
import holo_vae
from holo_downstream.affinity.study_files import PREDICTIONS, check_predictions
from holo_downstream.probes.shrec17 import read_ranked_lists
from holo_downstream.vectors.csv_files import read_csv
from holo_features.complexes import lmdb_trial
from holo_features.complexes.tables import complex_files
from holo_features.readers.archives import archive_members, read_member
from holo_features.spheres.idx import read_idx
from holo_features.spheres.mesh_sets import read_shape_labels
from holo_features.structures.selection import Selection
from holo_lab.mutations.description import describe_mutations
from holo_lab.mutations.tables import read_mutations
from holo_types.files.parquet_files import read_parquet
from holo_vae.data.structure_sets import read_table
from holo_vae.evaluation.structure_table import read_structure_table
from holo_vae.recipes.data import StructureData
from holo_vae.recipes.recipe import read_recipe
from holo_vae.serving.forms import given_rows, is_of_structures, one_batch, structures_of
from holo_vae.serving.holograms import parse_holograms
from holo_vae.serving.limits import Deadline, Limits, RefusedRequest
from holo_vae.serving.structures import holograms_of, read_structures
from holo_vae.tracking.journal import read_journal
from holo_vae.tracking.store import Store
from holo_vae.tracking.training_record import read_training_record
from holo_vae.training.checkpoints import read_checkpoint
from holo_vae.web.records import records_of

__all__ = ["TARGETS", "Target"]


@attrs.frozen
class Target:
    """A kind of file, and its reader.

    Parameters
    ----------
    name
        The name on the command line.
    files
        Small valid sets of files, each as a mapping from relative names to contents.
    read
        A function of the folder that returns what a caller would get.
    same
        A function that compares two results, or None for kinds that the project does not write, in which flipped
        bits may go unnoticed.
    one_in
        One in so many cases is run, if the reader starts a process for each file.
    """

    name: str
    files: tuple[Mapping[str, bytes], ...]
    read: Callable[[Path], Any]
    same: Callable[[Any, Any], bool] | None = None
    one_in: int = 1


def _only(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def _vectors(folder: Path) -> Any:
    return holo_downstream.read_vectors(_only(folder))


def _read_archive(folder: Path) -> Any:
    archive = _only(folder)
    members, _ = archive_members(archive)
    return [read_member(archive, name) for name in members]


def _read_assembly(folder: Path) -> Any:
    return holo_features.read_structure(_only(folder), Selection(assembly="1"))


def _answer(folder: Path) -> Any:
    """Decode a request like the service, and raise its refusals as errors."""
    limits, deadline = Limits(max_seconds=5), Deadline(5)
    try:
        rows = given_rows(records_of(_only(folder).read_bytes(), limits), limits)
        if not is_of_structures(rows):
            digest, text = one_batch(rows)
            return parse_holograms(text, digest, BASIS, limits, "row 0")
        found = read_structures(structures_of(rows), BASIS, limits, deadline)
        return [list(itertools.islice(holograms_of(one, BASIS), 4)) for one in found]
    except RefusedRequest as refused:
        raise holo_types.HoloError(refused.reason) from None


def _read_tracked(folder: Path) -> Any:
    path = folder / "journal.jsonl"
    return [entry for entry, _ in read_journal(path)], Store(path, folder).sent


def _mutated(folder: Path) -> Any:
    """Read a structure and describe all its mutations, as a scan does, and write it with a value for each atom."""
    structure = holo_features.read_structure(_only(folder))
    mutations = holo_features.all_mutations(structure)
    described = describe_mutations(structure, mutations, None)
    holo_features.write_structure(structure, folder / "written.cif", np.zeros(len(structure.atoms)))
    return described


def _read_study(folder: Path) -> Any:
    check_predictions(folder)
    return read_csv(folder / PREDICTIONS)


def _read_atom3d(folder: Path) -> Any:
    sources = list(holo_features.find_complexes(folder).sources)
    return [holo_features.read_complex(source) for source in sources]


def _read_atom3d_record(folder: Path) -> Any:
    write_atom3d(_only(folder).read_bytes(), folder / "data")
    # The file is our own, so that no process need try it first.
    lmdb_trial._known[lmdb_trial._identity(folder / "data" / "data.mdb")] = 4
    return _read_atom3d(folder / "data")


def _read_pdbqt(folder: Path) -> Any:
    protein = holo_features.read_structure(folder / "protein.pdbqt")
    return protein, holo_features.read_ligand(folder / "ligand.pdbqt")


def _structure(folder: Path) -> Any:
    return holo_features.read_structure(_only(folder))


def _ligand(folder: Path) -> Any:
    return holo_features.read_ligand(_only(folder))


def _mesh(folder: Path) -> Any:
    return holo_features.read_mesh(_only(folder))


_DATA = StructureData(kind="structures", columns=("cluster",))
_READERS: Mapping[str, Callable[[Path], Any]] = {
    "pdb": _structure,
    "mmcif": _structure,
    "binarycif": _structure,
    "packed": _structure,
    "assembly": _read_assembly,
    "archive": _read_archive,
    "pdbqt": _read_pdbqt,
    "sdf": _ligand,
    "mol2": _ligand,
    "off": _mesh,
    "obj": _mesh,
    "ply": _mesh,
    "stl": _mesh,
    "idx": lambda folder: read_idx(_only(folder)),
    "packed idx": lambda folder: read_idx(_only(folder)),
    "shape labels": lambda folder: read_shape_labels(_only(folder)),
    "ranked lists": read_ranked_lists,
    "complexes": lambda folder: list(complex_files(_only(folder))),
    "atom3d": _read_atom3d,
    "atom3d record": _read_atom3d_record,
    "request": _answer,
    "recipe": lambda folder: read_recipe(_only(folder)),
    "training structures": lambda folder: read_table(_DATA, folder),
    "structure table": read_structure_table,
    "npz": _vectors,
    "csv": _vectors,
    "table": _vectors,
    "hdf5": lambda folder: holo_types.load(_only(folder)),
    "model": holo_vae.load,
    "reference": holo_vae.import_reference,
    "predictor": holo_downstream.read_predictor,
    "forest": holo_downstream.read_predictor,
    "complex-predictor": holo_downstream.read_complex_predictor,
    "study": _read_study,
    "parquet": lambda folder: read_parquet(_only(folder)).to_pydict(),
    "mutated": _mutated,
    "mutations": lambda folder: read_mutations(_only(folder), measured=True),
    "affinity labels": lambda folder: holo_downstream.read_labels(_only(folder), unit="column"),
    "stability predictor": lambda folder: holo_downstream.read_stability_predictor(_only(folder)),
    "search index": holo_downstream.read_search_index,
    "state": read_checkpoint,
    "journal": _read_tracked,
    "training record": lambda folder: read_training_record(_only(folder)),
}
# The kinds that the project writes with checksums, and how two results are compared.
_SAME: Mapping[str, Callable[[Any, Any], bool]] = {
    "hdf5": lambda one, other: bool(one == other),
    "model": lambda one, other: bool(one.reference == other.reference),
    **dict.fromkeys(
        (
            "forest",
            "complex-predictor",
            "study",
            "parquet",
            "stability predictor",
            "search index",
            "state",
            "journal",
            "training record",
        ),
        same,
    ),
}
_ONE_IN = {"atom3d": 20}
TARGETS = {
    name: Target(name, EXAMPLES[name], read, _SAME.get(name), _ONE_IN.get(name, 1))
    for name, read in _READERS.items()
}
