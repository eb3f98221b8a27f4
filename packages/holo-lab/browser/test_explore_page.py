"""What a reader does on the page of `holo explore`, in Chromium."""

import io
import itertools
import re
from collections.abc import Callable
from urllib.parse import parse_qs, quote, urlsplit

import numpy as np
import pytest
from pages import HOSTILE
from PIL import Image
from playwright.sync_api import Page, ViewportSize, expect

from holo_lab.explore.contents import Contents

Open = Callable[..., Page]

HIS_64 = "#residue=1bvc_A+A+64"
RESTED = 400  # ms until the address holds the state


def heading(page: Page) -> str:
    return page.inner_text("#heading h2")


def state(page: Page) -> dict[str, list[str]]:
    page.wait_for_timeout(RESTED)
    return parse_qs(urlsplit(page.url).fragment)


def picture(page: Page, selector: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(page.locator(selector).screenshot())).convert("RGB")).astype(int)


def place_of(page: Page, row: int) -> tuple[float, float]:
    """Return the position of a point on the screen, according to the page itself."""
    x, y = page.evaluate("(row) => window.holo.map.screen(row)", row)
    box = page.locator("#marks").bounding_box()
    assert box is not None
    return box["x"] + x, box["y"] + y


def test_a_click_selects_the_residue_and_shows_its_surroundings(open_page: Open, contents: Contents) -> None:
    page = open_page()
    expect(page.locator("#welcome h2").first).to_have_text("Pick a residue")
    # A point at the rim, which no other covers.
    points = contents.maps[0].points
    row = int(np.argmax(np.linalg.norm(points - points.mean(axis=0), axis=1)))
    page.mouse.click(*place_of(page, row))
    index = contents.residues.embeddings.index
    expect(page.locator("#heading h2")).to_have_text(
        f"{index['residue_name'][row]} {index['residue_number'][row]}"
    )
    expect(page.locator(".neighbor")).to_have_count(10)
    page.wait_for_timeout(1000)
    drawn = picture(page, "#molecule canvas")
    assert (np.abs(drawn - drawn[5, 5]).max(axis=2) > 60).mean() > 0.02, "atoms are drawn in 3D"
    page.keyboard.press("Escape")
    expect(page.locator("#residue")).to_be_hidden()


def test_a_turn_in_3d_turns_the_neighbors_too(open_page: Open) -> None:
    page = open_page(fragment=HIS_64)
    page.wait_for_timeout(1000)
    first, small = picture(page, "#molecule canvas"), picture(page, ".neighbor:nth-child(1) canvas")
    box = page.locator("#molecule").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 110, y + 40, steps=5)
    page.mouse.up()
    page.wait_for_timeout(800)
    assert (np.abs(picture(page, "#molecule canvas") - first).max(axis=2) > 40).mean() > 0.02
    assert (np.abs(picture(page, ".neighbor:nth-child(1) canvas") - small).max(axis=2) > 40).mean() > 0.05
    page.click("text=In its frame")
    page.mouse.move(5, 5)
    page.wait_for_timeout(800)
    assert (np.abs(picture(page, "#molecule canvas") - first).max(axis=2) > 40).mean() < 0.005


def test_densities_are_drawn_and_differ(open_page: Open) -> None:
    page = open_page(fragment=HIS_64)
    page.wait_for_timeout(1000)
    pictures = [picture(page, "#molecule canvas")]
    for name in ("True density", "Reconstructed"):
        page.click(f"#stage-tools >> text={name}")
        page.mouse.move(5, 5)
        page.wait_for_timeout(1200)
        pictures.append(picture(page, "#molecule canvas"))
    changes = [(np.abs(one - other).max(axis=2) > 20).mean() for one, other in itertools.pairwise(pictures)]
    assert min(changes) > 0.01
    assert state(page)["density"] == ["2"]


def test_search_goes_to_a_residue_by_its_name(open_page: Open) -> None:
    page = open_page()
    page.keyboard.press("/")
    page.keyboard.type("1bvc_A A 64")
    expect(page.locator("#suggestions li").first).to_contain_text("1bvc_A A 64")
    page.keyboard.press("Enter")
    assert heading(page) == "HIS 64"
    page.keyboard.press("1")
    second = heading(page)
    assert second != "HIS 64"
    page.keyboard.press("ArrowLeft")
    assert heading(page) == "HIS 64"
    page.keyboard.press("ArrowRight")
    assert heading(page) == second
    page.fill("#search", "1bvc:B:64")
    expect(page.locator("#suggestions")).to_contain_text("No such residue")


def test_the_legend_filters(open_page: Open, contents: Contents) -> None:
    page = open_page(fragment="#color=secondary_structure")
    helix = page.locator("#legend li button", has_text="helix")
    helix.click()
    left = int((contents.residues.secondary_structure != "helix").sum())
    expect(page.locator(".legend-foot")).to_contain_text(f"{left:,} of {len(contents.residues):,} shown")
    # Another column's legend cuts further, and both stand in the address.
    page.select_option("#color", label="reconstruction loss")
    page.locator("#legend input").nth(1).fill("60")
    page.locator("#legend input").nth(1).dispatch_event("change")
    shown = page.evaluate("window.holo.legend.shown().reduce((sum, one) => sum + one, 0)")
    assert 0 < shown < left
    kept = state(page)
    assert kept["hide.secondary_structure"] == ['["helix"]']
    assert "only.loss" in kept
    page.click(".legend-foot button")
    assert page.evaluate("window.holo.legend.shown().reduce((sum, one) => sum + one, 0)") == len(
        contents.residues
    )


