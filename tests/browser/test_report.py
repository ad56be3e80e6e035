"""A report in a real browser: it loads nothing, fits any screen, and can be read in light and dark and on paper."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.pages.reports import page as report
from vfi.pages.markup import html


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "a report.html"
    path.write_text(html(report()), encoding="utf-8")
    return path


@pytest.fixture
def opened(chromium: Any, file: Path) -> Iterator[Any]:
    """Opens the report in a window of a width; fails if it asks for anything but itself, or complains."""
    contexts, heard = [], []

    def open_page(width: int, scheme: str = "light") -> Any:
        context = chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: heard.append(message.text))
        page.on("request", lambda asked: heard.append(asked.url) if not asked.url.startswith("data:") else None)
        page.goto(file.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert set(heard) == {file.as_uri()}


@pytest.mark.parametrize("width", [320, 760, 761, 1280])
def test_it_fits_any_screen(opened: Any, width: int):
    page = opened(width)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    shown = page.evaluate("[...document.querySelectorAll('svg')].filter(one => one.checkVisibility()).length")
    assert shown == 2
    assert page.evaluate("[...document.images].every(one => one.complete && one.naturalWidth > 0)")


def test_light_and_dark_differ_and_can_be_read(opened: Any):
    contrast = """() => {
      const light = text => { const [r, g, b] = text.match(/[\\d.]+/g).map(Number).map(one => one / 255)
        .map(one => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
      const ground = one => { for (; one; one = one.parentElement) {
        const found = getComputedStyle(one).backgroundColor; if (!found.startsWith('rgba(0, 0, 0, 0')) return found; } };
      const words = [...document.querySelectorAll('h1, h3, p, dt, dd, th, td, li, figcaption, figcaption b, footer')];
      const drawn = [...document.querySelectorAll('svg text')];
      const ratio = (one, colour) => { const [a, b] = [light(colour), light(ground(one))].sort((x, y) => y - x);
        return (a + 0.05) / (b + 0.05); };
      return [light(ground(document.body)), Math.min(...words.map(one => ratio(one, getComputedStyle(one).color)),
        ...drawn.map(one => ratio(one, getComputedStyle(one).fill)))]; }"""
    (paper, least), (night, darkest) = (opened(1280, scheme).evaluate(contrast) for scheme in ("light", "dark"))
    assert paper > 0.8 > 0.1 > night
    assert min(least, darkest) >= 4.5


def test_a_mark_leads_to_its_pictures(opened: Any):
    page = opened(1280)
    page.locator("svg a[href='#f1']").first.click()
    assert page.evaluate("document.querySelector('#f1').matches(':target')")
    box = page.evaluate("(({top}) => top)(document.querySelector('#f1').getBoundingClientRect())")
    assert 0 <= box < 800


def test_it_is_named_for_those_who_do_not_see_it(opened: Any):
    page = opened(1280)
    assert page.get_by_role("heading", level=1).count() == 1
    assert page.get_by_role("img", name="A clip of").first.is_visible()
    assert page.get_by_role("row", name="before").get_by_role("img").count() == 3
    assert page.get_by_role("table", name="All of them.").is_visible()


def test_it_can_be_printed(opened: Any):
    page = opened(1280, "dark")
    assert page.pdf(format="A4").startswith(b"%PDF")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
