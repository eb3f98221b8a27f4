import platform
from collections.abc import Iterator
from pathlib import Path

import pytest

import holo_kernels
from holo_kernels import libraries


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Allow a test to simulate another machine, and forget the cached libraries at the end."""
    cached = (libraries.load, libraries._levels)
    for function in cached:
        function.cache_clear()
    monkeypatch.delenv("HOLO_KERNELS_LEVEL", raising=False)
    yield monkeypatch
    monkeypatch.undo()
    for function in cached:
        function.cache_clear()


def test_the_processor_says_what_linux_says_of_it(elsewhere: pytest.MonkeyPatch) -> None:
    flags = Path("/proc/cpuinfo")
    if not flags.exists() or platform.machine() != "x86_64":
        pytest.skip("only Linux on x86-64 lists a processor's features in a file")
    words = set(flags.read_text(encoding="utf-8").split())
    expected = []
    if {"avx512f", "avx512dq", "avx512cd", "avx512bw", "avx512vl"} <= words:
        expected.append("v4")
    if {"avx2", "fma", "bmi1", "bmi2", "f16c", "movbe", "abm"} <= words:
        expected.append("v3")
    assert list(libraries._levels()) == expected


def test_a_process_may_ask_for_an_instruction_set(elsewhere: pytest.MonkeyPatch) -> None:
    levels = libraries._levels()
    if not levels:
        pytest.skip("this processor has none of them")
    libraries._levels.cache_clear()
    elsewhere.setenv("HOLO_KERNELS_LEVEL", levels[-1])
    library = libraries.load("zernike")
    assert library is not None
    assert Path(library._name).stem.endswith(levels[-1])


def test_refuses_an_instruction_set_that_the_processor_lacks(elsewhere: pytest.MonkeyPatch) -> None:
    elsewhere.setenv("HOLO_KERNELS_LEVEL", "v9")
    with pytest.raises(ValueError, match="HOLO_KERNELS_LEVEL is 'v9'; this processor has"):
        libraries.load("zernike")


def test_an_unknown_system_or_processor_has_no_kernels(elsewhere: pytest.MonkeyPatch) -> None:
    elsewhere.setattr(platform, "machine", lambda: "riscv64")
    assert holo_kernels.load("zernike") is None


def test_a_library_of_another_system_is_not_loaded(elsewhere: pytest.MonkeyPatch, tmp_path: Path) -> None:
    elsewhere.setattr(libraries, "_FOLDER", tmp_path)
    elsewhere.setattr(libraries, "_levels", lambda: ("v3",))
    name = f"foreign_{platform.system()}_{platform.machine()}_v3{libraries._SUFFIXES[platform.system()]}"
    (tmp_path / name.lower()).write_bytes(b"MZ\x90\x00" + bytes(64))
    assert libraries.load("foreign") is None
