"""Measured affinities of complexes, read from a CSV file as pK."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

import attrs

from holo_downstream.vectors.csv_files import read_csv
from holo_types import FormatError, HoloError
from holo_types.console import Skipped

__all__ = ["LabelColumns", "LabelTable", "Labeled", "Unit", "pk_of", "read_labels", "with_ligand_keys"]

Unit = Literal["pK", "M", "mM", "uM", "nM", "pM", "fM", "kcal/mol", "kJ/mol"]
UNITS: tuple[Unit, ...] = get_args(Unit)

Split = Literal["train", "val", "test", "series"]

_MOLAR: Mapping[str, float] = {"M": 1, "mM": 1e-3, "uM": 1e-6, "nM": 1e-9, "pM": 1e-12, "fM": 1e-15}
_GAS_CONSTANT = 8.31446261815324e-3  # kJ/(mol K)
_KJ_OF_KCAL = 4.184
# No pK is outside this range: pure water is 55 M, and the tightest known ligands are in the femtomolar range.
_LOWEST_PK, _HIGHEST_PK = -2.0, 16.0
_LARGE_RANGE = 10.0  # of integers; rounded pK do not span as much
_SMALL = 0.01  # if all values are smaller, they are concentrations in mol/l
_CLUSTER = re.compile(r"cluster_?\d+")
_SPLITS: Mapping[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "series": "series",
}


@attrs.frozen
class LabelColumns:
    """The names of the columns in a table of labels.

    Parameters
    ----------
    id, label
        Required columns. By default, the label is the column ``label``, or else ``pK``.
    cluster, split, measurement, unit, ligand_key
        Optional columns: the sequence cluster of the protein, by default the column ``cluster`` or else the one, such
        as ``cluster30``, that also states the identity; train, val, test, or series; what was measured, such as Ki or
        ``Ki=5nM``; the unit of the label; and a key that is the same for the same ligand, such as its InChIKey.
    """

    id: str = "id"
    label: str | None = None
    cluster: str | None = None
    split: str = "split"
    measurement: str = "measurement"
    unit: str = "unit"
    ligand_key: str = "ligand_key"


@attrs.frozen
class Labeled:
    """A complex with its label and properties; text is empty where a property is unknown.

    Parameters
    ----------
    id
        The id of the complex.
    label
        pK = -log10 of Ki, Kd or IC50 in mol/l.
    cluster
        The sequence cluster of its protein.
    split
        ``"train"``, ``"val"``, ``"test"``; ``"series"``, which is only ranked within its cluster; or None.
    measurement
        The measured quantity: Ki, Kd, IC50, ...
    ligand_key
        A key that is the same for the same ligand.
    """

    id: str
    label: float
    cluster: str = ""
    split: Split | None = None
    measurement: str = ""
    ligand_key: str = ""


@attrs.frozen
class LabelTable:
    """Labeled complexes, each once, and the rows that could not be used.

    Parameters
    ----------
    complexes
        The complexes, in the order of the file.
    skipped
        The rows that were left out, with the reasons.
    """

    complexes: tuple[Labeled, ...]
    skipped: tuple[Skipped, ...] = ()

    @property
    def measurements(self) -> dict[str, int]:
        """The number of labels for each kind of measurement, the most frequent first."""
        return dict(Counter(c.measurement for c in self.complexes if c.measurement).most_common())


def pk_of(value: float, unit: Unit, temperature: float = 298.15) -> float:
    """Convert a measured affinity to pK = -log10 (K / 1 mol/l).

    Parameters
    ----------
    value
        A pK, a concentration (Ki, Kd or IC50), or a free energy of binding ΔG = RT ln K.
    unit
        The unit of the value.
    temperature
        The temperature in K, which only free energies need.

    Raises
    ------
    HoloError
        If the value is not finite, or a concentration is not positive.

    Examples
    --------
    >>> pk_of(50.0, "uM"), round(pk_of(-9.55, "kcal/mol"), 2)
    (4.301029995663981, 7.0)
    """
    if not math.isfinite(value):
        raise HoloError(f"the label is {value}; it must be a finite number")
    if unit == "pK":
        return value
    if unit in _MOLAR:
        if value <= 0:
            raise HoloError(f"the label is {value:g} {unit}; a concentration must be > 0")
        return -math.log10(value * _MOLAR[unit])
    kilojoules = value * (_KJ_OF_KCAL if unit == "kcal/mol" else 1)
    return -kilojoules / (_GAS_CONSTANT * temperature * math.log(10))


def read_labels(
    path: Path,
    *,
    unit: Unit | Literal["column"] = "pK",
    temperature: float = 298.15,
    columns: LabelColumns = LabelColumns(),
    ask: bool = True,
) -> LabelTable:
    r"""Read labels; rows that cannot be used are left out and listed.

    Left out are rows with a repeated id (all of them, since nothing says which is right), labels that are not numbers,
    rows whose unit column names a unit other than `unit`, and unknown splits. Nothing is converted unless a unit is
    given.

    Parameters
    ----------
    path
        CSV file with the columns of `LabelColumns`; other columns are ignored.
    unit
        The unit of the labels; ``"column"`` takes that of each row from the column of units.
    temperature
        The temperature at which free energies were measured, in K.
    columns
        The names of the columns.
    ask
        Refuse labels that are declared as pK but cannot be. Use False if labels do not matter.

    Raises
    ------
    FormatError
        If the file cannot be read, or lacks a required column.
    HoloError
        If the temperature is not positive, several columns could be the cluster, labels in a column named pK are
        declared in another unit, or labels without a unit cannot be pK: one is outside -2 to 16, all are integers that
        span more than 10, or all are positive and below 0.01. The message names the unit that they are probably in.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "labels.csv")
    >>> _ = path.write_text("id,label,split\n1abc,20,train\n2abc,high,val\n")
    >>> table = read_labels(path, unit="nM")
    >>> round(table.complexes[0].label, 2), table.skipped[0].reason
    (7.7, "its label is 'high'; it must be a number")
    """
    if not temperature > 0:
        raise HoloError(f"temperature is {temperature:g} K; it must be > 0")
    table = read_csv(path)
    names = _names(path, table, columns)
    for name in (names["id"], names["label"], *([names["unit"]] if unit == "column" else [])):
        if name not in table:
            raise FormatError(f"{path}: has no column {name!r}; it has {', '.join(table)}")
    if columns.label is None and names["label"] == "pK" and unit != "pK":
        raise HoloError(
            f"{path}: the labels are declared to be in {unit}, and the only column of labels is pK"
        )
    size = len(table[columns.id])
    fields = {field: table.get(name, [""] * size) for field, name in names.items()}
    rows = [{field: values[row].strip() for field, values in fields.items()} for row in range(size)]
    count = Counter(row["id"] for row in rows)
    if ask and unit == "pK":
        _check_pk(path, names["label"], rows)
    complexes, skipped, repeated = [], [], set()
    for row in rows:
        name = row["id"]
        if count[name] > 1:
            if name not in repeated:
                skipped.append(Skipped(name, "", f"its id comes {count[name]} times; it must come once"))
            repeated.add(name)
            continue
        try:
            complexes.append(_labeled(row, unit, temperature))
        except HoloError as error:
            skipped.append(Skipped(name, "", str(error)))
    return LabelTable(tuple(complexes), tuple(skipped))


def with_ligand_keys(labels: LabelTable, path: Path) -> LabelTable:
    r"""Return labels with the ligand keys of another table, such as that of ``holo-features ligands``.

    Parameters
    ----------
    labels
        The labels; complexes that are not in the table keep their keys.
    path
        CSV file with the columns id and ligand_key.

    Raises
    ------
    FormatError
        If the file cannot be read, lacks a column, or has two keys for a complex.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "ligands.csv")
    >>> _ = path.write_text("id,ligand_key\n1abc,C2O-5f3a\n")
    >>> with_ligand_keys(LabelTable((Labeled("1abc", 6.5),)), path).complexes[0].ligand_key
    'C2O-5f3a'
    """
    table = read_csv(path)
    for name in ("id", "ligand_key"):
        if name not in table:
            raise FormatError(f"{path}: has no column {name!r}; it has {', '.join(table)}")
    keys: dict[str, str] = {}
    for name, key in zip(table["id"], table["ligand_key"], strict=True):
        if keys.setdefault(name, key) != key:
            raise FormatError(
                f"{path}: gives {name} the ligand keys {keys[name]} and {key}; it must have one"
            )
    complexes = (attrs.evolve(one, ligand_key=keys.get(one.id, one.ligand_key)) for one in labels.complexes)
    return attrs.evolve(labels, complexes=tuple(complexes))


def _names(path: Path, table: Mapping[str, list[str]], columns: LabelColumns) -> dict[str, str]:
    """Return the names of the columns in a table."""
    label, cluster = columns.label, columns.cluster
    if label is None:
        label = "pK" if "label" not in table and "pK" in table else "label"
    if cluster is None:
        named = ["cluster"] if "cluster" in table else [name for name in table if _CLUSTER.fullmatch(name)]
        if len(named) > 1:
            raise HoloError(f"{path}: has the clusters {', '.join(named)}; say which one is meant")
        cluster = named[0] if named else "cluster"
    return {**attrs.asdict(columns), "label": label, "cluster": cluster}


def _check_pk(path: Path, column: str, rows: Sequence[Mapping[str, str]]) -> None:
    """Refuse a column whose values cannot be pK; rows with their own unit are judged by that."""
    values = {row["id"]: _number(row["label"]) for row in rows if not row["unit"]}
    known = {name: value for name, value in values.items() if value is not None}
    if not known:
        return
    lowest, highest = min(known.values()), max(known.values())
    beyond = {name: value for name, value in known.items() if not _LOWEST_PK <= value <= _HIGHEST_PK}
    if beyond:
        name, value = max(beyond.items(), key=lambda item: abs(item[1]))
        why = f"no pK is outside {_LOWEST_PK:g} to {_HIGHEST_PK:g}"
    elif lowest > 0 and highest < _SMALL:
        name, value = next(iter(known.items()))
        why = f"all labels are between 0 and {_SMALL:g}, unlike pK"
    elif highest - lowest > _LARGE_RANGE and all(value.is_integer() for value in known.values()):
        name, value = max(known.items(), key=lambda item: item[1])
        why = f"all labels are whole numbers, from {lowest:g} to {highest:g}, unlike pK"
    else:
        return
    unit = _likely_unit(lowest, highest)
    raise HoloError(
        f"{path}: column {column!r} is read as pK, but {name} has {value:g} and {why}; say what the column holds, such "
        f"as --unit {unit}, or correct the row"
    )


def _likely_unit(lowest: float, highest: float) -> Unit:
    """Return the unit in which labels that are not pK most often are."""
    if highest <= 0:
        return "kcal/mol" if lowest > -25 else "kJ/mol"
    return "M" if highest < _SMALL else "nM"


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _labeled(row: Mapping[str, str], unit: Unit | Literal["column"], temperature: float) -> Labeled:
    if not row["id"]:
        raise HoloError("it has no id")
    try:
        value = float(row["label"])
    except ValueError:
        raise HoloError(f"its label is {row['label']!r}; it must be a number") from None
    own = row["unit"].replace("µ", "u").replace("μ", "u")
    told = own if unit == "column" else unit
    if told not in UNITS:
        raise HoloError(f"its unit is {row['unit']!r}; it must be one of {', '.join(UNITS)}")
    if own not in ("", told):
        raise HoloError(f"its label is in {row['unit']}, the others are declared to be in {told}")
    if row["split"] and row["split"].lower() not in _SPLITS:
        raise HoloError(f"its split is {row['split']!r}; it must be train, val, test or series")
    return Labeled(
        row["id"],
        pk_of(value, told, temperature),
        row["cluster"],
        _SPLITS.get(row["split"].lower()),
        _kind(row["measurement"]),
        row["ligand_key"],
    )


def _kind(measurement: str) -> str:
    """Return the measured quantity, such as Ki for ``Ki=5nM``."""
    return re.split(r"[\s=<>~(]|->", measurement, maxsplit=1)[0]
