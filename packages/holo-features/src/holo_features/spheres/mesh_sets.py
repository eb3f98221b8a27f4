"""Folders of meshes: the meshes, their classes and their splits."""

import csv
import os
from pathlib import Path
from typing import Literal

import attrs

from holo_types import FormatError
from holo_types.files.csv_files import csv_text

from .meshes import is_mesh_path

__all__ = ["MeshFile", "Split", "mesh_files", "mesh_set", "read_shape_labels"]

Split = Literal["train", "valid", "test"]

# Names of folders and values in tables that are splits, not classes.
_SPLITS: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "valid",
    "valid": "valid",
    "validation": "valid",
    "test": "test",
    "testing": "test",
}
_POSES = ("_normal", "_perturbed")  # SHREC17's folders: meshes in one pose, or rotated
_NAME_COLUMNS = ("id", "name", "file", "object_id")
_LABEL_COLUMNS = ("label", "class", "synsetId")


@attrs.frozen
class MeshFile:
    """A mesh file of a folder.

    Parameters
    ----------
    path
        The file.
    name
        Its path in the folder, without the suffix.
    label
        Name of its class; None if it is unknown.
    split
        The part of the data set that it belongs to; None if it is unknown.
    """

    path: Path
    name: str
    label: str | None
    split: Split | None = None


@attrs.frozen
class _Line:
    """The entry of a mesh in a table."""

    label: str
    split: Split | None

    def words(self) -> str:
        return f"{self.label!r}, " + (f"for {self.split}" if self.split else "for no split")


def mesh_files(folder: str | os.PathLike[str]) -> tuple[MeshFile, ...]:
    """List the mesh files of a folder and its subfolders, sorted, each with its class and split.

    The class is the innermost folder that is not named train, test, val or the like, which are splits: ``chair`` in
    ``chair/train/chair_0001.off`` (ModelNet) and in ``train/chair/1.obj``. Beside folders of classes, ``Train/1.obj``
    belongs to the class of trains. If the labels are in a table (SHREC17), read them with `mesh_set` or
    `read_shape_labels`.

    Raises
    ------
    FormatError
        If there is no such folder, or no mesh file in it.
    """
    place = Path(folder)
    if not place.is_dir():
        raise FormatError(f"{place} is not a folder; it must be one with mesh files")
    found = [
        _placed(path, path.relative_to(place))
        for path in sorted(path for path in place.rglob("*") if is_mesh_path(path) and path.is_file())
    ]
    if not found:
        raise FormatError(f"{place}: there is no mesh file in the folder")
    if all(file.label is None for file in found):
        return tuple(found)
    # Among folders of classes, one that is named train and contains meshes itself is a class of locomotives.
    return tuple(
        attrs.evolve(file, label=file.path.parent.name, split=None)
        if file.label is None and file.path.parent != place
        else file
        for file in found
    )


def _placed(path: Path, inner: Path) -> MeshFile:
    """Return a mesh with the class and split that its folders determine."""
    splits = [_split(part) for part in inner.parts[:-1]]
    classes = [part for part, split in zip(inner.parts[:-1], splits, strict=True) if split is None]
    said = [split for split in splits if split is not None]
    name = inner.with_suffix("").as_posix()
    return MeshFile(path, name, classes[-1] if classes else None, said[-1] if said else None)


