"""The first form of a request: the text of structure files, with a selection of residues (needs holo-features)."""

import base64
import binascii
import gzip
import io
import re
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath

import attrs
import numpy as np
from jaxtyping import Bool

from holo_features import (
    Centers,
    Structure,
    alpha_carbons,
    cut_in_blocks,
    is_structure_path,
    read_structure,
    split_suffix,
    structure_stem,
    zernike_transform,
)
from holo_types import Basis, FormatError, Holograms

from .limits import Deadline, Limits, RefusedRequest

__all__ = ["RequestedStructure", "holograms_of", "read_structures"]

_BLOCK = 256  # residues between two checks of the time
_LONGEST_NAME = 200
_PACKED, _BINARY = ".gz", ".bcif"
# The least volume of an atom in Å³. In proteins it is 10 or more; with less, neighborhoods would grow without bound.
_ATOM_VOLUME = 2.0
# Errors of the readers that contain nothing from the file; their other errors quote it.
_REASONS = {
    "must be finite numbers": "a coordinate is not a finite number",
    "it has no amino acid residue": "it has no amino acid residue",
}
_RESIDUES = re.compile(r"([^:,\s]+)(?::(-?\d{1,9})(?:([A-Za-z])|-(-?\d{1,9}))?)?")


@attrs.frozen(eq=False)
class RequestedStructure:
    """A structure of a request.

    Parameters
    ----------
    structure
        The content of its file.
    centers
        The Cα of the residues to embed.
    """

    structure: Structure
    centers: Centers


def read_structures(
    rows: list[tuple[str, str, str | None]], basis: Basis, limits: Limits, deadline: Deadline
) -> list[RequestedStructure]:
    """Read the structures of a request.

    Parameters
    ----------
    rows
        For each structure, the name of the file, its content as text (base64 if the name ends in ``.bcif`` or ``.gz``),
        and the residues to embed, None for all.
    basis
        The basis of the encoding.
    limits, deadline
        The limits of the request.

    Raises
    ------
    RefusedRequest
        If a structure cannot be used, or all together exceed a limit; the message names the row.
    """
    assert basis.radial is not None
    left, residues = limits.max_bytes, 0
    seen: dict[str, int] = {}
    found = []
    for row, (name, text, chosen) in enumerate(rows):
        deadline.check()
        what = f"row {row}"
        path = _path(name, what)
        stem = structure_stem(path)
        if stem in seen:
            raise RefusedRequest(
                f"{what}: name, apart from its ending, is that of row {seen[stem]}; each needs one of its own"
            )
        seen[stem] = row
        content, suffix = _content(path, text, left, what), split_suffix(path)[0]
        left -= len(content)
        structure = attrs.evolve(_structure(content, suffix, what), name=stem)
        _check_crowding(structure, basis.radial.cutoff, what)
        centers = alpha_carbons(structure)
        if chosen is not None:
            centers = centers[_chosen(centers, chosen, limits, deadline, what)]
        if not len(centers):
            raise RefusedRequest(f"{what}: content has no residue with a Cα and N or C beside it")
        residues += len(centers)
        if residues > limits.max_residues:
            raise RefusedRequest(
                f"{what}: with it there are more residues than the {limits.max_residues} that a request may "
                "have; choose some by the column residues"
            )
        found.append(RequestedStructure(structure, centers))
    return found


def holograms_of(requested: RequestedStructure, basis: Basis) -> Iterator[Holograms]:
    """Encode the requested residues, one block at a time."""
    assert basis.radial is not None
    blocks = cut_in_blocks(
        requested.structure,
        basis.radial.cutoff,
        basis.channels,
        centers=requested.centers,
        block=_BLOCK,
    )
    for block in blocks:
        if len(block.clouds):
            yield zernike_transform(block.clouds, basis, np.float32)


def _path(name: str, what: str) -> Path:
    path = Path(PureWindowsPath(name).name)  # handles both / and \
    if not path.name.isprintable() or path.name[:1] in ("", ".") or len(path.name) > _LONGEST_NAME:
        raise RefusedRequest(f"{what}: name must be a file's, such as 1abc.pdb")
    if not is_structure_path(path):
        raise RefusedRequest(
            f"{what}: name must end in .pdb, .ent, .cif, .mmcif or .bcif, with or without .gz"
        )
    return path


def _content(path: Path, text: str, most: int, what: str) -> bytes:
    suffix, packed = split_suffix(path)
    try:
        binary = packed or suffix == _BINARY
        content = base64.b64decode(text, validate=True) if binary else text.encode()
    except UnicodeEncodeError:
        raise RefusedRequest(f"{what}: content is not valid Unicode text") from None
    except (binascii.Error, ValueError):
        raise RefusedRequest(
            f"{what}: content must be base64, as name ends in {_PACKED if packed else _BINARY}"
        ) from None
    if packed:
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
                content = file.read(most + 1)
        except (EOFError, OSError, zlib.error):
            raise RefusedRequest(f"{what}: content is damaged gzip data") from None
    if len(content) > most:
        raise RefusedRequest(f"{what}: with it the structures are more bytes than a request may have")
    if not content.strip():
        raise RefusedRequest(f"{what}: content is empty")
    return content


def _structure(content: bytes, suffix: str, what: str) -> Structure:
    # The readers need files. No part of the path comes from the sender.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"structure{suffix}")
        path.write_bytes(content)
        try:
            return read_structure(path)
        except FormatError as error:
            told = [reason for sign, reason in _REASONS.items() if sign in str(error)]
            reason = told[0] if told else f"the {suffix} reader does not take it"
            raise RefusedRequest(f"{what}: content cannot be used: {reason}") from None


def _check_crowding(structure: Structure, cutoff: float, what: str) -> None:
    """Refuse atoms that are packed too densely: the neighborhood of one residue would contain all of them."""
    most = cutoff**3 / _ATOM_VOLUME
    if len(structure.atoms) > most:
        cells = np.floor(structure.atoms.coord.astype(np.float64) / cutoff)
        if np.unique(cells, axis=0, return_counts=True)[1].max() > most:
            raise RefusedRequest(
                f"{what}: content has more than {most:g} atoms in a cube of {cutoff:g} Å, which no molecule has"
            )


def _chosen(
    centers: Centers, text: str, limits: Limits, deadline: Deadline, what: str
) -> Bool[np.ndarray, "n"]:
    """Return the residues that a text such as ``A:10-50,A:52B,C`` selects."""
    items = text.split(",")
    if len(items) > limits.max_residues:
        raise RefusedRequest(f"{what}: residues has more items than the request may have residues")
    chains, numbers = centers.index["chain"], centers.index["residue_number"]
    codes = centers.index["insertion_code"]
    chosen = np.zeros(len(centers), dtype=bool)
    for count, item in enumerate(items, start=1):
        deadline.check()
        match = _RESIDUES.fullmatch(item.strip())
        if match is None:
            raise RefusedRequest(
                f"{what}: item {count} of residues must be a chain, a residue or a range of them, such as "
                "A or A:52 or A:52B or A:10-50"
            )
        chain, first, code, last = match.groups()
        found = chains == chain
        if last is not None:
            found &= (numbers >= int(first)) & (numbers <= int(last))
        elif first is not None:
            found &= (numbers == int(first)) & (codes == (code or ""))
        if not found.any():
            raise RefusedRequest(f"{what}: item {count} of residues is not a residue of content with a Cα")
        chosen |= found
    return chosen
