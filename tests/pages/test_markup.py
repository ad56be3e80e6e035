"""Pages as HTML: whole, escaped, self-contained, and of use to those who do not see it."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser

import pytest

from tests.pages.reports import NASTY, flat, page, wiped
from vfi.pages.markup import POLICY, SCRIPT, html
from vfi.pages.page import Moment, Page, Pairs

EMPTY = {"input", "meta", "img", "polyline", "rect", "image", "br"}


class Read(HTMLParser):
    """The tags of a page in order, with their attributes; fails on one that is closed in the wrong order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag in EMPTY:
            return
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attrs for tag, attrs in self.tags if tag == name]


@pytest.fixture(scope="module")
def text() -> str:
    return html(page())


@pytest.fixture(scope="module")
def read(text: str) -> Read:
    return Read(text)


def test_a_page_is_utf_8_and_well_nested(text: str, read: Read):
    assert "名前" in text.encode().decode()
    assert [tag for tag, _ in read.tags][:2] == ["html", "head"]


def test_no_text_becomes_markup(read: Read):
    assert read.all("script") == []
    assert sum("<script>alert(1)</script>" in words for words in read.words) >= 4
    assert NASTY[:-1] in next(attrs["aria-label"] for attrs in read.all("svg") if "A clip of" in (attrs["aria-label"] or ""))


def test_only_a_page_with_a_wipe_runs_a_script_and_only_that_one():
    read = Read(html(wiped()))
    assert len(read.all("script")) == 1
    (policy,) = (attrs["content"] for attrs in read.all("meta") if attrs.get("http-equiv"))
    digest = b64encode(sha256(SCRIPT.encode()).digest()).decode()
    assert policy == f"{POLICY}; script-src 'sha256-{digest}'"
    assert SCRIPT in html(wiped())
    assert [attrs["class"] for attrs in read.all("img")[:3]] == ["left", "right", ""]
    assert [attrs["value"] for attrs in read.all("option") if "selected" in attrs] == ["0", "1"]


def test_nothing_is_loaded_from_anywhere(text: str, read: Read):
    addresses = [
        value for _, attrs in read.tags for name, value in attrs.items() if name in ("src", "href", "style", "xlink:href")
    ]
    assert all(one.startswith(("data:image/", "#", "aspect-ratio")) for one in addresses if one)
    assert "url(" not in text
    assert "@import" not in text
    assert not re.search(r"\son\w+=", text)
    assert "default-src 'none'" in text


def test_every_link_leads_somewhere(read: Read):
    names = {attrs["id"] for _, attrs in read.tags if "id" in attrs}
    aims = [attrs["href"] for attrs in read.all("a")]
    assert aims
    assert {(aim or "")[1:] for aim in aims} <= names


def test_pictures_and_figures_have_words_and_sizes(read: Read):
    pictures = read.all("img")
    assert len(pictures) == 7  # two large, and three moments of which one has no picture after
    assert all(attrs["alt"] and attrs["width"] and attrs["height"] for attrs in pictures)
    assert all(attrs["role"] == "img" and attrs["aria-label"] for attrs in read.all("svg"))


def test_tables_have_captions_and_headings_with_scopes(read: Read):
    assert len(read.all("caption")) == len(read.all("table")) == 2
    assert all(attrs["scope"] in ("row", "col") for attrs in read.all("th"))


def test_a_page_without_parts_is_one():
    assert Read(html(Page("Clip report", "a", "Nothing.", (), ()))).all("h1")


def test_the_sides_of_a_pair_are_called_as_it_says():
    shown = Moment("frame 3", flat(90), flat(200))
    text = html(Page("Report", "clip", "", (), (Pairs((shown,), shown, "it", ("frame", "<doubt>")),)))
    assert '<b class="b">frame</b>' in text
    assert '<b class="a">&lt;doubt&gt;</b>' in text
    assert "before" not in re.sub(r"<style>.*</style>", "", text, flags=re.S)
