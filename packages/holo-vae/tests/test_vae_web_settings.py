"""The settings of the service: one table on one page, and each of them there."""

from pathlib import Path

import attrs
import pytest

from holo_types import HoloError
from holo_vae.web.settings import Settings, check_variables, variable_of

PAGE = Path(__file__).parents[3] / "docs" / "guides" / "serving.md"


@pytest.mark.skipif(not PAGE.exists(), reason="the page is in the workspace only")
def test_the_page_lists_every_setting() -> None:
    rows = [line.split("|")[1:4] for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| `--")]
    listed = {
        option.strip(" `"): (variable.strip(" `"), default.strip(" `")) for option, variable, default in rows
    }
    expected = {
        f"--{field.name.replace('_', '-')}": (
            variable_of(field.name),
            "processors" if field.name == "workers" else str(field.default),
        )
        for field in attrs.fields(Settings)
    }
    assert listed == expected


def test_a_misspelt_variable_is_named() -> None:
    check_variables({variable_of(field.name): "1" for field in attrs.fields(Settings)} | {"HOLO_DATA": "x"})
    with pytest.raises(
        HoloError, match=r"HOLO_SERVING_MAXQUEUE is not a setting .*; HOLO_SERVING_MAX_QUEUE is"
    ):
        check_variables({"HOLO_SERVING_MAXQUEUE": "7"})
