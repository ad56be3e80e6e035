"""Pages as HTML: one file that holds its pictures and its style, and loads nothing.

It runs no script but the one that moves dividers, and that only if it has any; the browser is told its hash. All text is
escaped. Owns the markup. Knows nothing of where it is written to.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from hashlib import sha256
from html import escape

from .layout import Box, Drawing, Image, Line, Words, laid_out
from .page import Figure, Link, Moment, Notes, Page, Pairs, Part, Picture, Section, Table, Wipe
from .pictures import data_uri
from .style import CSS

WIDE, NARROW, BESIDE = 1120, 400, 372
"""Widths for which figures are drawn, in pixels."""

LONG = 60
"""Letters from which a title is set smaller."""

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""What a browser may load for a page: nothing."""

SCRIPT = """
for (const wipe of document.querySelectorAll(".wipe")) {
  const stack = wipe.querySelector(".stack"), shown = stack.querySelectorAll("img");
  const [left, right] = wipe.querySelectorAll("select");
  const show = () => shown.forEach((one, k) => {
    one.className = k == left.value ? "left" : k == right.value ? "right" : "";
    if (left.value == right.value && k == left.value) one.className = "right";
  });
  const slide = stack.querySelector("input");
  slide.oninput = () => stack.style.setProperty("--at", slide.value + "%");
  left.onchange = right.onchange = show;
  slide.oninput(); show();
}
"""
"""Moves the divider of each wipe, and changes its sides."""


def html(page: Page) -> str:
    """The page as a file of HTML, in UTF-8."""
    wipes = _wipes(page.parts)
    allowed = f"; script-src 'sha256-{b64encode(sha256(SCRIPT.encode()).digest()).decode()}'" if wipes else ""
    facts = "".join(f"<div><dt>{_text(name)}</dt><dd>{_text(value)}</dd></div>" for name, value in page.facts)
    size = ' class="long"' if len(page.title) > LONG else ""
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            '<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}{allowed}">',
            f"<title>{_text(page.title)}: {_text(page.kind)}</title>",
            f"<style>{CSS}</style></head>",
            f'<body><header class="head"><p class="kind">{_text(page.kind)}</p>',
            f'<h1{size}><bdi>{_text(page.title)}</bdi></h1><p class="lead">{_text(page.lead)}</p></header>',
            f'<dl class="facts">{facts}</dl>' if facts else "",
            "<main>",
            *_parts(page.parts),
            "</main>",
            f"<footer>{_text(page.footer)}</footer>" if page.footer else "",
            f"<script>{SCRIPT}</script>" if wipes else "",
            "</body></html>",
            "",
        ]
    )


def _parts(parts: Sequence[Part]) -> Iterator[str]:
    """The parts in order; a figure that is not wide stands beside the pictures before it, and cards stand in a grid."""
    k = 0
    while k < len(parts):
        part, after = parts[k], parts[k + 1] if k + 1 < len(parts) else None
        if isinstance(part, Pairs) and isinstance(after, Figure) and not after.wide:
            beside = f'<div class="with-trace">{_key(part)}{_figure(after)}</div>'
            yield beside + _films(part)
            k += 2
            continue
        if isinstance(part, Section) and part.card:
            cards = []
            while k < len(parts) and isinstance(one := parts[k], Section) and one.card:
                cards.append(_card(one))
                k += 1
            yield f'<div class="cards">{"".join(cards)}</div>'
            continue
        yield _part(part)
        k += 1


def _part(part: Part) -> str:
    if isinstance(part, Figure):
        return _figure(part)
    if isinstance(part, Pairs):
        return _key(part) + _films(part)
    if isinstance(part, Wipe):
        return _wipe(part)
    if isinstance(part, Table):
        return _table(part)
    if isinstance(part, Notes):
        return '<ul class="notes">' + "".join(f"<li>{_text(one)}</li>" for one in part.sentences) + "</ul>"
    if part.card:
        return _card(part)
    lead = f"<p>{_text(part.lead)}</p>" if part.lead else ""
    return f"<section{_anchor(part)}><h2>{_text(part.title)}</h2>{lead}{''.join(_parts(part.parts))}</section>"


