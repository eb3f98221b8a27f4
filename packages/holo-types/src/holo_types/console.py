"""Conventions that Holo's console scripts share: exit statuses, error lines, progress and ``skipped.csv``.

This module needs the extra ``cli`` (cyclopts, rich), which it imports only when it is used.
"""

import contextlib
import io
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from .errors import HoloError
from .files.csv_files import write_csv
from .folders import no_link
from .signals import Terminated, endable
from .summary import is_quiet, say, summarizing, visible

if TYPE_CHECKING:
    from cyclopts import App

__all__ = [
    "Outcome",
    "Skipped",
    "examples_shown",
    "program",
    "progress",
    "run",
    "say",
    "visible",
    "write_skipped",
]

OK, NOTHING_USEFUL, WRONG_USAGE, SOME_FILES_FAILED, INTERRUPTED, TERMINATED = 0, 1, 2, 3, 130, 143

_NARROWEST, _WIDEST, _MOST_DIGITS = (
    20,
    500,
    9,
)  # columns of a text; rich would take minutes for very many, or for one
_LOG_INTERVAL = 15.0  # seconds between the progress lines of a log


# What torch and Python say in a RuntimeError when memory runs out.
_OUT_OF_MEMORY = ("can't allocate memory", "out of memory", "can't start new thread")


def _error_line(message: str) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    line = visible(" ".join(message.split()))
    # As text, because messages hold shapes such as [n, 3], which rich would take for its own markup.
    Console(stderr=True).print(Text(line, style="red"), soft_wrap=True)


def examples_shown(*lines: str) -> str:
    """Return command lines as they are shown at the end of a help text.

    Examples
    --------
    >>> examples_shown("double 21", "double 4").splitlines()
    ['Examples:', '', '- `double 21`', '- `double 4`']
    """
    return "\n".join(("Examples:" if len(lines) > 1 else "Example:", "", *(f"- `{line}`" for line in lines)))


def program(name: str, help: str, version: str, examples: Sequence[str]) -> "App":
    """Return a console script that has what all of them have: version, examples and shell completion.

    Parameters
    ----------
    name, help, version
        As `cyclopts.App` takes them.
    examples
        Command lines, which are shown at the end of the help.

    Examples
    --------
    >>> app = program("double", "Double a number.", "1.0", ["double 21"])
    >>> "double 21" in app.help_epilogue
    True
    """
    from cyclopts import App  # noqa: PLC0415

    app = App(name=name, help=help, version=version, help_epilogue=examples_shown(*examples))
    app.register_install_completion_command(add_to_startup=False)
    return app


def run(app: "App", argv: Sequence[str] | None = None) -> int:
    """Run a console script and return its exit status.

    Parameters
    ----------
    app
        The script. A command may return its exit status, such as `Outcome.exit_status`.
    argv
        The arguments; by default those of this process.

    Returns
    -------
    int
        2 for wrong usage; 1 for a `HoloError`, an `OSError`, too little memory, too deep a nesting or a module that
        cannot be imported, each reported in one line on stderr; 130 after Ctrl-C and 143 after SIGTERM; otherwise the
        integer that the command returned, or 0.

    Examples
    --------
    >>> from cyclopts import App
    >>> app = App(name="double")
    >>> @app.default
    ... def double(number: int) -> int:
    ...     return 2 * number
    >>> run(app, ["21"])
    42
    """
    _ready_streams()
    try:
        with endable():
            return _reported(app, list(sys.argv[1:] if argv is None else argv))
    except KeyboardInterrupt as end:
        by = "Ended by SIGTERM" if isinstance(end, Terminated) else "Interrupted"
        _error_line(f"{by}. What was already written is kept.")
        return TERMINATED if isinstance(end, Terminated) else INTERRUPTED


def _reported(app: "App", tokens: Sequence[str]) -> int:
    """Run a command, and report an error in one line."""
    try:
        return _run(app, tokens)
    except RecursionError as error:
        _error_line(f"Error: an input is nested too deeply ({error})")
        return NOTHING_USEFUL
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not any(words in str(error) for words in _OUT_OF_MEMORY):
            raise
        what = f" ({str(error).splitlines()[0]})" if str(error) else ""
        _error_line(f"Error: there is not enough memory{what}; use fewer workers, or less data")
        return NOTHING_USEFUL
    except (HoloError, ImportError) as error:  # an ImportError: memory may be too short to load a module
        _error_line(f"Error: {error}")
        return NOTHING_USEFUL
    except OSError as error:
        # What no command anticipated: a full disk, a closed pipe, a folder in place of a file.
        if isinstance(error, BrokenPipeError):
            _forget_output()
        name = f"{error.filename}: " if error.filename else ""
        _error_line(f"Error: {name}{error.strerror or error}")
        return NOTHING_USEFUL


def _run(app: "App", tokens: Sequence[str]) -> int:
    from cyclopts import CycloptsError  # noqa: PLC0415

    from .options import IN_LINES, SummaryOptions  # noqa: PLC0415 - they need cyclopts

    try:
        command, bound, _ = app.parse_args(tokens, print_error=False, exit_on_error=False)
    except CycloptsError as error:
        _error_line(f"{str(error).rstrip('.')}. See {app.name[0]} --help.")
        return WRONG_USAGE
    given = (value for value in (*bound.args, *bound.kwargs.values()) if isinstance(value, SummaryOptions))
    form = next(given, IN_LINES).form
    with summarizing(form) as summary:
        result = command(*bound.args, **bound.kwargs)
    status = result if isinstance(result, int) else OK
    if form == "json":
        sys.stdout.write(f"{summary.json(status)}\n")
    sys.stdout.flush()  # here, so that an error of the flush gets its line and its exit status too
    return status


