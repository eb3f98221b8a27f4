"""The targets of the attacks: small valid files of each kind, and their readers."""

import gzip
import io
import itertools
import json
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pandas as pd
import torch
from values import same

import holo_downstream
import holo_features
import holo_types
import holo_vae
from holo_downstream.affinity.labels import Labeled, LabelTable
from holo_downstream.affinity.predictor import write_predictor
from holo_downstream.affinity.regressors import Ensemble, HistogramBoosting, SupportVectors
from holo_downstream.affinity.study_files import PREDICTIONS, check_predictions, write_study
from holo_downstream.stability.fitting import SETTINGS as STABILITY
from holo_downstream.vectors.csv_files import read_csv
from holo_downstream.vectors.tables import Source, VectorTable
from holo_features.complexes.tables import complex_files
from holo_features.readers.archives import archive_members, read_member
from holo_features.spheres.idx import read_idx
from holo_features.spheres.mesh_sets import read_shape_labels
from holo_features.structures.selection import Selection
from holo_lab.mutations.description import describe_mutations
from holo_lab.mutations.tables import read_mutations
from holo_types import Basis, Embeddings, Holograms, ModelReference, PointClouds, SphereImages, Zernike
from holo_types.files.json_files import write_json
from holo_types.files.parquet_files import read_parquet
from holo_vae.networks.storage import write_model
from holo_vae.recipes.recipe import read_recipe, write_recipe
from holo_vae.serving.holograms import encode_coefficients, parse_holograms
from holo_vae.serving.limits import Deadline, Limits, RefusedRequest
from holo_vae.serving.structures import holograms_of, read_structures
from holo_vae.tracking.journal import (
    DataSet,
    File,
    Journal,
    Metrics,
    Parameters,
    RunStart,
    Status,
    read_journal,
)
from holo_vae.tracking.store import Store
from holo_vae.training.checkpoints import Checkpoint, Epoch, Progress, read_checkpoint, write_checkpoint

__all__ = ["TARGETS", "Target"]

PACKAGES = Path(__file__).resolve().parents[2]
sys.path.append(str(PACKAGES / "holo-features" / "fuzz"))

from originals import originals  # noqa: E402 - the small files of the session fuzz

