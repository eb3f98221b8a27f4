"""Compile every C file of the package for every supported system, with the compiler of the wheel ``ziglang``.

The C files need no headers and call no library, so one machine compiles for all systems, and one wheel
serves every Python version. An editable install compiles for its own machine only.
"""

import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# clang tunes x86-64-v4 for the first processors of its kind, and splits vectors of 512 bits in two.
AVX512 = "x86_64_v4-prefer_256_bit"
# Keys: system and processor as Python's `platform` names them, and the instruction set. Values: the compiler's target
# and processor, and the suffix of a shared library. x86-64-v3 has AVX2 and FMA, x86-64-v4 has AVX-512.
TARGETS = {
    ("Linux", "x86_64", "v3"): ("x86_64-linux-gnu.2.17", "x86_64_v3", ".so"),
    ("Linux", "x86_64", "v4"): ("x86_64-linux-gnu.2.17", AVX512, ".so"),
    ("Linux", "aarch64", "base"): ("aarch64-linux-gnu.2.17", "generic", ".so"),
    ("Darwin", "arm64", "base"): ("aarch64-macos", "apple_m1", ".dylib"),
    ("Darwin", "x86_64", "v3"): ("x86_64-macos", "x86_64_v3", ".dylib"),
    ("Windows", "AMD64", "v3"): ("x86_64-windows-gnu", "x86_64_v3", ".dll"),
    ("Windows", "AMD64", "v4"): ("x86_64-windows-gnu", AVX512, ".dll"),
    ("Windows", "ARM64", "base"): ("aarch64-windows-gnu", "generic", ".dll"),
}
# These have no vectors and run on any x86-64. The first reports the level of the processor; only x86-64 needs it.
LEVEL = "cpu"
PLAIN = (LEVEL, "threads")

FLAGS = (
    *("-shared", "-O3", "-std=c11", "-Wall", "-Wextra", "-Werror", "-fvisibility=hidden", "-s"),
    # A product and a sum may become one instruction; no other change of a result is allowed.
    *("-ffp-contract=fast-honor-pragmas", "-fno-math-errno", "-fno-trapping-math"),
    # No loop may become a call to a C library that is not there.
    "-fno-builtin",
)


def libraries(sources: list[Path], *, all_systems: bool) -> list[tuple[Path, str, list[str]]]:
    """Return what to compile: the C file, the library's name, and the compiler's arguments for its target."""
    here = platform.system(), platform.machine()
    found = []
    for (system, machine, level), (target, processor, suffix) in TARGETS.items():
        if not all_systems and (system, machine) != here:
            continue
        # No C library is linked, so that any that a system has will do; only macOS refuses a library without its own.
        options = ["-target", target, *(["-nostdlib"] if system != "Darwin" else [])]
        for source in sources:
            if source.stem in PLAIN and level == "v3":
                name = f"{source.stem}_{system}_{machine}{suffix}".lower()
                found.append((source, name, [*options, "-mcpu=x86_64"]))
            if source.stem == LEVEL or (source.stem in PLAIN and level != "base"):
                continue
            name = f"{source.stem}_{system}_{machine}_{level}{suffix}".lower()
            found.append((source, name, [*options, f"-mcpu={processor}"]))
    return found


class CompileHook(BuildHookInterface[Any]):
    """Put the libraries into ``src/holo_kernels/lib``."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile before the wheel is built."""
        del build_data
        package = Path(self.root, "src", "holo_kernels")
        folder = package / "lib"
        folder.mkdir(exist_ok=True)
        sources = sorted(package.glob("csrc/*.c"))
        wanted = libraries(sources, all_systems=version != "editable")
        for source, name, target in wanted:
            new = folder / f"{name}.new"
            compiler = [sys.executable, "-m", "ziglang", "cc", *FLAGS, *target, "-o", str(new), str(source)]
            subprocess.run(compiler, check=True)
            new.replace(folder / name)  # a process that has loaded the old file keeps it
        names = {name for _, name, _ in wanted}
        for file in folder.iterdir():
            if file.name not in names:
                file.unlink()
