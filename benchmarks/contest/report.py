"""Records as tables: milliseconds per new frame, ratios, fractions of the limit, memory. Measures nothing."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

Record = Mapping[str, Any]
OURS = ("node", "library", "stream", "command")
TITLES = {
    "node": "Inbetween",
    "library": "Inbetween, library",
    "stream": "Inbetween, bytes in and out",
    "command": "vfi interpolate",
    "core": "ComfyUI's FrameInterpolate",
    "fannovel16": "Fannovel16's RIFE VFI",
    "fannovel16-loop": "Fannovel16's generic_frame_loop",
}
NOTHING = "–"
GIGA = 1e9
BEGIN, END = "<!-- measured -->", "<!-- end of what was measured -->"


@dataclass(frozen=True)
class Table:
    """Rows of cells; the first two of each row are labels, the others numbers."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    def text(self) -> str:
        """The table as plain text, in aligned columns."""
        wide = [max(map(len, column)) for column in zip(self.head, *self.rows, strict=True)]
        aligned = [str.ljust, str.ljust, *[str.rjust] * (len(wide) - 2)]
        lines = [
            "  ".join(align(cell, size) for align, cell, size in zip(aligned, row, wide, strict=True))
            for row in (self.head, *self.rows)
        ]
        return "\n".join([self.title, *(line.rstrip() for line in lines)])

    def markdown(self) -> str:
        rule = ["---" if index < 2 else "---:" for index in range(len(self.head))]
        return "\n".join([f"{self.title}\n", *("| " + " | ".join(row) + " |" for row in (self.head, rule, *self.rows))])


def tables(results: Mapping[str, Any]) -> Iterator[Table]:
    """The tables for which there are records."""
    made = {"speed": speed, "memory": memory, "image growth": image_growth, "film growth": film_growth, "host loop": host_loop}
    for allocator in dict.fromkeys(record["allocator"] for part in made for record in results.get(part, [])):
        for part, table in made.items():
            if records := [record for record in results.get(part, []) if record["allocator"] == allocator]:
                yield table(records, "" if allocator == "stock" else f", allocator {allocator}")


def speed(records: Sequence[Record], note: str = "") -> Table:
    rows = []
    for record in records:
        mine, apart, alike = per_frame(record), record["difference"], record["grown alike"]
        rows.append(
            [
                case(record),
                title(record),
                f"{mine * 1e3:.1f}",
                f"{1 / mine:.2f}",
                *(ratio(records, record, kind) for kind in ("seconds", "cpu")),
                f"{record['flops'] / mine / record['limit']:.0%}" if record["flops"] else NOTHING,
                f"{alike['most']:.1e}",
                f"{apart['most']:.1e}",
                psnr(apart["square"]),
                f"{mine * 1e9 / (record['width'] * record['height']):.0f}",
                f"{record['first']:.2f}",
                f"{median(record['seconds']):.2f}",
            ]
        )
    head = [
        *("frames", "by", "ms/new frame", "new frames/s", "x better rival", "x by CPU time", "of the limit"),
        *("max diff., padded alike", "as shipped", "PSNR", "ms/megapixel", "first run, s", "later, s"),
    ]
    turns = len(records[0]["seconds"])
    return Table(f"Speed{note}: medians of {turns} turns; differences are from the first row of a case", head, rows)


def ratio(records: Iterable[Record], record: Record, kind: str) -> str:
    """The faster rival's time as a multiple of ours, for a record of ours."""
    rivals = [per_frame(other, kind) for other in same_case(records, record) if not ours(other)]
    return times(min(rivals), per_frame(record, kind)) if rivals and ours(record) else NOTHING


def memory(records: Sequence[Record], note: str = "") -> Table:
    rows = []
    for record in records:
        beyond = record["peak"] - record["before"] - record["in"] - record["out"]
        rows.append([case(record), title(record), gigabytes(record["peak"]), gigabytes(beyond)])
    head = ["frames", "by", "peak, GB", "beyond start, input and result"]
    return Table(f"Memory{note}: peak of a fresh process", head, rows)


def image_growth(records: Sequence[Record], note: str = "") -> Table:
    rows = [
        [
            f"{case(record)}, {record['frames']} frames",
            title(record),
            gigabytes(record["in"]),
            gigabytes(record["out"]),
            gigabytes(record["peak"]),
            gigabytes(record["peak"] - record["out"]),
        ]
        for record in records
    ]
    head = ["frames", "by", "input, GB", "result, GB", "peak, GB", "beyond the result"]
    return Table(f"Memory with length{note}, IMAGE to IMAGE, the network replaced by a copy", head, rows)


def film_growth(records: Sequence[Record], note: str = "") -> Table:
    rows = [
        [
            f"{case(record)}, {record['frames']} frames",
            title(record),
            gigabytes(record["peak"]),
            f"{record['seconds'] / (record['frames'] * record['times']) * 1e3:.1f}",
        ]
        for record in records
    ]
    head = ["frames", "by", "peak, GB", "ms/frame written"]
    return Table(f"Memory with length{note}, video file to video file, the network replaced by a copy", head, rows)


def host_loop(records: Sequence[Record], note: str = "") -> Table:
    rows = []
    for record in records:
        rivals = [other for other in same_case(records, record) if not ours(other)]
        slower = [times(per_frame(other), per_frame(record)) if ours(record) else NOTHING for other in rivals]
        faults = median(record["faults"]) / record["new"]
        rows.append([case(record), title(record), f"{per_frame(record) * 1e3:.2f}", f"{faults:.0f}", *slower])
    rivals = [title(other) for other in same_case(records, records[0]) if not ours(other)]
    head = ["frames", "by", "ms/new frame", "page faults", *(f"x {rival}" for rival in rivals)]
    return Table(f"Only the loop{note}, the network replaced by a copy", head, rows)


def per_frame(record: Record, kind: str = "seconds") -> float:
    """Seconds per new frame, in the median turn."""
    return median(record[kind]) / record["new"]


def same_case(records: Iterable[Record], like: Record) -> list[Record]:
    return [record for record in records if case(record) == case(like)]


def ours(record: Record) -> bool:
    return record["who"].split()[0] in OURS


def title(record: Record) -> str:
    kind, *unusual = record["who"].split()
    return ", ".join([TITLES[kind], *unusual])


def case(record: Record) -> str:
    return f"{record['width']}x{record['height']} x{record['times']}"


def times(more: float, less: float) -> str:
    return f"{more / less:.2f}"


def psnr(square: float) -> str:
    return f"{-10 * math.log10(square):.1f}" if square else "same"


def gigabytes(size: float) -> str:
    return f"{size / GIGA:.2f}"


def machine(threads: int) -> dict[str, Any]:
    """Processor, cores and threads."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return {"processor": names[0] if names else "unknown", "cores": os.cpu_count(), "threads": threads}


def noted(page: str, results: Mapping[str, Any]) -> str:
    """``page`` with the tables and the machine between `BEGIN` and `END`; only these if the page lacks either marker."""
    facts = {**results["machine"], "model": results["model"]}
    what = ", ".join(f"{name} {value}" for name, value in facts.items())
    found = "\n\n".join([f"Measured with: {what}.", *(table.markdown() for table in tables(results))])
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    return f"{before}{begin}\n{found}\n{end}{after}" if begin and end else f"{found}\n"
