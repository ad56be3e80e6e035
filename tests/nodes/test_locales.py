"""The languages of the nodes: in step with the schemas, complete, and true to names and numbers."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tests import locales

STEP = "out of step: run `python -m tests.locales`, and translate what it lists"

OF_COMFYUI = (
    *("Load Video", "Load Image", "Mask Editor", "Save Video", "Get Video Components", "Curve Editor", "Apply ControlNet"),
    *("Load Checkpoint Image Only", "Load CLIP Vision", "Load CLIP", "CLIP Text Encode"),
    "Load Optical Flow Model",
)
"""ComfyUI's own nodes: a translation calls them as ComfyUI does in that language."""

NUMBER = re.compile(r"(?<![A-Za-z\d])\d+(?:[./]\d+)*")
WORDS = {"1", "2", "3", "4"}
"""Numbers that English writes as words, and other languages as digits."""

NAME = re.compile(
    r"\w*[./_-]\w+(?:[./_-]\w+)*"  # a file, a folder, an ending, a model
    r"|\b[A-Za-z]+\d\w*"  # h264, float16
    r"|\b[A-Z]\w*[A-Z]\w*"  # RIFE, UNet, KSampler
    r"|(?<=[a-z,;'] )[A-Z]\w+"  # a word with a capital within a sentence
)
COMMON = re.compile(r"e\.g|[A-Z]?[a-z]+-[a-z]+(?:-[a-z]+)?")
"""What looks like a name but is none, such as in-between."""


@pytest.fixture
def tree(nodes):
    return locales.english(nodes.values(), locales.scripts())


@pytest.fixture
def texts():
    return locales.read()


def parts(nodes):
    """All inputs and outputs."""
    for schema in (node.define_schema() for node in nodes.values()):
        for one in (*schema.inputs, *schema.outputs):
            yield one
            if one.io_type == "COMFY_DYNAMICCOMBO_V3":
                yield from (inner for option in one.options for inner in option.inputs)


def base(name: str) -> str:
    """A name as others mention it: without what stands in brackets, and without the tooltip that tells it apart."""
    return re.split(r" ?[(（]", name)[0]


def names_in(text: str) -> set[str]:
    """The names of a text that no language translates, in the singular."""
    found = {name for name in NAME.findall(text) if not COMMON.fullmatch(name)}
    return {name[:-1] if name[:-1].isupper() and name.endswith("s") else name for name in found}


def test_the_files_are_those_of_the_schemas(tree, texts):
    assert locales.listed(tree) == list(texts), STEP
    for path, content in locales.files(tree, texts).items():
        assert path.read_text(encoding="utf-8") == content, f"{path.name} of {path.parent.name} is {STEP}"
    assert {path.name for path in locales.LOCALES.iterdir()} == {"texts.json", "en", *locales.LANGUAGES}


def test_everything_is_translated(texts):
    assert not locales.left(texts)


def test_numbers_names_and_options_survive(nodes, texts):
    """Numbers, files, models, products and the options of a choice, which the browser shows in English."""
    ours = {node.define_schema().display_name for node in nodes.values()}
    called = re.compile(rf"\b(?:{'|'.join(sorted((*map(base, ours), *OF_COMFYUI), key=len, reverse=True))})\b")
    options: dict[str, set[str]] = {}
    for one in parts(nodes):
        keys = [key for option in one.options or [] if isinstance(key := getattr(option, "key", option), str)]
        options.setdefault(one.tooltip, set()).update(key for key in keys if re.search(rf"\b{re.escape(key)}\b", one.tooltip))
    wrong = []
    for entry, found in texts.items():
        text = base(entry) if entry in ours or base(entry) in locales.AMBIGUOUS else entry
        kept = names_in(called.sub("", text)) | options.get(text, set())
        for language, translation in found.items():
            before, after = Counter(NUMBER.findall(text)), Counter(NUMBER.findall(translation))
            if before - after or set(after - before) - WORDS:
                wrong.append(f"{language}: numbers: {translation}")
            wrong += [f"{language}: {name}: {translation}" for name in sorted(kept) if name not in translation]
    assert not wrong, "\n".join(wrong)


