"""The values of residues by which a structure is colored, computed from embeddings."""

from collections.abc import Mapping
from pathlib import Path

import attrs
import numpy as np
from biotite.structure import AtomArray
from jaxtyping import Float, Int
from numpy.typing import NDArray

from holo_downstream import kmeans_clusters, similarities, standardization
from holo_features import ResidueId, Selection, Structure, read_structure, structure_stem
from holo_types import Embeddings, HoloError, Index

from .scales import FADING, ColorScale

__all__ = ["PaintedValues", "choose_values", "rows_and_structure"]

_LOSS, _CLUSTER, _SIMILARITY = "loss", "cluster", "similarity:"
_PERCENT = 100
_CLUSTERS = 8
_SAME_PLACE = 0.01  # Å, of a Cα: files have three places after the point
_SHOWN = 5


@attrs.frozen(eq=False)
class PaintedValues:
    """A value for each residue of a structure.

    Parameters
    ----------
    residues
        The residues.
    values : Float[ndarray, "n"]
        The value of each residue, or NaN if it has none.
    scale
        The colors of the values.
    """

    residues: tuple[ResidueId, ...]
    values: Float[np.ndarray, "n"]
    scale: ColorScale

    @property
    def by_residue(self) -> Mapping[ResidueId, float]:
        """The values by residue."""
        return dict(zip(self.residues, self.values.tolist(), strict=True))


def rows_and_structure(embeddings: Embeddings, path: Path) -> tuple[Int[np.ndarray, "n"], Structure]:
    """Return the rows of embeddings that belong to a structure, and the structure with its ligands.

    Parameters
    ----------
    embeddings
        The embeddings of one structure, or of several that include one with the name of the file.
    path
        The file of the structure, which must contain the residues of the rows with the same types and positions.

    Raises
    ------
    HoloError
        If the embeddings are of another structure, or the file cannot be read.
    """
    index, name = embeddings.index, structure_stem(path)
    names = index.column("structure")
    there = np.unique(names)
    if name not in there and len(there) > 1:
        more = ", ..." if len(there) > _SHOWN else ""
        raise HoloError(
            f"{path}: the embeddings are of {len(there)} structures, none of them {name!r}: "
            f"{', '.join(there[:_SHOWN].tolist())}{more}"
        )
    rows = np.flatnonzero(names == name) if name in there else np.arange(len(embeddings))
    models = set(index["model"][rows].tolist()) if "model" in index else set()
    model = int(models.pop()) if len(models) == 1 else None
    structure = read_structure(path, Selection(model=model, hetero=True))
    _check(embeddings, rows, structure.atoms, f"{path}: the embeddings are of another structure")
    return rows, structure


def _check(embeddings: Embeddings, rows: Int[np.ndarray, "n"], atoms: AtomArray, whose: str) -> None:
    """Refuse embeddings with a residue that the structure lacks, or that has another type or position there."""
    alpha = np.flatnonzero(atoms.amino_acid & (atoms.atom_name == "CA"))
    columns = (atoms.chain_id[alpha], atoms.res_id[alpha], atoms.ins_code[alpha])
    names = map(ResidueId, *(column.tolist() for column in columns))
    atom_of = dict(zip(names, alpha.tolist(), strict=True))
    types = embeddings.index.column("residue_name")
    for row, residue in zip(rows.tolist(), _residues(embeddings.index, rows), strict=True):
        atom = atom_of.get(residue)
        if atom is None:
            raise HoloError(f"{whose}: it has no residue {residue} with a Cα, and they have")
        if atoms.res_name[atom] != types[row]:
            raise HoloError(
                f"{whose}: its residue {residue} is {atoms.res_name[atom]}, theirs is {types[row]}"
            )
        if embeddings.centers is not None:
            apart = float(np.linalg.norm(atoms.coord[atom] - embeddings.centers[row]))
            if apart > _SAME_PLACE:
                raise HoloError(f"{whose}: the Cα of its residue {residue} lies {apart:.2f} Å from theirs")


def choose_values(embeddings: Embeddings, rows: Int[np.ndarray, "n"], by: str) -> PaintedValues:
    """Return the values by which some rows are colored.

    Parameters
    ----------
    embeddings
        The embeddings of one or several structures; clusters and similarities are computed from all of their rows.
    rows : Int[ndarray, "n"]
        The rows of the structure.
    by
        ``"loss"``, 100 times the cosine loss of the reconstruction; ``"similarity:A:57"``, the similarity of z to that
        of the residue, 100 for equal z and 0 for two random residues; ``"cluster"``, the number of the cluster among
        eight K-means clusters of standardized z, starting with the largest; or the name of a numeric column of the
        index.

    Raises
    ------
    HoloError
        If the residue or the column does not exist, the column holds text, or there are no values.
    """
    scale = None
    if by == _LOSS:
        values = _losses(embeddings)[rows]
    elif by == _CLUSTER:
        z = standardization(embeddings.invariants).of(embeddings.invariants.astype(np.float64))
        values, scale = kmeans_clusters(z, _CLUSTERS)[rows].astype(np.float64), ColorScale.of_classes()
    elif by.startswith(_SIMILARITY):
        row = rows[_place(_residues(embeddings.index, rows), by.removeprefix(_SIMILARITY))]
        values = _PERCENT * similarities(embeddings.invariants, int(row))[rows]
        scale = ColorScale(FADING, 0, _PERCENT)
    else:
        values = _column(embeddings.index, by)[rows]
    finite = values[np.isfinite(values)]
    if not len(finite):
        raise HoloError(f"--by {by}: no residue of the structure has a value")
    if scale is None:
        scale = ColorScale(FADING, float(finite.min()), float(finite.max()))
    return PaintedValues(_residues(embeddings.index, rows), values, scale)


def _losses(embeddings: Embeddings) -> NDArray[np.float64]:
    losses = embeddings.reconstruction_cosine_loss
    if losses is None:
        raise HoloError("--by loss: the embeddings have no reconstruction loss; embed the structure again")
    return _PERCENT * losses.astype(np.float64)


def _column(index: Index, name: str) -> NDArray[np.float64]:
    there = [each for each in index if index[each].dtype.kind in "iuf"]
    could = f"it must be loss, cluster, similarity:A:57 or one of {', '.join(there)}"
    if name not in index:
        raise HoloError(f"--by {name!r} is not a column of the embeddings; {could}")
    if name not in there:
        raise HoloError(f"--by {name!r} is a column of text; {could}")
    values = index[name].astype(np.float64)
    return np.where(np.isfinite(values), values, np.nan)


def _residues(index: Index, rows: Int[np.ndarray, "n"]) -> tuple[ResidueId, ...]:
    columns = (index.column(name)[rows].tolist() for name in ("chain", "residue_number", "insertion_code"))
    return tuple(map(ResidueId, *columns))


def _place(residues: tuple[ResidueId, ...], text: str) -> int:
    """Return the position of a residue that is written as A:57 or A57."""
    written = {
        f"{one.chain}{one.residue_number}{one.insertion_code}": place for place, one in enumerate(residues)
    }
    if ":" not in text and text in written:
        return written[text]
    wanted = ResidueId.parse(text) if ":" in text else None
    if wanted not in residues:
        raise HoloError(
            f"--by similarity:{text}: the embeddings have no residue {text}, written as A:57 or A57"
        )
    return residues.index(wanted)