def _card(part: Section) -> str:
    number = f'<span class="no" aria-hidden="true">{_text(part.number)}</span>' if part.number else ""
    spoken = f'<span class="hide">{_text(part.number)}: </span>' if part.number else ""
    where = f'<span class="where">{_text(part.where)}</span>' if part.where else ""
    lead = f"<p>{_text(part.lead)}</p>" if part.lead else ""
    return (
        f'<section class="card"{_anchor(part)}><div class="title">{number}<h3>{spoken}{_text(part.title)}</h3>{where}</div>'
        f"{lead}{''.join(_parts(part.parts))}</section>"
    )


def _anchor(part: Section) -> str:
    return f' id="{_text(part.anchor)}"' if part.anchor else ""


def _figure(figure: Figure) -> str:
    caption = f"<figcaption>{_text(figure.caption)}</figcaption>" if figure.caption else ""
    if not figure.wide:
        return f"<figure>{_svg(laid_out(figure, BESIDE), figure.alt)}{caption}</figure>"
    both = "".join(
        f'<div class="{name}">{_svg(laid_out(figure, width), figure.alt)}</div>'
        for name, width in (("wide", WIDE), ("narrow", NARROW))
    )
    return f"<figure>{both}{caption}</figure>"


def _svg(drawing: Drawing, alt: str) -> str:
    inside = "".join(map(_shape, drawing.shapes))
    size = f'viewBox="0 0 {drawing.width} {drawing.height}" width="{drawing.width}" height="{drawing.height}"'
    return f'<svg {size} role="img" aria-label="{_text(alt)}">{inside}</svg>'


def _shape(shape: Box | Line | Words | Image) -> str:
    if isinstance(shape, Line):
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in shape.points)
        return f'<polyline class="{shape.role}" points="{points}"/>'
    if isinstance(shape, Words):
        anchor = "" if shape.anchor == "start" else f' text-anchor="{shape.anchor}"'
        return f'<text class="{shape.role}" x="{shape.x:.1f}" y="{shape.y:.1f}"{anchor}>{_text(shape.text)}</text>'
    place = f'x="{shape.x:.1f}" y="{shape.y:.1f}" width="{shape.width:.1f}" height="{shape.height:.1f}"'
    if isinstance(shape, Image):
        return f'<image {place} href="{data_uri(shape.picture)}" preserveAspectRatio="xMidYMid slice"/>'
    told = f"<title>{_text(shape.told)}</title>" if shape.told else ""
    box = f'<rect class="{shape.role}" {place}>{told}</rect>' if told else f'<rect class="{shape.role}" {place}/>'
    return f'<a href="#{_text(shape.target)}" tabindex="-1">{box}</a>' if shape.target else box


def _key(pairs: Pairs) -> str:
    """The moment that matters most, large."""
    key = pairs.key
    first, second = pairs.sides
    sides = [(first, "b", key.before), *([(second, "a", key.after)] if pairs.both else [])]
    shown = "".join(
        f"<figure>{_picture(one, f'{name}: {pairs.subject}, {key.label}', key)}"
        f'<figcaption><b class="{role}">{_text(name)}</b>, {_text(key.label)}</figcaption></figure>'
        for name, role, one in sides
        if one is not None
    )
    return f'<div class="pair{"" if len(sides) > 1 else " one"}">{shown}</div>'


def _wipes(parts: Sequence[Part]) -> bool:
    """Whether any part is a wipe."""
    return any(isinstance(part, Wipe) or (isinstance(part, Section) and _wipes(part.parts)) for part in parts)


