"""Reading of somebody else's PyTorch state dict: tensors by name, and nothing else that a pickle can hold.

`torch.load` with ``weights_only=True`` runs no program, but a pickle of a few bytes can make it build values of any
size. So the operations of the pickle are looked through first, without running them.
"""

import pickletools  # nosec B403 # it lists operations and runs none
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from holo_types import FormatError
from holo_types.contents import regular_file
from holo_types.reading import reading

__all__ = ["read_state_dict"]

_MOST_PICKLED = 1 << 24  # bytes; a tensor takes some 150
_SHARED = 4  # tensors to bytes: some may be the same
_OPERATIONS = frozenset(
    (
        *("PROTO", "STOP", "MARK", "GLOBAL"),
        *("REDUCE", "BUILD", "BINPERSID", "NONE", "NEWTRUE", "NEWFALSE"),
        *("BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE"),
        *("EMPTY_DICT", "SETITEM", "SETITEMS"),
        *("EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"),
        *("BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET"),
    )
)
_NAMES = frozenset(
    (
        "collections OrderedDict",
        "torch._utils _rebuild_tensor_v2",
        *(f"torch {kind}Storage" for kind in ("Float", "Double", "Half", "BFloat16", "Long", "Int", "Bool")),
    )
)


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Read a state dict that `torch.save` wrote.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    dict
        The tensors by name, on the CPU.

    Raises
    ------
    FormatError
        If it is not such a file, is damaged, or holds anything but tensors of numbers, each finite.
    """
    with reading(path, "a state dict that torch.save wrote"):
        size = regular_file(path).stat().st_size
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if any(member.compress_type != zipfile.ZIP_STORED for member in members):
                raise FormatError(f"{path}: has a compressed member; torch.save writes none")
            if sum(member.file_size for member in members) > size:
                raise FormatError(f"{path}: its members claim more bytes than the file has")
            pickled = [member for member in members if member.filename.lower().endswith("/data.pkl")]
            if len(pickled) != 1 or pickled[0].file_size > _MOST_PICKLED:
                raise FormatError(
                    f"{path}: must have one description of its tensors, of at most {_MOST_PICKLED} bytes"
                )
            for unusual in _unusual(archive.read(pickled[0])):
                raise FormatError(f"{path}: its pickle has {unusual}; a state dict holds tensors only")
        found = torch.load(path, weights_only=True, map_location="cpu")
        if not isinstance(found, Mapping):
            raise FormatError(f"{path}: holds a {type(found).__name__}; it must hold tensors by name")
        left = _SHARED * size
        for name, tensor in found.items():
            left -= _size(path, name, tensor)
            if left < 0:
                raise FormatError(f"{path}: its tensors have more values than its bytes hold")
        for name, tensor in found.items():
            if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
                raise FormatError(f"{path}: {name} has values that are not finite")
        return dict(found)


def _unusual(content: bytes) -> Iterator[str]:
    """Yield what no pickle of a state dict has."""
    tuples, last = set(), ""
    for operation, argument, _ in pickletools.genops(content):
        name = operation.name
        if name not in _OPERATIONS:
            yield f"the operation {name}"
        elif name == "GLOBAL" and argument not in _NAMES:
            yield f"the name {argument!r}"
        elif name.endswith("PUT") and last.startswith("TUPLE"):
            tuples.add(argument)
        elif name.endswith("GET") and argument in tuples:
            # The hash of a tuple of tuples that are all the same would take forever.
            yield "a tuple in two places"
        last = name


def _size(path: Path, name: object, tensor: object) -> int:
    if not isinstance(name, str) or not isinstance(tensor, Tensor):
        raise FormatError(
            f"{path}: {name!r} is a {type(tensor).__name__}; each entry must be a tensor with a name"
        )
    return tensor.numel() * tensor.element_size()