def _ready_streams() -> None:
    """Let standard output and standard error accept every text, however the process was started and wide they are."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:  # closed: the next file to be opened would get its number and the output
            os.open(os.devnull, os.O_RDWR)
    columns = os.environ.get("COLUMNS")
    if columns is not None:
        if not (columns.isascii() and columns.isdecimal() and columns.strip("0")):
            del os.environ["COLUMNS"]
        else:
            width = int(columns) if len(columns) < _MOST_DIGITS else _WIDEST
            os.environ["COLUMNS"] = str(min(max(width, _NARROWEST), _WIDEST))
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8"))
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(
                errors="backslashreplace"
            )  # Å in an ASCII locale, and names that are not UTF-8


def _forget_output() -> None:
    """Write nothing more to a pipe that nobody reads; otherwise Python would report it once more at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextlib.contextmanager
def progress(total: int, description: str) -> Iterator[Callable[..., None]]:
    """Show on stderr how far a long computation is: as a bar on a terminal, as a line now and then in a log.

    Parameters
    ----------
    total
        Number of steps.
    description
        The work, such as ``"encoding"``.

    Yields
    ------
    callable
        ``advance(n=1, note="")`` reports n more steps as done and shows the note, such as the speed, beside them.

    Examples
    --------
    >>> with progress(3, "counting") as advance:
    ...     for _ in range(3):
    ...         advance()
    """
    if is_quiet() or total == 0:
        yield _silent
        return
    with _bar(total, description) if sys.stderr.isatty() else _log_lines(total, description) as advance:
        yield advance


def _silent(n: int = 1, note: str = "") -> None:
    """Show nothing."""


@contextlib.contextmanager
def _bar(total: int, description: str) -> Iterator[Callable[..., None]]:
    from rich import progress as rich_progress  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415

    columns = (
        rich_progress.TextColumn("{task.description}", markup=False),
        rich_progress.BarColumn(),
        rich_progress.MofNCompleteColumn(),
        rich_progress.TimeElapsedColumn(),
        rich_progress.TextColumn("left"),
        rich_progress.TimeRemainingColumn(),
        rich_progress.TextColumn("{task.fields[note]}", markup=False),
    )
    with rich_progress.Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(visible(description), total=total, note="")

        def advance(n: int = 1, note: str = "") -> None:
            bar.update(task, advance=n, note=visible(note))

        yield advance


@contextlib.contextmanager
def _log_lines(total: int, description: str) -> Iterator[Callable[..., None]]:
    start = spoke = time.monotonic()
    done = 0

    def advance(n: int = 1, note: str = "") -> None:
        nonlocal done, spoke
        done += n
        now = time.monotonic()
        if done >= total or now - spoke >= _LOG_INTERVAL:
            spoke = now
            left = f", {(now - start) / done * (total - done):.0f} s left" if done else ""
            beside = f", {visible(note)}" if note else ""
            sys.stderr.write(f"{visible(description)}: {done}/{total}, {now - start:.0f} s{left}{beside}\n")
            sys.stderr.flush()

    yield advance


@attrs.define
class Outcome:
    """How the input files of one run fared.

    Parameters
    ----------
    succeeded
        Number of files that gave results.
    failed
        Number of files that gave none.
    skipped_residues
        Number of residues that were left out of files that gave results; each has its line in ``skipped.csv``. None
        if the files have no residues.
    others
        Counts, in words, of what else has its line in ``skipped.csv``, such as ``"3 atoms were left out"``.

    Examples
    --------
    >>> outcome = Outcome(succeeded=2, failed=1, skipped_residues=4)
    >>> outcome.exit_status, outcome.summary()
    (3, '2 of 3 files gave results, 1 failed; 4 residues were skipped')
    """

    succeeded: int = 0
    failed: int = 0
    skipped_residues: int | None = 0
    others: tuple[str, ...] = ()

    @property
    def exit_status(self) -> int:
        """0 if every file gave results, 3 if only some did, 1 if none did."""
        if self.succeeded == 0:
            return NOTHING_USEFUL
        return SOME_FILES_FAILED if self.failed else OK

    def summary(self) -> str:
        """Return the outcome as one line."""
        files = f"{self.succeeded} of {_count(self.succeeded + self.failed, 'file')} gave results"
        failed = f", {self.failed} failed" if self.failed else ""
        counted = list(self.others)
        if self.skipped_residues is not None:
            were = "was" if self.skipped_residues == 1 else "were"
            counted.insert(0, f"{_count(self.skipped_residues, 'residue')} {were} skipped")
        return "; ".join(filter(None, [f"{files}{failed}", ", ".join(counted)]))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


@attrs.frozen
class Skipped:
    """Something that was left out, and why.

    Parameters
    ----------
    file
        The input file.
    residue
        The residue, such as ``"A 52A GLY"``; empty if the whole file was left out.
    reason
        Why, in words.
    """

    file: str
    residue: str
    reason: str


def write_skipped(path: str | os.PathLike[str], skipped: Iterable[Skipped]) -> None:
    """Write a CSV file of what was left out, with the columns file, residue and reason, or with the header alone.

    Raises
    ------
    HoloError
        If the file cannot be written, or is a link.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> path = Path(tempfile.mkdtemp(), "skipped.csv")
    >>> write_skipped(path, [Skipped("1abc.cif", "A 7 GLY", "it has no atom CA")])
    >>> path.read_text(encoding="utf-8").splitlines()
    ['file,residue,reason', '1abc.cif,A 7 GLY,it has no atom CA']
    """
    write_csv(no_link(Path(path)), attrs.fields_dict(Skipped), map(attrs.astuple, skipped))
