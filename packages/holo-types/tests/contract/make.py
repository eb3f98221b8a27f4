"""Write the contract files: one small file of each type, in the present schema version.

A schema version that is once released keeps its files as they are; only a new version gets new ones, and
what it cannot hold yet is left out of its examples:
``python make.py`` writes them to the folder of `holo_types.SCHEMA_VERSION`, and refuses one that is there.
"""

from pathlib import Path

import attrs
import numpy as np

import holo_types

_VALUES = np.array([0.0, -0.0, 1.0, -1.5, 5e-324, 1e-40, np.pi, 1.7976931348623157e308])
_FLOAT32 = np.array([0.0, -0.0, 1.0, -1.5, 1e-45, 3.4028235e38, np.pi, 2 / 3], dtype=np.float32)
_RESIDUES = {
    "structure": ["1abc", "1abc", "2xyz"],
    "model": [1, 1, 1],
    "chain": ["A", "A", "β"],
    "residue_number": [-1, 52, 52],
    "insertion_code": ["", "", "A"],
    "residue_name": ["MET", "GLY", "ALA"],
}
_BASIS = holo_types.Basis(
    lmax=1,
    radial=holo_types.Zernike(nmax=2, cutoff=10.0, normalization="floor"),
    channels=("C", "N"),
    angular_normalization="component",
    point_normalization="unit",
)

EXAMPLES_OF_VERSION_1 = {
    "PointClouds": holo_types.PointClouds(
        np.resize(_VALUES, (5, 3)),
        np.resize(_FLOAT32, (5, 2)),
        np.array([0, 2, 2, 5]),
        ("C", "N"),
        {"structure": ["1abc", "1abc", "2xyz"]},
    ),
    "SphereImages": holo_types.SphereImages(
        np.resize(_FLOAT32, (3, 1, 4, 4)),
        "driscoll-healy",
        ("image",),
        {"image": [0, 1, 2], "label": [7, 2, 1]},
    ),
    "Holograms": holo_types.Holograms(np.resize(_FLOAT32, (3, _BASIS.dim)), _BASIS, _RESIDUES),
    "Embeddings": holo_types.Embeddings(
        np.resize(_FLOAT32, (3, 4)),
        np.resize(_FLOAT32, (3, 3, 3)),
        holo_types.ModelReference("demo", "1", "0" * 64, _BASIS.digest),
        {"image": [0, 1, 2]},
        log_variances=np.resize(_VALUES, (3, 4)),
        degenerate=np.array([False, True, False]),
        reconstruction_cosine_loss=np.resize(_VALUES, 3),
    ),
}

_FLOATS = np.array([0.0, -0.0, np.nan, -np.inf, 5e-324, np.pi])
_VERSION_1 = EXAMPLES_OF_VERSION_1
EXAMPLES = {
    **_VERSION_1,
    "PointClouds": attrs.evolve(
        _VERSION_1["PointClouds"],
        centers=np.resize(_VALUES, (3, 3)),
        point_columns={
            "backbone": np.array([True, False, True, True, False]),
            "residue": [-1, 52, 52, 2**40, 0],
            "charge": _FLOATS[:5],
            "side": ["receptor", "", "β", "ligand", "ligand"],
        },
    ),
    "Holograms": attrs.evolve(
        _VERSION_1["Holograms"],
        index={**_RESIDUES, "b_factor": _FLOATS[:3], "distance": _FLOATS[3:].astype(np.float32)},
        centers=np.resize(_FLOAT32, (3, 3)),
    ),
    "Embeddings": attrs.evolve(_VERSION_1["Embeddings"], centers=np.resize(_VALUES, (3, 3))),
    "VectorIndex": holo_types.NamedArrays(
        "VectorIndex",
        {
            "vectors": np.resize(_FLOATS, (4, 3)),
            "codes": np.arange(6, dtype=np.uint8).reshape(2, 3),
            "names": ["1abc", "", "β"],
            "empty": np.zeros((0, 2), np.float32),
        },
        {"metric": "cosine", "lists": 2, "scale": 0.5, "exact": False, "model": None, "sizes": [1, {"a": 2}]},
    ),
}

if __name__ == "__main__":
    folder = Path(__file__).with_name(f"schema{holo_types.SCHEMA_VERSION}")
    folder.mkdir()
    for name, example in EXAMPLES.items():
        holo_types.save(example, folder / f"{name}.h5")
