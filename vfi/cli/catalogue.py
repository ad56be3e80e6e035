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

from ..core import Checkpoint, InputError, Options, Parts, Source
from ..model import load, registry, weights
from ..model.quality import RUNGS, members
from ..model.weights import files, sources

USE = {True: "commercial use", False: "non-commercial use only", None: "ask its authors"}
"""What a licence allows, by `Checkpoint.commercial`."""


def rows() -> list[dict[str, Any]]:
    """Every model as plain values: those without weights, then the catalogue. ``kind``: see `registry.kind`."""
    folders = weights.search_folders()
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
            "sources": [],
            "note": "",
        }
        for name in registry.builtins()
    ]
    return [*without, *(_row(checkpoint, folders) for checkpoint in registry.published().values())]


def _row(checkpoint: Checkpoint, folders: list[Path]) -> dict[str, Any]:
    path = weights.on_disk(checkpoint, folders)
    return {
        "name": checkpoint.name,
        "kind": registry.kind(checkpoint.name),
        "network": registry.architecture(checkpoint.name),
        "builtin": False,
        "path": str(path) if path else None,
        "size": path.stat().st_size if path else checkpoint.size,
        "licence": checkpoint.licence,
        "commercial": checkpoint.commercial,
        "accepted": weights.accepted(checkpoint),
        "link": checkpoint.link,
        "files": list(checkpoint.files),
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
    """All models, in a table for each kind, and the ladder of qualities, for people."""
    listed = rows()
    for title, kind in (("name", "frames"), ("matcher", "matches"), ("tracker", "tracks")):
        if of_kind := [row for row in listed if row["kind"] == kind]:
            Console().print(_table(title, of_kind))
    for row in listed:
        if row["path"]:
            print_line(f"{row['name']}: {row['path']}")
    print_line(
        f"`vfi models fetch NAME` downloads a model to {weights.cache_folder()}. A model that only its authors distribute "
        "needs `vfi models convert FILE... OUT`; `vfi models show NAME` says where to get it."
    )
    ladder = Table("--quality", "PSNR", "time", "how frames are made", box=box.SIMPLE_HEAD, pad_edge=False)
    for name, rung in RUNGS.items():
        ladder.add_row(name, f"{rung.psnr:.2f}", f"{rung.time:g}", rung.does)
    Console().print(ladder)
    print_line("PSNR and time with RIFE 4.25 and 4.0 on disk; time relative to normal, at 1280x720 on one CPU thread.")


def _table(title: str, listed: list[dict[str, Any]]) -> Table:
    """A table of models; ``title`` is that of their names."""
    table = Table(title, "on disk", "size", "licence", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in table.columns[:-1]:
        column.no_wrap = True
    for row in listed:
        size = "" if row["builtin"] else decimal(row["size"]) if row["size"] else "?"
        absent = "built in" if row["builtin"] else "fetch it" if row["sources"] else "convert it"
        mark = "" if row["commercial"] else " [red]non-commercial[/]" if row["commercial"] is False else ""
        table.add_row(row["name"], "yes" if row["path"] else absent, size, escape(row["licence"]) + mark)
    return table


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
    if row["sources"]:
        print_line(f"`vfi models import FILE...` stores files from elsewhere as {row['files'][0]}")


def print_file(path: Path, as_json: bool) -> None:
    """Which network a file holds. Raises `InputError` if none is known."""
    state = weights.read(path)
    other = registry.apart(registry.normalise(state))
    facts: dict[str, Any] = {
        "file": str(path),
        "bytes": path.stat().st_size,
        "tensors": len(state),
        "parameters": sum(tensor.numel() for tensor in state.values()),
        "dtypes": sorted({str(tensor.dtype).removeprefix("torch.") for tensor in state.values()}),
        "network": {"name": other[0]} if other else asdict(registry.detect(state)),
        "metadata": files.metadata_of(path),
    }
    if as_json:
        print_json(facts)
        return
    spec = facts["network"]
    print_line(f"{path}: {spec['name']}")
    print_line(f"{facts['parameters']:,} parameters in {facts['tensors']} tensors of {' and '.join(facts['dtypes'])}")
    if other:
        print_line(registry.APART[other[1]].DOES)
    else:
        times = "any t" if spec["any_t"] else "t = 0.5 only"
        print_line(f"takes {spec['window']} frames, sides in multiples of {spec['multiple']}, {times}")
    if "source" in facts["metadata"]:
        print_line(f"from {facts['metadata']['source']}")


def print_health() -> bool:
    """The models on disk, whether each is whole and usable, and what each quality would use; whether all are well."""
    folders = weights.search_folders()
    well = True
    for row in registry.published().values():
        path = weights.on_disk(row, folders)
        if path is None:
            continue
        fault = _fault(path, row)
        well = well and fault is None
        print_line(f"{row.name}: {path}: {fault or _proof(path)}")
    for folder in folders:
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
        shapes = registry.normalise(files.read_shapes(path))
        if other := registry.APART.get(registry.kind(row.name)):
            other.check(shapes)
            if (found := other.named(shapes)) != row.name:
                return f"it holds {found}"
        else:
            registry.check(shapes, Options(variant=row.variant))
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
    asked = [
        (name, file) for name in names for source in registry.published()[name].sources for file in sources.files_of(source)
    ]
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
