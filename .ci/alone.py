"""Import every module of an installed package, check what must be absent, and print the installed size.

Run by the session `isolation`, in an environment that holds the package's wheel and its dependencies only.
"""

import argparse
import importlib
import importlib.metadata
import importlib.util
import pkgutil
import sys
from pathlib import Path

INSTALLERS = ("pip", "setuptools")


def import_all(module: str, optional: list[str]) -> tuple[int, list[str]]:
    """Import a package and all its modules; give their number and those that only an extra makes work."""
    package = importlib.import_module(module)
    names = [found.name for found in pkgutil.walk_packages(package.__path__, f"{module}.")]
    behind_extras = []
    for name in names:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or error.name.split(".")[0] not in optional:
                raise
            behind_extras.append(f"{name} (needs {error.name})")
    return 1 + len(names), behind_extras


def installed_megabytes() -> dict[str, float]:
    """Give the size of each installed distribution in MB, by its name."""
    sizes = {}
    for distribution in importlib.metadata.distributions():
        files = [Path(str(distribution.locate_file(file))) for file in distribution.files or ()]
        sizes[distribution.name] = sum(file.stat().st_size for file in files if file.exists()) / 1e6
    return {name: size for name, size in sizes.items() if name not in INSTALLERS}


def main() -> None:
    """Check one package."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("module")
    parser.add_argument("--absent", nargs="*", default=[], help="modules that must not be importable")
    parser.add_argument("--optional", nargs="*", default=[], help="modules that only extras bring")
    arguments = parser.parse_args()

    present = [name for name in arguments.absent if importlib.util.find_spec(name)]
    if present:
        sys.exit(f"{arguments.module}: {', '.join(present)} came with it and must not")
    modules, behind_extras = import_all(arguments.module, arguments.optional)
    path = Path(str(importlib.import_module(arguments.module).__file__))
    if Path(sys.prefix) not in path.parents:
        sys.exit(f"{arguments.module}: imported from {path}, not from the wheel")

    sizes = installed_megabytes()
    own = sizes[arguments.module.replace("_", "-")]
    largest = sorted(sizes, key=lambda name: -sizes[name])[:3]
    print(
        f"{arguments.module}: {modules} modules import; {sum(sizes.values()):.1f} MB installed in {len(sizes)} "
        f"distributions (its own wheel {own:.2f} MB; {', '.join(f'{n} {sizes[n]:.0f}' for n in largest)}); "
        f"absent: {', '.join(arguments.absent)}"
    )
    for module in behind_extras:
        print(f"  only with an extra: {module}")


if __name__ == "__main__":
    main()
