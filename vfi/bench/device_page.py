"""The page of a device on the bench: its records as tables, and what they mean.

Owns the wording. Knows nothing of how anything was measured.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..pages.page import Notes, Page, Part, Section, Table

Record = Mapping[str, Any]

STEPS = ("copy in ms", "network ms", "copy out ms")


def page(results: Mapping[str, Any]) -> Page:
    """The page of ``results``: ``machine``, and lists of records called ``agreement``, ``speed`` and ``framer``."""
    machine = results["machine"]
    parts: list[Part] = []
    for title, records, make in (
        ("The same frames as on the CPU", results.get("agreement"), _agreement),
        ("Speed and memory", results.get("speed"), _speed),
        ("Framer, random weights of full size", results.get("framer"), _framer),
    ):
        if records:
            parts.append(Section(title, (make(records), *_errors(records))))
    if results.get("notes"):
        parts.append(Section("Notes", (Notes(tuple(results["notes"])),)))
    facts = [(name, str(value)) for name, value in machine.items() if value is not None and name not in ("name", "memory")]
    if machine.get("memory"):
        facts.insert(1, ("memory", f"{machine['memory'] / 2**30:.1f} GiB"))
    return Page("Device on the bench", machine["name"], _lead(results), tuple(facts), tuple(parts), "Made by vfi bench gpu.")


def _lead(results: Mapping[str, Any]) -> str:
    compared = [one for one in results.get("agreement", ()) if one.get("same") is not None]
    parted = sorted({one["model"] for one in compared if not one["same"]})
    failed = sum("error" in one for some in ("agreement", "speed", "framer") for one in results.get(some, ()))
    lead = f"{len(compared) - len(parted)} of {len(compared)} networks make the frames of the CPU in float32"
    lead += f", {', '.join(parted)} not" if parted else ""
    return f"{lead}; {failed} measurements failed." if failed else f"{lead}."


def _agreement(records: Sequence[Record]) -> Table:
    def row(one: Record) -> tuple[str, ...]:
        square = one["square"]
        decibels = "same" if not square else f"{-10 * math.log10(square):.1f}"
        verdict = {True: "yes", False: "NO", None: ""}[one["same"]]
        return one["model"], one["dtype"], f"{one['most']:.1e}", decibels, verdict

    heads = ("network", "type", "largest difference", "PSNR to the CPU's, dB", "the same")
    return Table("Differences are of colours in 0..1.", heads, tuple(map(row, _whole(records))), frozenset({2, 3}))


def _speed(records: Sequence[Record]) -> Table:
    def row(one: Record) -> tuple[str, ...]:
        size = f"{one['width']}x{one['height']} x{one['times']}, {'uint8' if one['bytes'] else 'float32'}"
        waits = "" if one["waits"] is None else f"{one['waits']:.1f}"
        peak = "" if one["peak"] is None else f"{one['peak'] / 1e9:.2f}"
        steps = (f"{one[step]:.2f}" for step in STEPS)
        return (
            *(one["model"], one["dtype"], size, f"{one['fps']:.1f}", f"{one['ms']:.2f}", *steps, f"{one['cpu ms']:.2f}"),
            *(waits, peak, f"{one['promised'] / 1e9:.2f}"),
        )

    heads = (
        *("network", "type", "frames", "new frames/s", "ms/new frame", "copy in", "network", "copy out", "CPU time"),
        *("waits/new frame", "peak, GB", "promised, GB"),
    )
    told = "Frames begin and end in host memory. Copies and network: ms, each by itself. Weights count in no peak."
    return Table(told, heads, tuple(map(row, _whole(records))), frozenset(range(3, len(heads))))


def _framer(records: Sequence[Record]) -> Table:
    def row(one: Record) -> tuple[str, ...]:
        peak = "" if one["peak"] is None else f"{one['peak'] / 1e9:.2f}"
        return one["what"], one["dtype"], f"{one['seconds per step']:.2f}", peak

    heads = ("what", "type", "s/step", "peak with weights, GB")
    return Table("", heads, tuple(map(row, _whole(records))), frozenset({2, 3}))


def _whole(records: Iterable[Record]) -> list[Record]:
    return [one for one in records if "error" not in one]


def _errors(records: Iterable[Record]) -> tuple[Part, ...]:
    def told(one: Record) -> str:
        what = f"{one['width']}x{one['height']} x{one['times']}" if "width" in one else one.get("what", "")
        return f"{' '.join(filter(None, (one.get('model', ''), one['dtype'], what)))}: {one['error']}"

    failed = tuple(told(one) for one in records if "error" in one)
    return (Notes(failed),) if failed else ()