def mesh_set(folder: str | os.PathLike[str]) -> tuple[MeshFile, ...]:
    """List the meshes of a data set in the layout of ModelNet or of SHREC17, with classes and splits.

    If the folder itself contains csv files, these are its tables (SHREC17: ``train.csv``, ``val.csv``, ``test.csv``
    beside ``train_normal/`` and the like, or one ``all.csv``), and meshes that they do not name have no class. The
    split of a mesh is given by its folder, by the table's column ``split``, or otherwise by the table's name. Without
    tables, the class of a mesh is its folder; see `mesh_files`.

    Parameters
    ----------
    folder
        The folder of the data set.

    Raises
    ------
    FormatError
        If there are no meshes, a table cannot be read or names none of the meshes, two tables contradict each other, or
        there is no table and a mesh is not in a class folder.
    """
    place = Path(folder)
    files = mesh_files(place)
    tables = sorted(path for path in place.glob("*.csv") if not path.name.endswith(".skipped.csv"))
    if not tables:
        if lone := [file.path for file in files if file.label is None]:
            raise FormatError(
                f"{place}: {lone[0].relative_to(place)} lies in no class folder; meshes must lie in folders named as "
                "their classes (chair/train/chair_0001.off), or a csv table beside them must name their classes"
            )
        return files
    lines: dict[str, _Line] = {}
    for table in tables:
        for stem, line in _read_table(table).items():
            told = attrs.evolve(line, split=line.split or _split(table.stem))
            if lines.setdefault(stem, told) != told:
                raise FormatError(
                    f"{table}: {stem} is {told.words()}; in another table it is {lines[stem].words()}"
                )
    if not any(file.path.stem in lines for file in files):
        raise FormatError(
            f"{tables[0]}: it names none of the {len(files)} meshes; its ids must be the names of files"
        )
    unknown = _Line("", None)
    known = [(file, lines.get(file.path.stem, unknown)) for file in files]
    return tuple(
        attrs.evolve(file, label=line.label or None, split=file.split or line.split) for file, line in known
    )


def read_shape_labels(path: str | os.PathLike[str]) -> dict[str, str]:
    """Read a table of labels by the name of each mesh, which is its file's name without folder and suffix.

    Parameters
    ----------
    path
        A csv file whose header has a column id, name, file or object_id, and one of label, class or synsetId
        (SHREC17: ``id,synsetId,subSynsetId,modelId,split``).

    Raises
    ------
    FormatError
        If the file is missing or not such a table, or has two labels for a name.
    """
    return {stem: line.label for stem, line in _read_table(Path(path)).items()}


def _split(name: str) -> Split | None:
    """Return the split that the name of a folder or a table stands for, or None."""
    plain = name.lower()
    for pose in _POSES:
        plain = plain.removesuffix(pose)
    return _SPLITS.get(plain)


def _read_table(place: Path) -> dict[str, _Line]:
    try:
        table = csv.DictReader(csv_text(place), strict=True)
        header = table.fieldnames or []
        name_column = next((name for name in _NAME_COLUMNS if name in header), None)
        label_column = next((name for name in _LABEL_COLUMNS if name in header), None)
        if name_column is None or label_column is None:
            raise FormatError(
                f"{place}: its columns are {list(header)}; there must be one of {list(_NAME_COLUMNS)} "
                f"and one of {list(_LABEL_COLUMNS)}"
            )
        rows = [(row[name_column], row[label_column], row.get("split"), table.line_num) for row in table]
    except FileNotFoundError:
        raise FormatError(f"{place} does not exist") from None
    except OSError as error:
        raise FormatError(f"{place} cannot be read ({error.strerror})") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise FormatError(f"{place}: it is not a csv table ({error})") from None
    lines: dict[str, _Line] = {}
    for name, label, said, number in rows:
        if not name or not label:
            raise FormatError(f"{place}: line {number} lacks a name or a label")
        if said and said.lower() not in _SPLITS:
            raise FormatError(
                f"{place}: line {number} has the split {said!r}; it must be train, val or test, or empty"
            )
        line = _Line(label, _SPLITS[said.lower()] if said else None)
        stem = Path(name).stem if is_mesh_path(name) else name
        before = lines.setdefault(stem, line)
        if before.label != label:
            raise FormatError(
                f"{place}: line {number} calls {name} {label!r}; before it was {before.label!r}"
            )
        if before != line:
            raise FormatError(
                f"{place}: line {number} says that {name} is for {line.split}; before it was {before.split}"
            )
    return lines
