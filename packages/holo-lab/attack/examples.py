"""Small valid files of each kind that Holo reads."""

import gzip
import io
import json
import struct
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
import pandas as pd
import torch

import holo_downstream
import holo_types
import holo_vae
from holo_downstream.affinity.labels import Labeled, LabelTable
from holo_downstream.affinity.predictor import write_predictor
from holo_downstream.affinity.regressors import Ensemble, HistogramBoosting, SupportVectors
from holo_downstream.affinity.study_files import write_study
from holo_downstream.stability.fitting import SETTINGS as STABILITY
from holo_downstream.vectors.tables import Source, VectorTable
from holo_types import Basis, Embeddings, Holograms, ModelReference, PointClouds, SphereImages, Zernike
from holo_types.files.json_files import write_json
from holo_vae.networks.storage import write_model
from holo_vae.recipes.recipe import write_recipe
from holo_vae.serving.holograms import encode_coefficients
from holo_vae.tracking.journal import DataSet, File, Journal, Metrics, Parameters, RunStart, Status
from holo_vae.tracking.training_record import TrainingRecord, write_training_record
from holo_vae.training.checkpoints import Checkpoint, Epoch, Progress, write_checkpoint

__all__ = ["BASIS", "EXAMPLES", "write_atom3d"]

PACKAGES = Path(__file__).resolve().parents[2]
sys.path.append(str(PACKAGES / "holo-features" / "fuzz"))

from originals import originals  # noqa: E402 - the small files of the session fuzz

BASIS = Basis(lmax=2, radial=Zernike(nmax=4, cutoff=10.0), channels=("C", "N"))
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
_STRUCTURES = b"""file,split,chain,cluster
one.pdb,train,A,first
two.pdb,valid,A B,second
three.pdb,test,,third
"""
_NO_STRUCTURES = dict.fromkeys(("one.pdb", "two.pdb", "three.pdb"), b"")
_FACES = [[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]]
_OBJ = """v 0 0 0
v 1 0 0
v 0 1 0
v 0 0 1
f 1 3 2
f 1 2 4
f 2 3 4
f 3 1 4
"""


def _each(suffix: str, contents: tuple[bytes, ...]) -> tuple[Mapping[str, bytes], ...]:
    return tuple({f"file{suffix}": content} for content in contents)


def _folder(path: Path) -> Mapping[str, bytes]:
    return {
        file.name: file.read_bytes() for file in path.iterdir() if file.suffix != ".npz" and file.is_file()
    }


def _written(write: Callable[[Path], object]) -> Mapping[str, bytes]:
    with tempfile.TemporaryDirectory() as name:
        write(Path(name))
        return _folder(Path(name))


def _data() -> tuple[Any, ...]:
    random = np.random.default_rng(0)
    rows = random.normal(size=(5, BASIS.dim)).astype(np.float32)
    index = {"structure": np.array(["1abc"] * 5), "residue_number": np.arange(5)}
    frames = np.broadcast_to(np.eye(3), (5, 3, 3)).copy()
    return (
        Holograms(rows, BASIS, index),
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


def _requests() -> tuple[Mapping[str, bytes], ...]:
    structure = {"name": "a.pdb", "content": originals("pdb")[0].decode(), "residues": "A"}
    coefficients = encode_coefficients(np.zeros((2, BASIS.dim), np.float32))
    holograms = {"holograms": coefficients, "basis": BASIS.digest}
    forms = (
        {"dataframe_records": [structure]},
        {"dataframe_split": {"columns": list(structure), "data": [list(structure.values())]}},
        {"instances": [holograms]},
        {"inputs": {name: [value] for name, value in holograms.items()}},
    )
    return tuple({"request.json": json.dumps(form).encode()} for form in forms)


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


def _write_study(folder: Path) -> None:
    write_study(_STUDY, folder)
    (folder / "skipped.csv").unlink()  # nothing is verified in it


def _write_stability_predictor(folder: Path) -> None:
    source = {"model": "a", "model_digest": "b"}
    holo_downstream.write_stability_predictor(_stability_predictor(), folder / "predictor.h5", source)


def _ply() -> tuple[Mapping[str, bytes], ...]:
    """Write a tetrahedron as triangles and as one strip of them, as text and as bytes."""
    header = "ply\nformat {} 1.0\nelement vertex 4\nproperty float x\nproperty float y\nproperty float z\n"
    header += "element {} {}\nproperty list uchar int vertex_indices\nend_header\n"
    corners = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]
    contents = []
    for kind, lists in (("face", _FACES), ("tristrips", [[0, 1, 2, 3, 0, 1]])):
        text = header.format("ascii", kind, len(lists))
        text += "".join(
            " ".join(map(str, row)) + "\n" for row in corners + [[len(one), *one] for one in lists]
        )
        packed = header.format("binary_little_endian", kind, len(lists)).encode()
        packed += b"".join(struct.pack("<3f", *corner) for corner in corners)
        packed += b"".join(struct.pack(f"<B{len(one)}i", len(one), *one) for one in lists)
        contents += [text.encode(), packed]
    return _each(".ply", tuple(contents))


def _stl() -> bytes:
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], dtype="<f4")
    triangles = [np.zeros(3, "<f4").tobytes() + corners[face].tobytes() + b"\0\0" for face in _FACES]
    return bytes(80) + struct.pack("<I", len(triangles)) + b"".join(triangles)


