"""What the root of a file records about its datasets, in each version of the schema."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs
import h5py
import numpy as np
from numpy.typing import NDArray

from holo_types._version import __version__
from holo_types.errors import FormatError
from holo_types.objects.basis import Basis
from holo_types.objects.embeddings import Embeddings, ModelReference
from holo_types.objects.holograms import Holograms
from holo_types.objects.joining import Data
from holo_types.objects.named_arrays import NamedArrays
from holo_types.objects.point_clouds import PointClouds
from holo_types.objects.sphere_images import SphereImages

from .containment import GROUPS, check_sizes, member_names, open_dataset, root_attributes
from .datasets import StoredArray, create_checksums, create_dataset, dtype_name

__all__ = [
    "KINDS",
    "SCHEMA_VERSION",
    "Layout",
    "arrays_of",
    "create_file",
    "mark",
    "read_layout",
    "stored_arrays",
]

SCHEMA_VERSION = 2

KINDS: dict[str, type[Data]] = {
    kind.__name__: kind for kind in (PointClouds, SphereImages, Holograms, Embeddings)
}
_FIELDS: dict[str, tuple[str, ...]] = {
    "PointClouds": ("coordinates", "weights", "offsets", "centers"),
    "SphereImages": ("values",),
    "Holograms": ("coefficients", "centers"),
    "Embeddings": (
        *("invariants", "frames", "log_variances", "degenerate", "reconstruction_cosine_loss", "centers"),
    ),
}
_OPTIONAL = {"log_variances", "degenerate", "reconstruction_cosine_loss", "centers"}
_HEADERS: dict[str, tuple[str, ...]] = {
    "PointClouds": ("channels",),
    "SphereImages": ("grid", "channels"),
    "Holograms": ("basis",),
    "Embeddings": ("model",),
}
_TO_JSON: dict[str, Callable[[Any], object]] = {
    "basis": Basis.to_dict,
    "channels": list,
    "grid": str,
    "model": attrs.asdict,
    "header": dict,
}
_FROM_JSON: dict[str, Callable[[Any], object]] = {
    "basis": Basis.from_dict,
    "channels": tuple,
    "grid": str,
    "model": lambda plain: ModelReference(**plain),
    "header": dict,
}
_OF_POINTS = ("fields/coordinates", "fields/weights", "points/")
_PLACES_IN_VERSION_1 = {"fields/reconstruction_cosine_loss": "fields/reconstruction_cosine"}


def arrays_of(data: Data | NamedArrays) -> dict[str, NDArray[Any]]:
    """Return the arrays of an object by their paths in a file."""
    if isinstance(data, NamedArrays):
        return {f"fields/{name}": values for name, values in data.arrays.items()}
    fields = {name: getattr(data, name) for name in _FIELDS[type(data).__name__]}
    points = data.point_columns if isinstance(data, PointClouds) else {}
    return {
        **{f"fields/{name}": values for name, values in fields.items() if values is not None},
        **{f"points/{name}": values for name, values in points.items()},
        **{f"index/{name}": values for name, values in data.index.items()},
    }


@attrs.frozen
class Layout:
    """What all rows of a file have in common.

    Parameters
    ----------
    kind
        The name of the type, or the kind of a `NamedArrays`.
    header
        What the object states once for all its rows, by the name of its field.
    datasets
        The type and the shape of a row, by path.
    """

    kind: str
    header: dict[str, object]
    datasets: dict[str, tuple[str, tuple[int, ...]]]

    @classmethod
    def of(cls, data: Data | NamedArrays) -> "Layout":
        """Return the layout of an object."""
        kind = data.kind if isinstance(data, NamedArrays) else type(data).__name__
        names = _HEADERS.get(kind, ("header",))
        datasets = {path: (dtype_name(a.dtype), a.shape[1:]) for path, a in arrays_of(data).items()}
        return cls(kind, {name: getattr(data, name) for name in names}, datasets)

    def names(self, group: str) -> tuple[str, ...]:
        """Return the names in a group (fields, points or index) in order."""
        return tuple(path.removeprefix(f"{group}/") for path in self.datasets if path.startswith(f"{group}/"))

    def difference(self, other: "Layout") -> str | None:
        """Return how the other layout differs from this one, or None if it does not."""
        if other.kind != self.kind:
            return f"it is {other.kind}; it must be {self.kind}"
        for name, value in self.header.items():
            if other.header[name] != value:
                return f"its {name} is {other.header[name]}; it must be {value}"
        for group, what in (("index", "its index has"), ("points", "its points have")):
            mine, its = (
                {name: each.datasets[f"{group}/{name}"][0] for name in each.names(group)}
                for each in (self, other)
            )
            if list(its.items()) != list(mine.items()):
                return f"{what} the columns {its}; it must have {mine}"
        for name in _FIELDS[self.kind]:
            here, there = self.datasets.get(f"fields/{name}"), other.datasets.get(f"fields/{name}")
            if here != there:
                return f"its {name} is {_described(there)}; it must be {_described(here)}"
        return None


def _described(field: tuple[str, tuple[int, ...]] | None) -> str:
    return "absent" if field is None else f"{field[0]} [{', '.join(map(str, ('n', *field[1])))}]"


# Writing


def create_file(file: h5py.File, layout: Layout, settings: Mapping[str, str] | None = None) -> None:
    """Write everything but the rows and the seal."""
    plain = {name: _TO_JSON[name](value) for name, value in layout.header.items()}
    file.attrs["format"] = "holo"
    file.attrs["schema_version"] = SCHEMA_VERSION
    file.attrs["kind"] = layout.kind
    file.attrs["header"] = json.dumps(plain)
    file.attrs["datasets"] = json.dumps(list(layout.datasets))
    file.attrs["written_by"] = f"holo-types {__version__}"
    if settings is not None:
        file.attrs["settings"] = json.dumps(dict(settings))
    if isinstance(basis := layout.header.get("basis"), Basis):
        file.attrs["basis_digest"] = basis.digest
    for group in GROUPS:
        if group != "points" or layout.names(group):
            file.create_group(group)
    for path, (dtype, row) in layout.datasets.items():
        create_dataset(file, path, dtype, row)
    create_checksums(file, len(layout.datasets))
    if layout.kind == "PointClouds":
        stored_arrays(file, layout.datasets)["fields/offsets"].append(np.zeros(1, np.int64))


def mark(file: h5py.File, *, complete: bool) -> None:
    """Record whether the file is complete, and seal the attributes of the root; every commit ends with this."""
    file.attrs["complete"] = complete
    file.attrs["header_digest"] = _header_digest(dict(file.attrs))


def _header_digest(root: Mapping[str, Any]) -> str:
    said = {name: value for name, value in root.items() if name != "header_digest"}
    plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in said.items()}
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


# Reading


def stored_arrays(
    file: h5py.File, paths: Iterable[str], places: Mapping[str, str] | None = None
) -> dict[str, StoredArray]:
    """Return the arrays of a file by their paths; `places` has the paths of arrays that are stored elsewhere."""
    table = open_dataset(file, "checksums") if "checksums" in member_names(file) else None  # not in version 1
    elsewhere = places or {}
    datasets = {path: open_dataset(file, elsewhere.get(path, path)) for path in paths}
    check_sizes(file, [*datasets.values(), *([] if table is None else [table])])
    return {
        path: StoredArray(path, dataset, None if table is None else (table, column))
        for column, (path, dataset) in enumerate(datasets.items())
    }


def read_layout(file: h5py.File, path: Path) -> tuple[Layout, dict[str, StoredArray], int | None]:
    """Read and check everything but the values.

    Returns
    -------
    tuple
        The layout, the arrays by their paths, and the number of rows (None for `NamedArrays`).

    Raises
    ------
    FormatError
        If the file does not follow the schema, or its header was changed; the message names the file.
    """
    root = root_attributes(file)
    if root.get("format") != "holo":
        raise FormatError(
            f"{path}: is HDF5, but not written by Holo; it must have the attribute format 'holo'"
        )
    version = root.get("schema_version")
    if version not in (1, SCHEMA_VERSION):
        raise FormatError(
            f"{path}: has schema version {version}; holo-types {__version__} reads versions 1 and {SCHEMA_VERSION}"
        )
    if version != 1 and root["header_digest"] != _header_digest(root):
        raise FormatError(
            f"{path}: its header does not match its header_digest; the file is damaged or was changed"
        )
    kind = root["kind"]
    if version == 1 and kind not in KINDS:
        raise FormatError(f"{path}: holds {kind!r}; it must be one of {', '.join(KINDS)}")
    plain = json.loads(root["header"])
    header = {name: _FROM_JSON[name](plain[name]) for name in _HEADERS.get(kind, ("header",))}
    if isinstance(basis := header.get("basis"), Basis) and basis.digest != root["basis_digest"]:
        raise FormatError(f"{path}: its basis does not match its basis_digest; the file was changed")
    places = _PLACES_IN_VERSION_1 if version == 1 else {}
    paths = (
        _paths_in_version_1(file, json.loads(root["columns"]))
        if version == 1
        else json.loads(root["datasets"])
    )
    needed = [f"fields/{name}" for name in _FIELDS.get(kind, ()) if name not in _OPTIONAL]
    groups = set(GROUPS).intersection(member_names(file))
    there = {f"{group}/{name}" for group in groups for name in member_names(file, group)}
    if lacking := [each for each in (*needed, *paths) if places.get(each, each) not in there]:
        raise FormatError(f"{path}: holds {kind}, but lacks {lacking[0]}")
    if version != 1 and (
        "checksums" not in member_names(file) or open_dataset(file, "checksums").shape[1:] != (len(paths),)
    ):
        raise FormatError(f"{path}: holds {kind}, but lacks checksums of its {len(paths)} datasets")
    arrays = stored_arrays(file, paths, places)
    layout = Layout(kind, header, {name: (array.dtype, array.row) for name, array in arrays.items()})
    return layout, arrays, _rows(arrays, kind, path) if kind in KINDS else None


def _paths_in_version_1(file: h5py.File, columns: list[str]) -> list[str]:
    names = {old: new for new, old in _PLACES_IN_VERSION_1.items()}
    fields = [f"fields/{name}" for name in member_names(file, "fields")]
    return [*(names.get(path, path) for path in fields), *(f"index/{name}" for name in columns)]


def _rows(arrays: Mapping[str, StoredArray], kind: str, path: Path) -> int:
    rows = {name: len(array) - (name == "fields/offsets") for name, array in arrays.items()}
    if kind == "PointClouds":
        offsets = arrays["fields/offsets"]
        if offsets.dtype != "int64" or offsets.row or not len(offsets):
            raise FormatError(
                f"{path}: its offsets are {offsets.dtype} [{', '.join(map(str, (len(offsets), *offsets.row)))}]; they "
                "must be int64, one more than there are clouds"
            )
        points = int(offsets.read(slice(len(offsets) - 1, len(offsets)))[0])
        if {rows.pop(name) for name in list(rows) if name.startswith(_OF_POINTS)} != {points}:
            raise FormatError(
                f"{path}: its coordinates, weights and columns of points must have {points} rows, as offsets says"
            )
    if len(set(rows.values())) != 1:
        raise FormatError(f"{path}: its datasets must have one number of rows; they have {rows}")
    return next(iter(rows.values()))
