"""``python -m tests.figures``: bring the figures of the README and of the help pages in step with ``vfi/model/ladder.json``.

Run it after ``vfi bench ladder ... --out vfi/model/ladder.json --overwrite``. Knows nothing of how they are measured.
"""

from __future__ import annotations

import re
from pathlib import Path

from vfi.model.ladder import Way
from vfi.model.quality import LADDER, RUNGS, mix, order, quick

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
HELP = ROOT / "js" / "docs" / "InbetweenLoadModel.md"
STEP = 0.1
"""Decibels by which a mix must be better than all faster rows to get one of its own."""

BEGIN, END = "<!-- figures: python -m tests.figures -->\n", "<!-- end of figures -->"


def ways() -> dict[str, Way | None]:
    """The way of each rung, with all models on disk."""

    def every(name: str) -> bool:
        return True

    return {
        "linear": LADDER.one("linear"),
        "draft": LADDER.one("dis-fast"),
        "fast": quick(every),
        "normal": LADDER.one(order()[0]),
        "best": mix(every),
    }


def table() -> str:
    """The README's table: every model at one pass, half size, and mixes on the front, from the fastest."""
    parts = [(name, subset) for name, subsets in LADDER.frames.items() for subset in subsets if subset in ("all", "hard")]
    heads = [f"{name}, {LADDER.frames[name][subset]}" + (" hardest" if subset == "hard" else "") for name, subset in parts]
    lines = [f"| frames made by | {' | '.join(heads)} | mean | s/frame | time |", f"|---|{'---|' * (len(heads) + 3)}"]
    best = 0.0
    rungs = {way.members: name for name, way in ways().items() if way is not None}
    for way in LADDER.ways:
        if len(way.members) == 1 and way.members[0].tta != "none":
            continue
        if len(way.members) > 1 and way.members not in rungs and (not way.front or way.decibels < best + STEP):
            continue
        best = max(best, way.decibels)
        named = rungs.get(way.members)
        label = f"{_names(way)}" + (f": `--quality {named}`" if named else "")
        each = (f"{way.psnr[name][subset]:.2f}" for name, subset in parts)
        front = "**" if way.front else ""
        time = f"{way.time:.2f}" if way.time >= 0.01 else "0.01"
        lines.append(
            f"| {label} | {' | '.join(each)} | {front}{way.decibels:.2f}{front} | {max(way.seconds, 0.001):.3f} | {time} |"
        )
    return "\n".join(lines) + "\n"


def _names(way: Way) -> str:
    """The passes of a way, each model once, with how it is used."""
    used: dict[str, list[str]] = {}
    for member in way.members:
        used.setdefault(str(member.source), []).append("half size" if member.half_size else member.tta)
    told = []
    for name, uses in used.items():
        other = [use for use in uses if use != "none"]
        told.append(f"`{name}`" + (f" ({', '.join(['plain'] * ('none' in uses) + other)})" if other else ""))
    return " + ".join(told)


def readme(text: str) -> str:
    """The README with these figures."""
    before, rest = text.split(BEGIN)
    return before + BEGIN + table() + END + rest.split(END, 1)[1]


def page(text: str) -> str:
    """The help page with these figures, in the rows of its table of qualities."""
    for name, rung in RUNGS.items():
        row = rf"(?m)^(\| \*\*{name}\*\* \| [^|]* \|) [^|]* \| [^|]* \|$"
        text, found = re.subn(row, rf"\1 {rung.psnr:.2f} | {rung.time:.2g} |", text)
        assert found == 1, f"{HELP} has {found} rows of {name}"
    return text


def main() -> None:
    for path, change in ((README, readme), (HELP, page)):
        path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
