"""Folders that Holo writes or goes on with, and that somebody else may have prepared."""

import os
import stat
from pathlib import Path, PurePath

from holo_types.errors import FormatError

__all__ = ["check_folder", "no_link", "path_inside"]


def check_folder(folder: Path) -> None:
    """Refuse a folder with anything in it but regular files and folders.

    Through a link in a folder from somebody else, writing would replace, and reading would publish, files elsewhere.

    Parameters
    ----------
    folder
        The folder, which need not exist; it may itself be a link.

    Raises
    ------
    FormatError
        If something in the folder, at any depth, is a link, a pipe, a socket or a device.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / "model.json").symlink_to("/etc/passwd")
    >>> check_folder(folder)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    holo_types.errors.FormatError: ...model.json is a link; ... may contain only files and folders of its own
    """
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(place, name)
            try:
                mode = path.lstat().st_mode
            except FileNotFoundError:  # another process has removed it
                continue
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                kind = "a link" if stat.S_ISLNK(mode) else "not a regular file"
                raise FormatError(f"{path} is {kind}; {folder} may contain only files and folders of its own")


def no_link(path: Path) -> Path:
    """Return a path that Holo has chosen for a file beside an output, unless there is a link.

    Raises
    ------
    FormatError
        If it is a link: whoever made it would choose which file is overwritten.

    Examples
    --------
    >>> no_link(Path("rows.skipped.csv")).name
    'rows.skipped.csv'
    """
    if path.is_symlink():
        raise FormatError(
            f"{path} is a link; what is written there must be a file of its own, so remove the link"
        )
    return path


def path_inside(folder: Path, relative: str) -> Path:
    """Return the path of something in a folder that a file names, unless the name leads out of the folder.

    Parameters
    ----------
    folder
        The folder, which has passed `check_folder`.
    relative
        The path from the folder.

    Raises
    ------
    FormatError
        If it is an absolute path, contains ``..``, or is the folder itself.

    Examples
    --------
    >>> path_inside(Path("run"), "tracking/1/recipe.yaml").as_posix()
    'run/tracking/1/recipe.yaml'
    >>> path_inside(Path("run"), "../.ssh/id_rsa")
    Traceback (most recent call last):
    ...
    holo_types.errors.FormatError: '../.ssh/id_rsa' leads out of run; it must be the path of something in it
    """
    path = PurePath(relative)
    if path.is_absolute() or path.drive or ".." in path.parts or not path.parts or "\0" in relative:
        raise FormatError(f"{relative!r} leads out of {folder}; it must be the path of something in it")
    return folder / path