def _wipe(wipe: Wipe) -> str:
    """Pictures over each other. The slider covers them, so that the divider follows mouse, finger and arrow keys."""
    first = wipe.sides[0][1]
    roles = ("left", "right", *[""] * len(wipe.sides))
    images = "".join(_still(one, name, wipe, role) for (name, one), role in zip(wipe.sides, roles, strict=False))
    slider = f'<input type="range" min="0" max="100" step="0.1" value="50" aria-label="divider: {_text(wipe.subject)}">'
    choices = []
    for side, name in enumerate(("left", "right")):
        options = "".join(
            f'<option value="{k}"{" selected" if k == side else ""}>{_text(one)}</option>'
            for k, (one, _) in enumerate(wipe.sides)
        )
        choices.append(f'<select aria-label="{name}: {_text(wipe.subject)}" autocomplete="off">{options}</select>')
    below = "".join(
        f"<figure>{_still(one, name, wipe)}<figcaption>{_text(name)}</figcaption></figure>" for name, one in wipe.below
    )
    share = first.width / first.height
    shape = f'style="aspect-ratio: {first.width} / {first.height}; max-width: min(960px, {80 * share:.1f}vh)"'
    return (
        f'<div class="wipe"><div class="stack" {shape}>{images}{slider}</div><div class="sides">{"".join(choices)}</div>'
        f'<div class="below">{below}</div></div>'
    )


def _still(shown: Picture, name: str, wipe: Wipe, role: str | None = None) -> str:
    """One picture of a wipe; ``role``: the side that it is, "" if it is none, None for one beneath."""
    size = f'width="{shown.width}" height="{shown.height}"' + ("" if role is None else f' class="{role}"')
    return f'<img src="{data_uri(shown)}" {size} alt="{_text(f"{name}: {wipe.subject}")}">'


def _films(pairs: Pairs) -> str:
    """All moments, small, as a table of pictures."""
    if len(pairs.moments) < 2:
        return ""
    heads = "".join(f'<th scope="col"{_inside(one)}>{_text(one.label.removeprefix("frame "))}</th>' for one in pairs.moments)
    rows = []
    first, second = pairs.sides
    for name, role in ((first, "b"), *(((second, "a"),) if pairs.both else ())):
        cells = []
        for one in pairs.moments:
            shown = one.before if role == "b" else one.after
            cells.append(f"<td{_inside(one)}>{'' if shown is None else _picture(shown, f'{name}, {one.label}', one)}</td>")
        rows.append(f'<tr><th scope="row" class="{role}">{_text(name)}</th>{"".join(cells)}</tr>')
    caption = f'<caption class="hide">{_text(pairs.subject)}: the frames around it</caption>'
    return f'<table class="films">{caption}<thead><tr><td></td>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table>'


def _inside(moment: Moment) -> str:
    return ' class="in"' if moment.inside else ""


def _picture(shown: Picture | str, alt: str, moment: Moment) -> str:
    if isinstance(shown, Picture):
        size = f'width="{shown.width}" height="{shown.height}"'
        return f'<img src="{data_uri(shown)}" {size} alt="{_text(alt)}">'
    sizes = [one for one in (moment.before, moment.after) if isinstance(one, Picture)]
    shape = f' style="aspect-ratio: {sizes[0].width} / {sizes[0].height}"' if sizes else ""
    return f'<div class="none"{shape}>{_text(shown)}</div>'


def _table(table: Table) -> str:
    def side(column: int) -> str:
        return ' class="n"' if column in table.numbers else ""

    def cell(one: str | Link) -> str:
        return f'<a href="#{_text(one.target)}">{_text(one.text)}</a>' if isinstance(one, Link) else _text(one)

    heads = "".join(f'<th scope="col"{side(k)}>{_text(head)}</th>' for k, head in enumerate(table.heads))
    rows = "".join(
        "<tr>"
        + "".join(
            f'<th scope="row"{side(k)}>{cell(one)}</th>' if k == 0 else f"<td{side(k)}>{cell(one)}</td>"
            for k, one in enumerate(row)
        )
        + "</tr>"
        for row in table.rows
    )
    caption = f"<caption>{_text(table.caption)}</caption>" if table.caption else ""
    body = f"{caption}<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody>"
    return f'<div class="wide-table" tabindex="0" role="region" aria-label="{_text(table.caption or "table")}">' + (
        f'<table class="data">{body}</table></div>'
    )


def _text(text: str) -> str:
    """A text as HTML, in an attribute too. Half of a surrogate pair, as in a file name that is no UTF-8, becomes a mark."""
    plain = text.encode("utf-8", "replace").decode("utf-8")
    return escape("".join("�" if ord(one) < 32 and one not in "\t\n" else one for one in plain))