def _pdbqt() -> Mapping[str, bytes]:
    record = "ATOM  {:5d}  {:3s} {} A   1    {:8.3f}   2.000   3.000  1.00  0.00    -0.250 {}\n"
    protein = [("N", "N"), ("CA", "C"), ("C", "C"), ("O", "OA")]
    ligand = [("C1", "C"), ("O1", "OA")]
    texts = {
        name: "".join(
            record.format(i, atom, residue, 1.5 * i, kind) for i, (atom, kind) in enumerate(atoms, start=1)
        )
        for name, residue, atoms in (("protein", "ALA", protein), ("ligand", "LIG", ligand))
    }
    return {
        "protein.pdbqt": texts["protein"].encode(),
        "ligand.pdbqt": f"REMARK  one\nROOT\n{texts['ligand']}ENDROOT\nTORSDOF 0\n".encode(),
    }


def _atom3d_record() -> Mapping[str, Any]:
    """Return a record of ATOM3D's data of affinities."""
    columns = ["chain", "residue", "insertion_code", "resname", "hetero", "name", "element", "x", "y", "z"]
    residue = [
        ["A", 1, " ", "ALA", " ", name, name[0], i, 0.0, 0.5] for i, name in enumerate(("N", "CA", "C"))
    ]
    ligand = [
        ["L", 1, " ", "LIG", "H_LIG", name, name[0], 1.0, i, 3.0] for i, name in enumerate(("C1", "O1"))
    ]
    frames = {"protein": residue, "pocket": residue, "ligand": ligand}
    return {
        "id": "1abc",
        **{f"atoms_{part}": {"columns": columns, "data": rows} for part, rows in frames.items()},
        "scores": {"neglog_aff": 6.5},
    }


def write_atom3d(record: bytes, folder: Path) -> None:
    """Write a record, as JSON, into an LMDB file as ATOM3D does."""
    with (
        lmdb.open(str(folder), map_size=1 << 20, lock=False) as environment,
        environment.begin(write=True) as transaction,
    ):
        transaction.put(b"0", gzip.compress(record))
        transaction.put(b"num_examples", b"1")
        transaction.put(b"serialization_format", b"json")
        transaction.put(b"id_to_idx", b'{"1abc": 0}')


def _write_training_record(folder: Path) -> None:
    digests = np.array([3, 5, 2**63], dtype=np.uint64)
    write_training_record(TrainingRecord({"cluster": ("a", "b")}, 3, digests), folder / "record.json")


_GOLDEN = PACKAGES / "holo-vae" / "tests" / "golden"
_PREDICTOR = next((PACKAGES / "holo-downstream" / "tests" / "golden").rglob("predictor.json")).parent
_STUDY = _study()

EXAMPLES: Mapping[str, tuple[Mapping[str, bytes], ...]] = {
    "pdb": _each(".pdb", originals("pdb")),
    "mmcif": _each(".cif", originals("mmcif")),
    "binarycif": _each(".bcif", originals("binarycif")),
    "packed": _each(".pdb.gz", tuple(map(gzip.compress, originals("pdb")[:2]))),
    "assembly": _each(".pdb", (_BIOMT + originals("pdb")[0],)),
    "archive": _archives(),
    "pdbqt": (_pdbqt(),),
    "sdf": ({"file.sdf": _SDF.encode()},),
    "mol2": ({"file.mol2": _MOL2.encode()},),
    "off": _each(".off", originals("off")),
    "obj": ({"file.obj": _OBJ.encode()},),
    "ply": _ply(),
    "stl": ({"file.stl": _stl()},),
    "idx": _each(".idx", originals("idx")),
    "packed idx": _each(".idx.gz", tuple(map(gzip.compress, originals("idx")))),
    "shape labels": ({"file.csv": b"id,label\nchair,1\ntable,2\n"},),
    "ranked lists": ({"000001": b"000001 0\n000007 0.25\n", "000007": b"000007 0\n"},),
    "complexes": ({"file.csv": b"id,protein,ligand\n1abc,1abc.pdb,1abc.sdf\n"},),
    "atom3d": (_written(lambda folder: write_atom3d(json.dumps(_atom3d_record()).encode(), folder)),),
    "atom3d record": ({"record.json": json.dumps(_atom3d_record()).encode()},),
    "request": _requests(),
    "recipe": _recipes(),
    "training structures": ({"index.tsv": _STRUCTURES.replace(b",", b"\t"), **_NO_STRUCTURES},),
    "structure table": ({"structures.csv": _STRUCTURES},),
    "npz": (_npz(),),
    "csv": ({"file.csv": b"id,label,C-C,C-N\n1abc,6.5,3,4\n2abc,5.1,0,1\n"},),
    "table": (_table(),),
    "hdf5": _hdf5(),
    "model": _models(),
    "reference": (_folder(_GOLDEN / "reference" / "small"),),
    "predictor": (_folder(_PREDICTOR),),
    "forest": (_written(lambda folder: write_predictor(_STUDY.predictor, folder)),),
    "complex-predictor": (
        _written(lambda folder: holo_downstream.write_complex_predictor(_complex_predictor(), folder)),
    ),
    "study": (_written(_write_study),),
    "parquet": _tables(),
    "mutated": (
        *_each(".pdb", originals("pdb")),
        *_each(".cif", originals("mmcif")),
        *_each(".bcif", originals("binarycif")),
    ),
    "mutations": ({"file.csv": _MUTATIONS},),
    "affinity labels": ({"file.csv": _LABELS},),
    "stability predictor": (_written(_write_stability_predictor),),
    "search index": (_written(lambda folder: holo_downstream.write_search_index(_residues(), folder)),),
    "state": (_state(),),
    "journal": (_journal(),),
    "training record": (_written(_write_training_record),),
}
