"""What ``vfi models`` prints about models: the catalogue, one model, what is on disk, and whether its sources still give it.

Knows nothing of the command's arguments.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.filesize import decimal
from rich.markup import escape
from rich.table import Table

from ..core import Checkpoint, InputError, Parts, Source
from ..model import load, registry, weights
from ..model.ladder import REFERENCE
from ..model.quality import LADDER, MEASURED, RUNGS, members
from ..model.weights import files, sources
from ..model.weights.catalogue import names_of

USE = {True: "commercial use", False: "non-commercial use only", None: "ask its authors"}
"""What a licence allows, by `Checkpoint.commercial`."""


UNCONVERTED = {".pth", ".pkl", ".pt", ".ckpt", ".pytorch", ".zip"}
"""Endings of published files that must be imported before they can be used."""


def rows() -> list[dict[str, Any]]:
    """Every model as plain values: those without weights, then the catalogue, in which frame networks come first."""
    without: list[dict[str, Any]] = [
        {
            "name": name,
            "kind": "frames",
            "network": registry.architecture(name),
            "builtin": True,
            "path": None,
            "size": None,
            "licence": "MIT",
            "commercial": True,
            "accepted": True,
            "link": "",
            "files": [],
            "published": [],
            "sources": [],
            "note": "",
        }
        for name in registry.builtins()
    ]
    return [*without, *map(_row, registry.rows().values())]


def _row(checkpoint: Checkpoint) -> dict[str, Any]:
    path = weights.on_disk(checkpoint)
    return {
        "name": checkpoint.name,
        "kind": checkpoint.kind,
        "network": registry.architecture(checkpoint.name) if checkpoint.kind == "frames" else None,
        "builtin": False,
        "path": str(path) if path else None,
        "size": path.stat().st_size if path else checkpoint.size,
        "licence": checkpoint.licence,
        "commercial": checkpoint.commercial,
        "accepted": weights.accepted(checkpoint),
        "link": checkpoint.link,
        "files": list(checkpoint.files),
        "published": list(names_of(checkpoint)),
        "sources": [_source(source) for source in checkpoint.sources],
        "note": checkpoint.note,
    }


def _source(source: Source) -> dict[str, Any]:
    """A source as plain values; ``prefix`` is the word before the names of a part's tensors."""
    named = source.files.items() if isinstance(source, Parts) else [("", source)]
    parts = [
        {
            "prefix": word,
            "place": sources.place_of(file),
            "revision": getattr(file, "revision", None),
            "sha256": file.sha256,
            "git_blob": getattr(file, "git_blob", None),
            "size": getattr(file, "size", None),
        }
        for word, file in named
    ]
    return {"kind": sources.kind_of(source), "files": parts}


def print_list() -> None:
    """All models and the ladder of qualities, for people."""
    listed = rows()
    for kind, purpose in registry.PURPOSES.items():
        if own := [row for row in listed if row["kind"] == kind]:
            _print_table(own, "" if kind == "frames" else f"for {purpose}")
    for name, several in registry.sets().items():
        print_line(f"{name}: {', '.join(several)}")
    for row in listed:
        if row["path"]:
            print_line(f"{row['name']}: {row['path']}")
    print_line(
        f"`vfi models fetch NAME` downloads a model to {weights.cache_folder()}. A model that only its authors distribute "
        "needs `vfi models convert FILE... OUT`; `vfi models show NAME` says where to get it."
    )
    ladder = Table("--quality", "PSNR", "time", "how frames are made", box=box.SIMPLE_HEAD, pad_edge=False)
    for name, rung in RUNGS.items():
        ladder.add_row(name, f"{rung.psnr:.2f}", f"{rung.time:.2g}", rung.does)
    Console().print(ladder)
    print_line(
        f"PSNR and time with all measured models on disk ({', '.join(MEASURED)}): PSNR is the mean over "
        f"{' and '.join(LADDER.frames)}, time is relative to {REFERENCE} on one CPU thread. `vfi bench ladder` measures them."
    )


