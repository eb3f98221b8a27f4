"""Columns of text yield the numbers that Python reads, to the bit."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from holo_features.readers.columns import decimals, integers, number


def column(values):
    width = max(map(len, values))
    return np.frombuffer("".join(value.rjust(width) for value in values).encode(), dtype=np.uint8).reshape(
        -1, width
    )


written = st.one_of(
    st.floats(-99999, 99999).map(lambda x: f"{x:.3f}"),
    st.floats(-1e6, 1e6).map(repr),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.integers(-(10**12), 10**12).map(str),
    st.from_regex(r"\A[+-]?[0-9]{0,3}\.?[0-9]{0,20}\Z"),
    st.text("0123456789.+- eE_naif", min_size=1, max_size=8),
)


@given(st.lists(written.map(str.strip).filter(bool), min_size=1, max_size=20))
def test_numbers_are_those_of_python(values):
    found, bad = decimals(column(values))
    for row, value in enumerate(values):
        try:
            expected = number(value)
        except ValueError:
            assert row in bad
        else:
            assert row not in bad
            assert found[row].tobytes() == np.float64(expected).tobytes() or np.isnan(expected)


@given(
    st.lists(
        st.one_of(st.integers(-(10**17), 10**17).map(str), st.text("0123456789+-. ", min_size=1, max_size=6))
    )
)
def test_integers_are_those_of_python(values):
    values = [value.strip() or "x" for value in ["0", *values]]
    found, bad = integers(column(values))
    for row, value in enumerate(values):
        try:
            expected = int(value)
        except ValueError:
            assert row in bad
        else:
            assert row not in bad
            assert found[row] == expected


@pytest.mark.parametrize("value", ["1_0", "1٣", "", "0x10"])
def test_what_only_python_takes_for_a_number(value):
    with pytest.raises(ValueError, match="could not convert"):
        number(value)
