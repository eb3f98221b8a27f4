"""JSON files with a digest of what they say."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st

from holo_types import FormatError
from holo_types.files.json_files import read_json, write_json

texts = st.text(st.characters(exclude_categories=["Cs"]))
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda each: st.lists(each, max_size=3) | st.dictionaries(texts, each),
    max_leaves=8,
)


@given(st.dictionaries(texts.filter(lambda key: key != "file_digest"), plain))
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, object]
) -> None:
    path = tmp_path_factory.mktemp("json") / "a.json"
    write_json(path, content, indent=2)
    assert read_json(path) == content


def test_no_flipped_bit_goes_unseen(tmp_path: Path) -> None:
    path, content = (
        tmp_path / "a.json",
        {"name": "β", "sizes": [1, 2.5, -1e300], "none": None, "inner": {"a": True}},
    )
    write_json(path, content, indent=2)
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        try:
            read = read_json(path)
        except ValueError:
            continue
        read = {name: value for name, value in read.items() if not name.startswith("file")}
        assert read == content or len(read) == len(content) + 1, place  # the digest's own name was hit


def test_a_file_of_before_is_read_and_one_that_is_changed_is_not(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"name": "demo"}))
    assert read_json(path) == {"name": "demo"}
    write_json(path, {"name": "demo"})
    path.write_text(path.read_text().replace("demo", "other"))
    with pytest.raises(FormatError, match=r"a\.json: does not match its file_digest"):
        read_json(path)
    path.write_text("[" * 100_000)
    with pytest.raises(FormatError, match="is nested too deeply"):
        read_json(path)
