"""Cases by name: a format and a seed always yield the same file, or the same files.

The seed ``17`` is one file, damaged by `mutations`. The seed ``h17`` is a run of hypothesis, which proposes values for
fields, and simplifies a file that fails.
"""

import struct
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from random import Random
from typing import Any

import msgpack  # type: ignore[import-untyped]
from check import FAILED, Outcome, check
from hypothesis import HealthCheck, Phase, given, seed, settings, strategies as st
from hypothesis.errors import HypothesisWarning
from mutations import SUFFIXES, TOKENS, containers, mutated, overwrite_pdb_field, overwrite_token, packed
from originals import originals

__all__ = ["EXAMPLES", "outcomes"]

EXAMPLES = 50  # of one run of hypothesis

Stage = Callable[[str], None]


def outcomes(form: str, name: str, folder: Path, stage: Stage) -> Iterator[tuple[Outcome, Path]]:
    """Run a case; yield the outcome of each of its files, and the file."""
    if name.startswith("h"):
        yield from _proposed(form, int(name[1:]), folder, stage)
    else:
        content, zipped = mutated(form, Random(f"{form}/{name}"))
        path = folder / f"case{SUFFIXES[form]}{'.gz' if zipped else ''}"
        path.write_bytes(content)
        yield check(form, path, stage), path


def _proposed(form: str, number: int, folder: Path, stage: Stage) -> list[tuple[Outcome, Path]]:
    path = folder / f"proposed{SUFFIXES[form]}"
    found: list[tuple[Outcome, Path]] = []
    failed: list[Outcome] = []

    @seed(number)
    @settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(_CONTENTS[form]())
    def test(content: bytes) -> None:
        path.write_bytes(content)
        outcome = check(form, path, stage)
        if outcome.verdict == FAILED:
            failed.append(outcome)
            raise AssertionError(outcome.detail)
        if not failed:  # while hypothesis simplifies a failure, nothing is counted
            found.append((outcome, path))

    with suppress(AssertionError, ExceptionGroup), warnings.catch_warnings():
        warnings.simplefilter("ignore", HypothesisWarning)  # about the length of its output
        test()
    return [*found, (failed[-1], path)] if failed else found


# ------------------------------------------------------------------------------------- proposed values


def _values() -> st.SearchStrategy[str]:
    numbers = st.floats().map(repr) | st.integers().map(str) | st.decimals(places=3).map(str)
    return st.sampled_from(TOKENS) | numbers | st.text(st.characters(codec="utf-8"), max_size=8)


def _pdb_contents() -> st.SearchStrategy[bytes]:
    edits = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 16), _values()), min_size=1, max_size=4)

    def edited(content: bytes, changes: list[tuple[int, int, str]]) -> bytes:
        for line, field, value in changes:
            content = overwrite_pdb_field(content, line, field, value)
        return content

    return st.builds(edited, st.sampled_from(originals("pdb")), edits)


def _word_contents(form: str) -> st.SearchStrategy[bytes]:
    edits = st.lists(st.tuples(st.integers(0, 5_000), _values()), min_size=1, max_size=4)

    def edited(content: bytes, changes: list[tuple[int, str]]) -> bytes:
        for place, value in changes:
            content = overwrite_token(content, place, value)
        return content

    return st.builds(edited, st.sampled_from(originals(form)), edits)


def _binarycif_contents() -> st.SearchStrategy[bytes]:
    numbers = st.integers(-(2**63), 2**64 - 1) | st.integers(-3, 300) | st.floats() | st.booleans()
    leaves = numbers | st.none() | st.text(max_size=5) | st.binary(max_size=9)
    values = leaves | st.lists(leaves, max_size=3) | st.dictionaries(st.text(max_size=5), leaves, max_size=2)
    edits = st.lists(st.tuples(st.integers(0, 3_000), st.integers(0, 30), values), min_size=1, max_size=3)

    def edited(content: bytes, changes: list[tuple[int, int, Any]]) -> bytes:
        tree = msgpack.unpackb(content, raw=False)
        for place, key, value in changes:
            nodes = containers(tree)
            if nodes:
                node = nodes[place % len(nodes)]
                node[list(node)[key % len(node)] if isinstance(node, dict) else key % len(node)] = deepcopy(
                    value
                )
        return packed(tree)

    return st.builds(edited, st.sampled_from(originals("binarycif")), edits)


def _idx_contents() -> st.SearchStrategy[bytes]:
    sizes = st.lists(st.integers(0, 4) | st.integers(0, 2**32 - 1), max_size=5)

    def array(code: int, shape: list[int], data: bytes, lie: int) -> bytes:
        return struct.pack(f">BBBB{len(shape)}I", 0, 0, code, max(0, len(shape) + lie), *shape) + data

    codes = st.sampled_from((8, 9, 11, 12, 13, 14)) | st.integers(0, 255)
    return st.builds(array, codes, sizes, st.binary(max_size=64), st.sampled_from((0, 0, 0, 1, -1, 200)))


_CONTENTS: dict[str, Callable[[], st.SearchStrategy[bytes]]] = {
    "pdb": _pdb_contents,
    "mmcif": lambda: _word_contents("mmcif"),
    "binarycif": _binarycif_contents,
    "off": lambda: _word_contents("off"),
    "idx": _idx_contents,
}