def test_keys_and_placeholders_survive(texts):
    kept = re.compile(r"\{\w+\}|\((?:Ctrl\+)?[A-Z0-9+-]\)|\([A-Z](?=[:,])|\(Shift|\(Space\)|\(Delete\)")
    wrong = [
        f"{language}: {part}: {translation}"
        for text, found in texts.items()
        for part in kept.findall(text)
        for language, translation in found.items()
        if part.replace("(", "") not in translation.replace("（", "")
    ]
    assert not wrong, "\n".join(wrong)


def test_every_word_of_the_scripts_is_written_out_where_it_is_used():
    for path in locales.scripts():
        script = path.read_text(encoding="utf-8")
        assert len(re.findall(r"\bword\(", script)) == len(locales.words_of(script)), path.name
    assert locales.words_of('word("a"), word(\n"b \\"c\\" " +\n "d", { why })') == ["a", 'b "c" d']


def test_nodes_are_mentioned_by_the_names_they_have(nodes, texts):
    names = {base(name): texts[name] for name in (node.define_schema().display_name for node in nodes.values())}
    names = {name: found for name, found in names.items() if " " in name}  # a single word is just a word
    wrong = [
        f"{language}: {found[language]}: {translation}"
        for text, all_translations in texts.items()
        for name, found in names.items()
        if re.search(rf"\b{re.escape(name)}\b(?! [A-Z])", text)
        for language, translation in all_translations.items()
        if base(found[language]) not in translation
    ]
    assert not wrong, "\n".join(wrong)


def test_sentences_stay_sentences(texts):
    wrong = [
        f"{language}: {translation}"
        for text, found in texts.items()
        for language, translation in found.items()
        if text.endswith(".") != translation.endswith((".", "。")) or translation != translation.strip() or "\\" in translation
    ]
    assert not wrong, "\n".join(wrong)


def test_names_stay_apart(nodes, tree, texts):
    """No two nodes are called the same, nor two inputs or two outputs of a node."""
    schemas = [node.define_schema() for node in nodes.values()]
    for language in locales.LANGUAGES:
        assert max(Counter(texts[schema.display_name][language] for schema in schemas).values()) == 1
        for definition in locales.translated(tree, texts, language)["nodeDefs.json"].values():
            for side in ("inputs", "outputs"):
                names = Counter(part["name"] for part in definition[side].values() if "name" in part)
                assert max(names.values(), default=1) == 1, (language, definition["display_name"], names)
                assert all(name == locales.escaped(name) for name in names), names  # others read them without the compiler


def test_a_changed_text_is_open_in_every_language_and_keeps_what_was_there():
    def every(translation: str) -> dict[str, str]:
        return dict.fromkeys(locales.LANGUAGES, translation)

    made = locales.updated(
        {"The frames to reverse.": every("x"), "Gone for good.": every("y")}, ["The frames to be reversed.", "1"]
    )
    assert made == {"The frames to be reversed.": every("?x"), "1": every("?")}
    assert locales.updated(made, list(made)) == made
    assert len(locales.left(made)) == 2 * len(locales.LANGUAGES)
    tree = {"nodeDefs.json": {"A": {"description": "The frames to be reversed."}}}
    assert locales.translated(tree, made, "ja") == tree


def test_messages_are_escaped_for_the_compiler_and_tooltips_are_not():
    tree = {"display_name": "50 % {a}", "tooltip": "[{x, y}]"}
    assert locales.translated(tree, {}, "en") == {"display_name": "50 {'%'} {'{'}a{'}'}", "tooltip": "[{x, y}]"}


def test_a_name_with_several_meanings_is_told_apart_by_its_tooltip():
    tree = {"a": {"name": "times", "tooltip": "A factor."}, "b": {"name": "times", "tooltip": "Instants."}}
    assert locales.listed(tree) == ["times (A factor.)", "A factor.", "times (Instants.)", "Instants."]
    texts = {"times (A factor.)": {"de": "Faktor"}, "times (Instants.)": {"de": "Zeiten"}}
    assert [part["name"] for part in locales.translated(tree, texts, "de").values()] == ["Faktor", "Zeiten"]


def test_the_browser_finds_inputs_that_a_choice_brings_along(tree):
    inputs = tree["nodeDefs.json"]["InbetweenInterpolate"]["inputs"]
    assert inputs["mode_target_fps"]["name"] == "target fps"
    assert tree["nodeDefs.json"]["InbetweenJoinClips"]["inputs"]["clips_clip 1"].keys() == {"tooltip"}
