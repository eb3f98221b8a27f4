"""Safe reading of YAML from untrusted sources: a file must not be larger than it looks."""

from pathlib import Path
from typing import Any

import yaml

from holo_types import FormatError
from holo_types.contents import regular_file

__all__ = ["read_yaml"]

_MOST_BYTES = 1 << 20
_MOST_VALUES = 20_000


def read_yaml(path: Path) -> Any:
    """Read a YAML file of plain values.

    Aliases repeat a value, and with aliases of aliases a few lines can stand for any number of values. They are
    therefore counted as often as they occur, before any value is made.

    Raises
    ------
    FormatError
        If it is not a regular file, cannot be read, is not YAML, is longer than 1 MiB, or has more than 20,000 values.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "a.yaml")
    >>> _ = path.write_text("lmax: 4")
    >>> read_yaml(path)
    {'lmax': 4}
    """
    try:
        with regular_file(path).open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise FormatError(f"{path}: is longer than {_MOST_BYTES} bytes, the most that is allowed")
        text = content.decode("utf-8")
        count = _values(yaml.compose(text, yaml.SafeLoader), {})
        if count > _MOST_VALUES:
            raise FormatError(f"{path}: has {count:.3g} values; it may have at most {_MOST_VALUES}")
        return yaml.safe_load(text)
    except RecursionError:
        raise FormatError(f"{path}: is nested too deeply, or contains itself") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())  # a parser's message takes several lines
        raise FormatError(f"{path}: cannot be read as YAML ({reason})") from None


def _values(node: yaml.Node | None, counted: dict[int, int]) -> int:
    """Count the values of a node with its aliases expanded."""
    if not isinstance(node, yaml.CollectionNode):
        return 1
    if id(node) not in counted:
        parts = node.value
        if isinstance(node, yaml.MappingNode):
            parts = [part for pair in node.value for part in pair]
        counted[id(node)] = 1 + sum(_values(part, counted) for part in parts)
    return counted[id(node)]
