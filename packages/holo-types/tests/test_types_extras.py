"""What a failed import of an extra advises."""

from importlib.metadata import version
from pathlib import Path

import pytest

from holo_types import HoloError
from holo_types.extras import extra


def refusal(statement: str) -> str:
    with pytest.raises(HoloError) as caught, extra("holo-types[table]"):
        exec(statement, {})
    return str(caught.value)


def test_what_imports_is_left_alone() -> None:
    with extra("holo-types[table]"):
        from numpy import float64
    assert float64(1) == 1


@pytest.mark.parametrize("statement", ["import absent_module", "from absent_module.part import name"])
def test_what_is_not_installed_is_to_be_installed(statement: str) -> None:
    assert refusal(statement) == "absent_module is not installed: pip install 'holo-types[table]'"


def test_what_an_installed_module_lacks_is_to_be_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As after `pip install --no-deps`.
    (tmp_path / "brought_alone.py").write_text("import absent_module\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    assert (
        refusal("import brought_alone") == "absent_module is not installed: pip install 'holo-types[table]'"
    )


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("import numpy.gone_since_then", "No module named 'numpy.gone_since_then'"),
        ("from numpy import gone_since_then", "cannot import name 'gone_since_then' from 'numpy' ("),
    ],
)
def test_what_is_installed_is_not_to_be_installed_again(statement: str, reason: str) -> None:
    message = refusal(statement)
    assert message.startswith(f"numpy {version('numpy')} is installed but cannot be imported: {reason}")
    assert "pip" not in message


def test_a_library_of_the_system_that_is_missing_is_named_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "compiled.py").write_text(
        "raise ImportError('libGL.so.1:\\nno such file')\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert refusal("import compiled").endswith(
        "is installed but cannot be imported: libGL.so.1: no such file"
    )
