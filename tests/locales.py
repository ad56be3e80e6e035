"""``python -m tests.locales``: bring the languages of the nodes, in ``locales/``, in step with the schemas.

The English texts are those of the schemas, and of ``word("...")`` in ``js/``. ``locales/texts.json`` holds the translations of
each, once however many nodes share it; this is the file to edit. A translation that begins with "?" is still to be made, and
English is shown meanwhile; after the "?" stands the translation from before the English text changed. ``locales/LANGUAGE/`` is
generated: what ComfyUI sends to the browser, in English too, since the browser finds some tooltips of inputs that another input
brings along nowhere else.
Knows nothing of what the texts mean.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

LANGUAGES = ("zh", "ja", "ko", "ru", "de", "fr", "es", "pt-BR")
LOCALES = Path(__file__).parents[1] / "locales"
TEXTS = LOCALES / "texts.json"
SCRIPTS = LOCALES.parent / "js"
OPEN = "?"

WORD = re.compile(r'\bword\(\s*("(?:[^"\\\n]|\\.)*"(?:\s*\+\s*"(?:[^"\\\n]|\\.)*")*)\s*[,)]')
"""A text in a script, which may be several literals."""

COMPILED = {"display_name", "description", "name"}
"""Fields that the browser compiles as messages of vue-i18n; it takes others as they are."""

AMBIGUOUS = {"frames", "times"}
"""Names that mean different things on different nodes: each is translated together with its tooltip."""

Texts = dict[str, dict[str, str]]
"""The translations of each English text, by language."""


def english(nodes: Iterable[type], scripts: Iterable[Path]) -> dict[str, Any]:
    """The texts of ``nodes`` and ``scripts``, as ComfyUI's locale files. ``main.json`` is for categories and words."""
    definitions, categories = {}, {}
    for schema in (node.define_schema() for node in nodes):
        definitions[schema.node_id] = {
            "display_name": schema.display_name,
            "description": schema.description,
            "inputs": {key: text for one in schema.inputs for key, text in _input(one)},
            "outputs": {str(index): _labelled(one) for index, one in enumerate(schema.outputs)},
        }
        categories |= {part: part for part in schema.category.split("/")[1:]}
    words = {text: text for script in scripts for text in words_of(script.read_text(encoding="utf-8"))}
    return {"nodeDefs.json": definitions, "main.json": {"nodeCategories": categories, "inbetween": words}}


def words_of(script: str) -> list[str]:
    """The texts that a script gives to ``word``."""
    return ["".join(map(json.loads, re.findall(r'"(?:[^"\\]|\\.)*"', found))) for found in WORD.findall(script)]


def scripts() -> list[Path]:
    """The scripts of the pack."""
    return sorted(path for path in SCRIPTS.rglob("*.js") if path.name != "words.js")


def _input(one: Any) -> Iterator[tuple[str, dict[str, str]]]:
    """An input and those that it brings along, by the browser's keys: the path of an id, its dots replaced."""
    yield one.id, _labelled(one)
    if one.io_type == "COMFY_DYNAMICCOMBO_V3":
        yield from ((f"{one.id}_{inner.id}", _labelled(inner)) for option in one.options for inner in option.inputs)
    elif one.io_type == "COMFY_AUTOGROW_V3":
        yield from ((f"{one.id}_{name}", {"tooltip": one.tooltip}) for name in one.template.names)


def _labelled(part: Any) -> dict[str, str]:
    return {"name": part.display_name or part.id, "tooltip": part.tooltip}


def listed(tree: Mapping[str, Any]) -> list[str]:
    """The texts of ``tree``, each once, in order."""

    def walk(branch: Mapping[str, Any]) -> Iterator[str]:
        for key, value in branch.items():
            yield from [_entry(branch, key)] if isinstance(value, str) else walk(value)

    return list(dict.fromkeys(walk(tree)))


def _entry(branch: Mapping[str, Any], key: str) -> str:
    """The entry of `Texts` for a text of ``branch``."""
    text = branch[key]
    return f"{text} ({branch['tooltip']})" if key == "name" and text in AMBIGUOUS else text


def updated(texts: Texts, wanted: Iterable[str]) -> Texts:
    """``texts`` for the ``wanted`` English ones: stale ones are dropped, and those of what is new or has changed are open."""
    wanted = list(wanted)
    stale = [text for text in texts if text not in wanted]
    made = {}
    for text in wanted:
        known = texts.get(text)
        if known is None:
            near = get_close_matches(text, stale, 1)
            before = texts[near[0]] if near else {}
            known = {language: OPEN + one.removeprefix(OPEN) for language, one in before.items()}
        made[text] = {language: known.get(language, OPEN) for language in LANGUAGES}
    return made


def translated(tree: Mapping[str, Any], texts: Texts, language: str) -> dict[str, Any]:
    """``tree`` in a ``language``; what is open stays English."""

    def one(key: str, value: Any) -> Any:
        if not isinstance(value, str):
            return translated(value, texts, language)
        found = texts.get(_entry(tree, key), {}).get(language, OPEN)
        text = value if found.startswith(OPEN) else found
        return escaped(text) if key in COMPILED else text

    return {key: one(key, value) for key, value in tree.items()}


def escaped(text: str) -> str:
    """``text`` as a message of vue-i18n."""
    return re.sub(r"[@${}|%]", lambda found: f"{{'{found[0]}'}}", text)


def files(tree: Mapping[str, Any], texts: Texts) -> dict[Path, str]:
    """The contents of ``locales/``."""
    made = {TEXTS: json.dumps(texts, ensure_ascii=False, indent=1) + "\n"}
    for language in ("en", *LANGUAGES):
        for name, content in translated(tree, texts, language).items():
            lines = [f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in content.items()]
            made[LOCALES / language / name] = "{\n" + ",\n".join(lines) + "\n}\n"
    return made


def left(texts: Texts) -> list[str]:
    """What is still to be translated, a line each."""
    return [
        f"{language}: {text!r}" + (f" (before it changed: {found[1:]!r})" if found[1:] else "")
        for text, all_found in texts.items()
        for language, found in all_found.items()
        if found.startswith(OPEN)
    ]


def read() -> Texts:
    """The translations that there are."""
    return json.loads(TEXTS.read_text(encoding="utf-8")) if TEXTS.exists() else {}


def main() -> int:
    from tests.nodes.conftest import Server, load_nodes, load_pack

    server = Server()
    sys.modules |= server.modules()
    with tempfile.TemporaryDirectory() as folder:
        server.reset(Path(folder))
        tree = english(load_nodes(load_pack()), scripts())
    texts = updated(read(), listed(tree))
    for path, content in files(tree, texts).items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding="utf-8")
    sys.stdout.writelines(f"{line}\n" for line in left(texts))
    return 1 if left(texts) else 0


if __name__ == "__main__":
    sys.exit(main())
