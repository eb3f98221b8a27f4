"""Tables of vectors, changed at random: each is used or refused by Holo's error, whatever is wrong with it."""

import io
import random

import numpy as np
import pytest

from holo_downstream.vectors.tables import read_vectors
from holo_types import FormatError, HoloError


def mutated(content: bytes, chance: random.Random) -> bytes:
    """Cut, repeat, flip or replace a piece of a file."""
    start = chance.randrange(len(content))
    stop = min(len(content), start + chance.choice((1, 1, 4, 40)))
    piece = chance.choice(
        (b"", content[start:stop] * 2, chance.randbytes(stop - start), b"\xff" * 8, b"\0" * 8)
    )
    return content[:start] if chance.random() < 0.1 else content[:start] + piece + content[stop:]


@pytest.mark.parametrize("packed", [False, True])
def test_arrays(tmp_path, packed):
    path, whole = tmp_path / "vectors.npz", io.BytesIO()
    save = np.savez_compressed if packed else np.savez
    save(whole, id=np.array(["1abc", "2xyz"]), vectors=np.arange(6.0).reshape(2, 3))
    chance, refused = random.Random(0), 0
    for _ in range(200):
        path.write_bytes(mutated(whole.getvalue(), chance))
        try:
            read_vectors(path)
        except HoloError as error:
            assert str(path) in str(error)  # noqa: PT017 - others are used, and none raises anything else
            refused += 1
    assert refused > 50


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x93NUMPY\x01\x00", b"no arrays at all"])
def test_past_failures_of_arrays(tmp_path, content):
    (tmp_path / "vectors.npz").write_bytes(content)
    with pytest.raises(FormatError, match=r"vectors\.npz: cannot be read as \.npz without pickle"):
        read_vectors(tmp_path / "vectors.npz")
    np.save(tmp_path / "one.npy", np.zeros(3))
    (tmp_path / "one.npy").rename(tmp_path / "vectors.npz")
    with pytest.raises(FormatError, match=r"vectors\.npz: cannot be read as \.npz without pickle"):
        read_vectors(tmp_path / "vectors.npz")