def _print_table(rows: Iterable[dict[str, Any]], title: str) -> None:
    table = Table("name", "on disk", "size", "licence", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in table.columns[:-1]:
        column.no_wrap = True
    for row in rows:
        size = "" if row["builtin"] else decimal(row["size"]) if row["size"] else "?"
        absent = "built in" if row["builtin"] else "fetch it" if row["sources"] else "convert it"
        mark = "" if row["commercial"] else " [red]non-commercial[/]" if row["commercial"] is False else ""
        table.add_row(row["name"], "yes" if row["path"] else absent, size, escape(row["licence"]) + mark)
    if title:
        print_line(title)
    Console().print(table)


def print_model(row: dict[str, Any]) -> None:
    """A model of the catalogue, for people who may fetch it on another machine: its licence, sources and hashes."""
    had = f"on disk, {row['path']}" if row["path"] else "not on disk, "
    if not row["path"]:
        had += f"`vfi models fetch {row['name']}` downloads it" if row["sources"] else "convert it"
    print_line(f"{row['name']}: {had}")
    accepted = "" if row["commercial"] or not row["accepted"] else ", accepted"
    page = f", {row['link']}" if row["link"] else ""
    print_line(f"licence {row['licence']}, {USE[row['commercial']]}{accepted}{page}")
    if row["note"]:
        print_line(row["note"])
    for number, source in enumerate(row["sources"], 1):
        for file in source["files"]:
            size = f", {file['size']:,} bytes" if file["size"] else ""
            known = f"sha256 {file['sha256']}" if file["sha256"] else f"git blob {file['git_blob']}" if file["git_blob"] else ""
            revision = f", revision {file['revision']}" if file["revision"] else ""
            print_line(f"source {number}, {source['kind']}: {file['place']}{revision}{size}")
            print_line(f"  {known or 'sha256 as the hub states it'}")
    if row["published"]:
        print_line(f"published as {', '.join(row['published'])}")
        print_line(f"`vfi models import FILE...` stores files from elsewhere as {row['files'][0]}")


def print_file(path: Path, as_json: bool) -> None:
    """Which network a file holds, from the names and shapes of its tensors."""
    state = files.read_shapes(path) if files.kind_of(path) == "safetensors" else weights.read(path)
    others = registry.marked(state)
    facts: dict[str, Any] = {
        "file": str(path),
        "bytes": path.stat().st_size,
        "tensors": len(state),
        "parameters": sum(tensor.numel() for tensor in state.values()),
        "dtypes": sorted({str(tensor.dtype).removeprefix("torch.") for tensor in state.values()}),
        "network": {"name": registry.identified(state), "kind": others[0].kind} if others else asdict(registry.detect(state)),
        "metadata": files.metadata_of(path),
    }
    if as_json:
        print_json(facts)
        return
    spec = facts["network"]
    print_line(f"{path}: {spec['name']}")
    print_line(f"{facts['parameters']:,} parameters in {facts['tensors']} tensors of {' and '.join(facts['dtypes'])}")
    if others:
        print_line(f"for {registry.PURPOSES[others[0].kind]}")
    else:
        times = "any t" if spec["any_t"] else "t = 0.5 only"
        print_line(f"takes {spec['window']} frames, sides in multiples of {spec['multiple']}, {times}")
    if "source" in facts["metadata"]:
        print_line(f"from {facts['metadata']['source']}")


def print_health() -> bool:
    """The models on disk, whether each is whole and usable, and what each quality would use; whether all are well."""
    folders = weights.search_folders()
    well = True
    for row in registry.rows().values():
        path = weights.on_disk(row)
        if path is None:
            continue
        fault = _fault(path, row)
        well = well and fault is None
        print_line(f"{row.name}: {path}: {fault or _proof(path)}")
    for folder in folders:
        for file in sorted(folder.glob("*")) if folder.is_dir() else []:
            named = weights.published_as(file.name) if file.suffix.lower() in UNCONVERTED else []
            if len(named) == 1 and not weights.on_disk(named[0]):
                print_line(f"{named[0].name}: {file} is published under its name: `vfi models import {file}` stores it")
        for work in sorted(folder.glob(".*.fetch")) if folder.is_dir() else []:
            kept = sum(file.stat().st_size for file in work.rglob("*") if file.is_file())
            name = work.name[1:].removesuffix(".fetch")
            print_line(f"{name}: {decimal(kept)} of an unfinished download in {work}: `vfi models fetch {name}` resumes it")
    for name in RUNGS:
        used = dict.fromkeys(str(member.source) for member in members(name, ("auto",), there=load.there))
        print_line(f"--quality {name}: {', '.join(load.auto() if one == 'auto' else one for one in used)}")
    return well


def _fault(path: Path, row: Checkpoint) -> str | None:
    """What is wrong with the file of a model, None if nothing is."""
    try:
        kind = files.kind_of(path)
        if kind != "safetensors":
            return f"it is a {kind or 'file of another kind'}, not safetensors"
        registry.verify(row, files.read_shapes(path))
        digest = files.metadata_of(path).get(files.DIGEST)
        if digest and digest != files.data_sha256(path):
            return "its numbers are not those that were stored: delete it, and fetch it again"
    except InputError as error:
        return str(error)
    return None


def _proof(path: Path) -> str:
    digest = files.metadata_of(path).get(files.DIGEST)
    return "whole and usable" if digest else "usable; it holds no hash, so nothing proves it whole"


def print_sources(names: Iterable[str]) -> bool:
    """Ask each source of some models, by one HEAD, whether it still gives its file; whether all do."""
    asked = [(name, file) for name in names for source in registry.rows()[name].sources for file in sources.files_of(source)]
    with ThreadPoolExecutor(8) as pool:
        faults = list(pool.map(lambda pair: sources.fault_of(pair[1]), asked))
    for (name, file), fault in zip(asked, faults, strict=True):
        print_line(f"{name}: {sources.place_of(file)}: {fault or 'there'}")
    gone = sum(fault is not None for fault in faults)
    print_line(f"{len(asked) - gone} of {len(asked)} files are there")
    return gone == 0


def print_line(line: str) -> None:
    Console().print(line, markup=False, highlight=False, soft_wrap=True)


def print_json(value: object) -> None:
    print_line(json.dumps(value, indent=2))