_BASIS = Basis(lmax=2, radial=Zernike(nmax=4, cutoff=10.0), channels=("C", "N"))
_MODEL = ModelReference("attacked", "1", "0" * 64, "0" * 64)
_SDF = """one
  holo

  3  2  0  0  0  0  0  0  0  0999 V2000
    0.0000    0.0000    0.0000 C   0  0  0  0  0  0  0  0  0  0  0  0
    1.2000    0.0000    0.0000 O   0  0  0  0  0  0  0  0  0  0  0  0
   -0.6000    1.2000    0.0000 N   0  3  0  0  0  0  0  0  0  0  0  0
  1  2  2  0
  1  3  1  0
M  CHG  1   3   1
M  END
$$$$
"""
_MOL2 = """@<TRIPOS>MOLECULE
one
3 2 1 0 0
SMALL
USER_CHARGES

@<TRIPOS>ATOM
1 C1 0.0000 0.0000 0.0000 C.2 1 LIG 0.1
2 O1 1.2000 0.0000 0.0000 O.2 1 LIG -0.2
3 N1 -0.6000 1.2000 0.0000 N.3 1 LIG 0.1
@<TRIPOS>BOND
1 1 2 2
2 1 3 1
"""
_BIOMT = b"".join(
    b"%s\n" % line
    for line in (
        b"REMARK 350 BIOMOLECULE: 1, 2",
        b"REMARK 350 APPLY THE FOLLOWING TO CHAINS: A, B",
        b"REMARK 350   BIOMT1   1  1.000000  0.000000  0.000000        0.00000",
        b"REMARK 350   BIOMT2   1  0.000000  1.000000  0.000000        0.00000",
        b"REMARK 350   BIOMT3   1  0.000000  0.000000  1.000000       90.00000",
    )
)
_MUTATIONS = b"""file,chain,residue,wild_type,mutant,ddg,family
1abc.pdb,A,57,V,L,-1.5,one
1abc.pdb,A,58B,W,G,0.25,one
2abc.pdb,B,-3,K,E,-0.5,other
"""
_LABELS = b"""id,label,unit,cluster
1abc,6.5,pK,one
2abc,12.5,nM,other
3abc,-9.1,kcal/mol,other
"""
_OBJ = """v 0 0 0
v 1 0 0
v 0 1 0
v 0 0 1
f 1 3 2
f 1 2 4
f 2 3 4
f 3 1 4
"""


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
    """

    name: str
    files: tuple[Mapping[str, bytes], ...]
    read: Callable[[Path], Any]
    same: Callable[[Any, Any], bool] | None = None


def _each(suffix: str, contents: tuple[bytes, ...]) -> tuple[Mapping[str, bytes], ...]:
    return tuple({f"file{suffix}": content} for content in contents)


def _only(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def _folder(path: Path) -> Mapping[str, bytes]:
    return {
        file.name: file.read_bytes() for file in path.iterdir() if file.suffix != ".npz" and file.is_file()
    }


def _without(files: Mapping[str, bytes], name: str) -> Mapping[str, bytes]:
    return {each: content for each, content in files.items() if each != name}


def _written(write: Callable[[Path], object]) -> Mapping[str, bytes]:
    with tempfile.TemporaryDirectory() as name:
        write(Path(name))
        return _folder(Path(name))


def _data() -> tuple[Any, ...]:
    random = np.random.default_rng(0)
    rows = random.normal(size=(5, _BASIS.dim)).astype(np.float32)
    index = {"structure": np.array(["1abc"] * 5), "residue_number": np.arange(5)}
    frames = np.broadcast_to(np.eye(3), (5, 3, 3)).copy()
    return (
        Holograms(rows, _BASIS, index),
        Embeddings(random.normal(size=(5, 4)), frames, _MODEL, index),
        PointClouds(
            random.normal(size=(9, 3)), np.ones((9, 2)), np.array([0, 2, 4, 5, 8, 9]), ("C", "N"), index
        ),
        SphereImages(random.normal(size=(3, 1, 8, 8)), "driscoll-healy", ("image",)),
    )


def _hdf5() -> tuple[Mapping[str, bytes], ...]:
    return tuple(
        _written(lambda folder, one=one: holo_types.save(one, folder / "file.h5")) for one in _data()
    )


def _vectors(folder: Path) -> Any:
    return holo_downstream.read_vectors(_only(folder))


def _npz() -> Mapping[str, bytes]:
    file = io.BytesIO()
    np.savez(file, id=np.array(["1abc", "2xyz"]), vectors=np.eye(2))
    return {"file.npz": file.getvalue()}


def _table() -> Mapping[str, bytes]:
    frame = pd.DataFrame({"id": ["1abc", "2xyz"], "z_0": [1.0, 2.0], "z_1": [0.5, 0.1]})
    file = io.BytesIO()
    frame.to_parquet(file)
    return {"file.parquet": file.getvalue()}


def _archives() -> tuple[Mapping[str, bytes], ...]:
    pdb = originals("pdb")[0]
    tar, packed = io.BytesIO(), io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as file:
        for name in ("one.pdb", "folder/two.pdb"):
            info = tarfile.TarInfo(name)
            info.size = len(pdb)
            file.addfile(info, io.BytesIO(pdb))
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("one.pdb", "folder/two.pdb"):
            archive.writestr(name, pdb)
    return {"file.tar": tar.getvalue()}, {"file.zip": packed.getvalue()}


def _read_archive(folder: Path) -> Any:
    archive = _only(folder)
    members, _ = archive_members(archive)
    return [read_member(archive, name) for name in members]


def _read_assembly(folder: Path) -> Any:
    return holo_features.read_structure(_only(folder), Selection(assembly="1"))


def _requests() -> tuple[Mapping[str, bytes], ...]:
    pdb = originals("pdb")[0].decode()
    coefficients = encode_coefficients(np.zeros((2, _BASIS.dim), np.float32))
    return (
        {"request.json": json.dumps({"name": "a.pdb", "content": pdb, "residues": "A"}).encode()},
        {"request.json": json.dumps({"holograms": coefficients, "basis": _BASIS.digest}).encode()},
    )


def _answer(folder: Path) -> Any:
    """Decode a request like the service, and raise its refusals as errors."""
    try:
        row = json.loads(_only(folder).read_bytes())
        if not isinstance(row, dict) or not all(isinstance(value, str) for value in row.values()):
            raise holo_types.HoloError("the guard refuses it")
    except (ValueError, RecursionError):
        raise holo_types.HoloError("the guard refuses it") from None
    limits, deadline = Limits(max_seconds=5), Deadline(5)
    try:
        if "holograms" in row and "basis" in row:
            return parse_holograms(row["holograms"], row["basis"], _BASIS, limits, "row 0")
        given = [(row.get("name", ""), row.get("content", ""), row.get("residues"))]
        found = read_structures(given, _BASIS, limits, deadline)
        return [list(itertools.islice(holograms_of(one, _BASIS), 4)) for one in found]
    except RefusedRequest as refused:
        raise holo_types.HoloError(refused.reason) from None


def _recipes() -> tuple[Mapping[str, bytes], ...]:
    names = ("mnist-hae-z16", "microenvironment-z128", "mnist-classifier")
    return tuple(
        _written(lambda folder, name=name: write_recipe(holo_vae.find_recipe(name), folder / "recipe.yaml"))
        for name in names
    )


def _models() -> tuple[Mapping[str, bytes], ...]:
    """Write models in the current format, since older files have no digest of their whole content."""
    models = [holo_vae.load(_GOLDEN / "contracts" / name) for name in ("2-autoencoder", "2-classifier")]
    return tuple(_written(lambda folder, model=model: write_model(model, folder)) for model in models)


def _same_model(one: Any, other: Any) -> bool:
    return bool(one.reference == other.reference)


def _tables() -> tuple[Mapping[str, bytes], ...]:
    embeddings = _data()[1]

    def parts(folder: Path) -> None:
        with holo_types.PartsWriter(folder) as writer:
            writer.append(embeddings)

    one = _written(lambda folder: holo_types.write_table(embeddings, folder / "file.parquet"))
    return one, _written(parts)


def _state() -> Mapping[str, bytes]:
    epoch = Epoch(
        number=0,
        loss=1.5,
        parts={"mse": 1.5},
        validation={"mse": 2.0},
        validation_loss=2.0,
        learning_rate=1e-3,
        gradient_norm=0.5,
        seconds=3.0,
        samples_per_second=20.0,
        best=True,
    )
    checkpoint = Checkpoint(
        Progress(run="0" * 64, step=7, epochs=(epoch,), sums=(1.0, 0.5), seconds=0.25),
        {"weights": torch.arange(6.0), "average": torch.ones(2, 2, dtype=torch.float64)},
    )
    return _written(lambda folder: write_checkpoint(checkpoint, folder))


def _journal() -> Mapping[str, bytes]:
    def write(folder: Path) -> None:
        journal = Journal(folder / "journal.jsonl")
        for entry in (
            RunStart("attacked", None, "key", 1, {"user": "nobody"}),
            Parameters({"training.epochs": "3"}),
            DataSet("rows", "file.h5", "training", "0" * 64, 5, 25, "float32"),
            Metrics(2, 0, {"step/loss": 0.75, "step/seconds": 0.125}),
            File("recipe.yaml", None),
            Status("FINISHED", 3),
        ):
            journal.append(entry)
        journal.close()
        write_json(folder / "sent.json", {"offset": 120, "run_id": "1f", "experiment_id": "1"})

    return _written(write)


def _read_tracked(folder: Path) -> Any:
    path = folder / "journal.jsonl"
    return [entry for entry, _ in read_journal(path)], Store(path, folder).sent


def _study() -> holo_downstream.Study:
    names = np.array([f"{number}abc" for number in range(60)])
    vectors = np.random.default_rng(0).normal(size=(60, 2))
    table = VectorTable(names, vectors, Source("table", None, "", ("a", "b")))
    labels = [
        Labeled(name, 5 + x, name) for name, x in zip(names.tolist(), vectors[:, 0].tolist(), strict=True)
    ]
    return holo_downstream.run_study(
        table, LabelTable(tuple(labels)), holo_downstream.StudySettings("forest", seeds=2)
    )


def _complex_predictor() -> holo_downstream.ComplexPredictor:
    names = np.array([f"{number}abc" for number in range(30)])
    values = np.random.default_rng(0).normal(size=(30, 2))
    table = holo_downstream.FeatureTable(names, ("a", "b"), values, (frozenset({"C"}),) * 30, ("",) * 30)
    labels = [
        Labeled(name, 5 + x, name) for name, x in zip(names.tolist(), values[:, 0].tolist(), strict=True)
    ]
    members = (HistogramBoosting(4, 4, 2, 0.1, 1.0, 1.0), SupportVectors(2.0, 0.1, 0.3, 0.01))
    settings = holo_downstream.CrossFitSettings(Ensemble(members))
    return holo_downstream.cross_fit(table, labels, settings).predictor


def _residues() -> Embeddings:
    random, index = np.random.default_rng(0), {"structure": ["1abc"] * 4 + ["2abc"] * 4, "chain": ["A"] * 8}
    names = {"residue_number": np.arange(8), "insertion_code": [""] * 8, "residue_name": ["ALA"] * 8}
    frames, centers = np.tile(np.eye(3), (8, 1, 1)), random.uniform(0, 9, size=(8, 3))
    return Embeddings(random.normal(size=(8, 4)), frames, _MODEL, {**index, **names}, centers=centers)


def _stability_predictor() -> holo_downstream.StabilityPredictor:
    random = np.random.default_rng(0)
    one, other, around = random.normal(size=(3, 30, 2))
    names = ("a", "b")
    blocks = {name: holo_downstream.Columns(names, around) for name in STABILITY.sharpness}
    parts = (holo_downstream.Columns(names, values) for values in (one, other, other - one))
    exchanges = holo_downstream.Substitutions(blocks, *parts)
    ddg = (other - one)[:, 0]
    return holo_downstream.fit_stability(exchanges, ddg, np.arange(30) % 6, folds=3).predictor


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


_GOLDEN = PACKAGES / "holo-vae" / "tests" / "golden"
_STUDY = _study()
_PREDICTOR = next((PACKAGES / "holo-downstream" / "tests" / "golden").rglob("predictor.json")).parent

TARGETS = {
    target.name: target
    for target in (
        Target(
            "pdb", _each(".pdb", originals("pdb")), lambda folder: holo_features.read_structure(_only(folder))
        ),
        Target(
            "mmcif",
            _each(".cif", originals("mmcif")),
            lambda folder: holo_features.read_structure(_only(folder)),
        ),
        Target(
            "binarycif",
            _each(".bcif", originals("binarycif")),
            lambda folder: holo_features.read_structure(_only(folder)),
        ),
        Target(
            "packed",
            _each(".pdb.gz", tuple(map(gzip.compress, originals("pdb")[:2]))),
            lambda folder: holo_features.read_structure(_only(folder)),
        ),
        Target("assembly", _each(".pdb", (_BIOMT + originals("pdb")[0],)), _read_assembly),
        Target("archive", _archives(), _read_archive),
        Target(
            "sdf", _each(".sdf", (_SDF.encode(),)), lambda folder: holo_features.read_ligand(_only(folder))
        ),
        Target(
            "mol2", _each(".mol2", (_MOL2.encode(),)), lambda folder: holo_features.read_ligand(_only(folder))
        ),
        Target("off", _each(".off", originals("off")), lambda folder: holo_features.read_mesh(_only(folder))),
        Target("obj", _each(".obj", (_OBJ.encode(),)), lambda folder: holo_features.read_mesh(_only(folder))),
        Target("idx", _each(".idx", originals("idx")), lambda folder: read_idx(_only(folder))),
        Target(
            "packed idx",
            _each(".idx.gz", tuple(map(gzip.compress, originals("idx")))),
            lambda folder: read_idx(_only(folder)),
        ),
        Target(
            "shape labels",
            ({"file.csv": b"id,label\nchair,1\ntable,2\n"},),
            lambda folder: read_shape_labels(_only(folder)),
        ),
        Target(
            "complexes",
            ({"file.csv": b"id,protein,ligand\n1abc,1abc.pdb,1abc.sdf\n"},),
            lambda folder: list(complex_files(_only(folder))),
        ),
        Target("request", _requests(), _answer),
        Target("recipe", _recipes(), lambda folder: read_recipe(_only(folder))),
        Target("npz", (_npz(),), _vectors),
        Target("csv", ({"file.csv": b"id,label,C-C,C-N\n1abc,6.5,3,4\n2abc,5.1,0,1\n"},), _vectors),
        Target("table", (_table(),), _vectors),
        Target(
            "hdf5", _hdf5(), lambda folder: holo_types.load(_only(folder)), lambda one, other: one == other
        ),
        Target(
            "model",
            _models(),
            holo_vae.load,
            _same_model,
        ),
        Target("reference", (_folder(_GOLDEN / "reference" / "small"),), holo_vae.import_reference),
        Target("predictor", (_folder(_PREDICTOR),), holo_downstream.read_predictor),
        Target(
            "forest",
            (_written(lambda folder: write_predictor(_STUDY.predictor, folder)),),
            holo_downstream.read_predictor,
            same,
        ),
        Target(
            "complex-predictor",
            (_written(lambda folder: holo_downstream.write_complex_predictor(_complex_predictor(), folder)),),
            holo_downstream.read_complex_predictor,
            same,
        ),
        Target(
            "study",
            (_without(_written(lambda folder: write_study(_STUDY, folder)), "skipped.csv"),),
            _read_study,
            same,
        ),
        Target("parquet", _tables(), lambda folder: read_parquet(_only(folder)).to_pydict(), same),
        Target(
            "mutated",
            (
                *_each(".pdb", originals("pdb")),
                *_each(".cif", originals("mmcif")),
                *_each(".bcif", originals("binarycif")),
            ),
            _mutated,
        ),
        Target(
            "mutations",
            ({"file.csv": _MUTATIONS},),
            lambda folder: read_mutations(_only(folder), measured=True),
        ),
        Target(
            "affinity labels",
            ({"file.csv": _LABELS},),
            lambda folder: holo_downstream.read_labels(_only(folder), unit="column"),
        ),
        Target(
            "stability predictor",
            (
                _written(
                    lambda folder: holo_downstream.write_stability_predictor(
                        _stability_predictor(), folder / "predictor.h5", {"model": "a", "model_digest": "b"}
                    )
                ),
            ),
            lambda folder: holo_downstream.read_stability_predictor(_only(folder)),
            same,
        ),
        Target(
            "search index",
            (_written(lambda folder: holo_downstream.write_search_index(_residues(), folder)),),
            holo_downstream.read_search_index,
            same,
        ),
        Target("state", (_state(),), read_checkpoint, same),
        Target("journal", (_journal(),), _read_tracked, same),
    )
}
