"""The gallery's jobs are short, have their place and a picture with a title, and the long ones are recorded."""

import ast
import re
import sys
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

sys.path.insert(0, str(Path(__file__).parent))
from gallery_pages import GALLERY, JOBS, LONG, JobOrder, executed, figure_directive, save_pictures

SCRIPTS = sorted(GALLERY.glob("*/*.py"))
MOST_LINES = 20  # of code, imports included; comments and blank lines are not counted


def test_every_job_has_its_place() -> None:
    assert sorted(path.stem for path in SCRIPTS) == sorted(JOBS)
    assert [name for name in JOBS if JobOrder("")(f"{name}.py") == 0] == ["embed"]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.stem))
def test_a_job_is_short_and_its_picture_has_a_title(script: Path) -> None:
    text = script.read_text("utf-8")
    tree = ast.parse(text)
    lines = text.splitlines()
    code = {n for node in tree.body[1:] for n in range(node.lineno, (node.end_lineno or node.lineno) + 1)}
    counted = [n for n in code if lines[n - 1].strip() and not lines[n - 1].lstrip().startswith("#")]
    assert len(counted) <= MOST_LINES
    assert "num=" in text or re.search(r'plt\.figure\(\s*"', text)


def test_only_long_jobs_are_left_to_their_own_session() -> None:
    run = {path.stem for path in SCRIPTS if re.search(executed(), path.as_posix())}
    assert run == set(JOBS) - set(LONG)


@pytest.mark.parametrize("job", LONG)
def test_long_jobs_are_recorded(job: str) -> None:
    for name in (f"{job}.png", f"{job}_dark.png", f"{job}.txt"):
        assert (GALLERY / "recorded" / name).stat().st_size > 100
    (script,) = GALLERY.glob(f"*/{job}.py")
    assert f"/gallery/recorded/{job}.txt" in script.read_text("utf-8")


def test_pictures_are_saved_for_light_and_dark_pages(tmp_path: Path) -> None:
    figure = Figure(figsize=(2, 1))
    figure.text(0.5, 0.5, "Holo", size=40, ha="center", va="center")
    saved = save_pictures(figure, tmp_path / "a.png")
    shades = {theme: imread(path) for theme, path in saved.items()}
    for theme, image in shades.items():
        ink = image[image[..., 3] > 0.99][:, :3].mean()
        assert image[0, 0, 3] == 0  # the page shows through
        assert ink < 0.3 if theme == "light" else ink > 0.7
    assert "only-dark" in figure_directive("/a.png", "A line", "dark")
