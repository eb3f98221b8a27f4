"""Every example of every Markdown page must print what the page says it prints."""

import doctest
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted({ROOT / "README.md", *ROOT.glob("packages/*/README.md"), *ROOT.glob("docs/**/*.md")})
FENCED = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def code_alone(page: str) -> str:
    """Blank out all but the Python blocks, so that a failure names the page's own line."""
    kept = {line for block in FENCED.finditer(page) for line in _lines(page, block.start(1), block.end(1))}
    return "\n".join(line if number in kept else "" for number, line in enumerate(page.splitlines()))


def _lines(page: str, start: int, end: int) -> range:
    return range(page.count("\n", 0, start), page.count("\n", 0, end))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_examples_print_what_the_page_says(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    examples = doctest.DocTestParser().get_doctest(
        code_alone(page.read_text("utf-8")), {}, page.name, str(page), 0
    )
    failures: list[str] = []
    doctest.DocTestRunner(verbose=False).run(examples, out=failures.append)
    assert not failures, "".join(failures)