def test_an_area_is_selected_and_named(open_page: Open) -> None:
    page = open_page(fragment="#color=burial")
    box = page.locator("#marks").bounding_box()
    assert box is not None
    page.keyboard.down("Shift")
    page.mouse.move(box["x"] + 240, box["y"] + 80)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 5, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    page.keyboard.up("Shift")
    words = page.inner_text("#area h2")
    count = int(re.sub(r"\D", "", words))
    assert 0 < count < page.evaluate("window.holo.map.shown.length")
    expect(page.locator("#area .residues li").first).to_be_visible()
    page.click("#area .residues button >> nth=0")
    expect(page.locator("#heading h2")).to_be_visible()
    expect(page.locator("#area")).to_be_hidden()


def test_the_address_brings_the_state_back(open_page: Open) -> None:
    page = open_page(fragment=f"{HIS_64}&color=burial")
    page.keyboard.press("+")
    page.keyboard.press("t")
    page.wait_for_url("**theme=dark*")  # it is written after a moment
    assert state(page)["theme"] == ["dark"]
    fragment = "#" + urlsplit(page.url).fragment
    again = open_page(fragment=fragment)
    assert heading(again) == "HIS 64"
    assert again.input_value("#color") == page.input_value("#color")
    assert again.evaluate("window.holo.map.view.zoom") == pytest.approx(1.4, abs=0.01)
    assert again.evaluate("document.documentElement.dataset.theme") == "dark"
    # What means nothing is passed over.
    open_page(
        fragment="#color=none&map=9&view=a,b&residue=%3Cscript%3E&hide.burial={&only.loss=x&density=7&theme=pink"
    )


def test_hostile_names_are_words(open_page: Open) -> None:
    page = open_page("hostile", f"#residue={quote(HOSTILE[0])}")
    expect(page.locator("h1")).to_have_text(HOSTILE[0])
    page.mouse.click(*place_of(page, 0))
    expect(page.locator("#heading p")).to_contain_text("chain")
    page.hover("#legend li >> nth=1")
    page.mouse.move(*place_of(page, 5))
    page.fill("#search", HOSTILE[1][:12])
    page.keyboard.press("Escape")
    page.keyboard.press("c")
    page.keyboard.press("Escape")
    assert page.evaluate("window.attacked") is None
    assert page.locator("img").count() == 0


def test_what_is_added_to_the_page_does_not_run(open_page: Open) -> None:
    """Had the escaping failed somewhere, the policy would still stop what came in, and says so in the console."""
    page = open_page(complains=True)
    blocked = page.evaluate(
        """() => new Promise((resolve) => {
          let count = 0;
          document.addEventListener("securitypolicyviolation", () => { count += 1; });
          const script = document.createElement("script");
          script.textContent = "window.attacked = 1";
          document.body.append(script);
          setTimeout(() => resolve([count, window.attacked ?? null]), 300);
        })"""
    )
    assert blocked == [1, None]


@pytest.mark.parametrize("dark", [False, True])
def test_the_theme_is_that_of_the_system_and_a_switch_changes_it(open_page: Open, dark: bool) -> None:
    page = open_page(dark=dark)
    light = picture(page, "#panel").mean()
    assert (light < 80) == dark
    page.click("#theme")
    page.wait_for_timeout(300)
    assert (picture(page, "#panel").mean() < 80) != dark


def test_on_a_phone_all_is_within_the_width(open_page: Open) -> None:
    page = open_page(fragment=HIS_64, size=ViewportSize(width=390, height=844))
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    for selector in ("#marks", "#legend", "#molecule", "#neighbors", "#search"):
        box = page.locator(selector).bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390


PAN = """() => new Promise((resolve) => {
  const times = [];
  const step = (now) => {
    times.push(now);
    window.holo.map.panBy(6 * Math.sin(times.length / 8), 4 * Math.cos(times.length / 8));
    if (times.length < 60) {
      requestAnimationFrame(step);
    } else {
      resolve(times);
    }
  };
  requestAnimationFrame(step);
})"""


def test_many_points_are_panned(open_page: Open, capsys: pytest.CaptureFixture[str]) -> None:
    """How many frames a second there are depends on the machine, so it is said and not asserted."""
    page = open_page("many")
    before = picture(page, "#plot")
    times = page.evaluate(PAN)
    assert (np.abs(picture(page, "#plot") - before).max(axis=2) > 20).mean() > 0.01
    with capsys.disabled():
        rate = 1000 / np.median(np.diff(times))
        print(f"\n100,000 points while panning, without a graphics card: {rate:.0f} frames a second (median)")
