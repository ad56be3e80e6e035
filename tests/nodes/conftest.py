"""A stand-in for the parts of ComfyUI that the nodes touch: the schema, the progress bar, folders and VIDEO.

It only records its inputs, to test the nodes' own code. `tests/integration` runs the real ComfyUI.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

from tests.coroutines import finished

ROOT = Path(__file__).parents[2]
PACK = "inbetween_pack"

WIDGET = {"tooltip", "optional", "advanced", "default", "display_name"}
FIELDS = {
    "INT": WIDGET | {"min", "max", "step"},
    "FLOAT": WIDGET | {"min", "max", "step"},
    "BOOLEAN": WIDGET,
    "STRING": WIDGET | {"multiline"},
    "CURVE": WIDGET | {"socketless"},
    "COMBO": WIDGET | {"options"},
    "COMFY_DYNAMICCOMBO_V3": {"tooltip", "optional", "options"},
    "COMFY_AUTOGROW_V3": {"tooltip", "optional", "template"},
    "COMFY_MULTITYPED_V3": {"tooltip", "optional", "display_name", "options"},
}
SOCKET = {"tooltip", "optional", "display_name"}


class Part:
    """An input or output of a schema; an unknown field is an error, as in ComfyUI."""

    fields: frozenset[str] = frozenset()
    io_type = ""

    def __init__(self, id: str, *positional: Any, **fields: Any) -> None:
        if positional:
            fields["options"] = positional[0]
        assert fields.keys() <= self.fields, f"{self.io_type} {id} knows no {fields.keys() - self.fields}"
        self.id = id
        self.default = self.tooltip = self.options = self.display_name = None
        self.optional = False
        vars(self).update(fields)


def kind(io_type: str) -> SimpleNamespace:
    known = frozenset(FIELDS.get(io_type, SOCKET))
    return SimpleNamespace(
        io_type=io_type,
        Input=type("Input", (Part,), {"io_type": io_type, "fields": known}),
        Output=type(
            "Output", (Part,), {"io_type": io_type, "fields": frozenset({"tooltip", "is_output_list", "display_name"})}
        ),
    )


@dataclass
class Schema:
    node_id: str
    display_name: str
    category: str
    description: str
    inputs: list[Part]
    outputs: list[Part]
    search_aliases: list[str] = field(default_factory=list)
    is_input_list: bool = False
    is_output_node: bool = False
    is_experimental: bool = False
    enable_expand: bool = False
    hidden: list[str] = field(default_factory=list)


class ComfyNode:
    pass


class NodeOutput:
    def __init__(self, *values: Any, ui: dict[str, list] | None = None, expand: dict[str, Any] | None = None) -> None:
        self.result, self.ui, self.expand = values, ui, expand


class GraphBuilder:
    """Nodes that a node becomes, by their ids."""

    def __init__(self) -> None:
        self.nodes: dict[str, dict[str, Any]] = {}

    def node(self, class_type: str, **inputs: Any) -> SimpleNamespace:
        key = f"of.{len(self.nodes) + 1}"
        self.nodes[key] = {"class_type": class_type, "inputs": inputs}
        return SimpleNamespace(out=lambda index: [key, index])

    def finalize(self) -> dict[str, Any]:
        return self.nodes


@dataclass
class NodeReplace:
    """What replaces a node that is missing."""

    new_node_id: str
    old_node_id: str
    old_widget_ids: list[str] | None = None
    input_mapping: list[dict[str, Any]] | None = None
    output_mapping: list[dict[str, int]] | None = None

    def as_dict(self) -> dict[str, Any]:
        return dict(vars(self))


class PreviewImage:
    """Pictures for the browser, which ComfyUI writes to its temporary folder."""

    def __init__(self, images: torch.Tensor) -> None:
        assert images.ndim == 4
        assert images.shape[-1] == 3
        self.names = [{"filename": f"{index}.png", "subfolder": "", "type": "temp"} for index in range(len(images))]

    def as_dict(self) -> dict[str, list]:
        return {"images": self.names, "animated": (False,)}


@dataclass
class Option:
    key: str
    inputs: list[Part]


class TemplateNames:
    """Inputs that appear as they are used; the node receives a mapping of names to values."""

    def __init__(self, input: Part, names: list[str], min: int) -> None:
        assert 0 <= min <= len(names) <= 100
        self.input, self.min, self.names = input, min, names


class VideoInput:
    """A VIDEO. This base class has no source: ComfyUI encodes one on demand."""

    def get_stream_source(self) -> Any:
        raise AssertionError("a VIDEO made of frames was encoded, only to be decoded again")

    def get_active_trim_window(self) -> tuple[float, float]:
        return 0.0, 0.0

    def get_bit_depth(self) -> int:
        return 8


class VideoFromFile(VideoInput):
    def __init__(self, file: Any, start_time: float = 0.0, duration: float = 0.0) -> None:
        self.file, self.trim = file, (start_time, duration)

    def get_stream_source(self) -> Any:
        return self.file

    def get_active_trim_window(self) -> tuple[float, float]:
        return self.trim


@dataclass
class VideoFromComponents(VideoInput):
    images: torch.Tensor
    frame_rate: Fraction
    audio: dict | None = None

    def get_components(self) -> SimpleNamespace:
        return SimpleNamespace(images=self.images, audio=self.audio, frame_rate=self.frame_rate, alpha=None)


@dataclass
class Curve:
    """The output of the curve editor."""

    points: list[tuple[float, float]]

    @staticmethod
    def from_raw(data: Any) -> Curve:
        if isinstance(data, Curve):
            return data
        kind = LinearCurve if data["interpolation"] == "linear" else Curve
        return kind([(float(x), float(y)) for x, y in data["points"]])


class LinearCurve(Curve):
    pass


class Picture:
    """As much of Pillow's Image as a preview needs: pictures of numbers, which become smaller by leaving out pixels."""

    Resampling = SimpleNamespace(BILINEAR=2)

    def __init__(self, numbers: Any) -> None:
        assert numbers.dtype == "uint8"
        self.numbers = numbers

    @property
    def size(self) -> tuple[int, int]:
        return self.numbers.shape[1], self.numbers.shape[0]

    def thumbnail(self, size: tuple[int, int], resample: int) -> None:
        step = max(-(-side // most) for side, most in zip(self.size, size, strict=True))
        self.numbers = self.numbers[::step, ::step]


Picture.Image, Picture.fromarray = Picture, Picture


class Method(Enum):
    """How samplers show what they make."""

    NoPreviews, Auto = "none", "auto"


class Server:
    """The stand-in server: its answers to the nodes, and a record of their calls."""

    class Interrupted(BaseException):
        """Not an ``Exception``, as in ComfyUI."""

    def reset(self, folder: Path) -> None:
        self.models, self.temp = folder / "models", folder / "temp"
        self.progress: list[tuple[int, int]] = []
        self.previews: list[tuple[int, Any]] = []
        self.args.preview_method, self.args.preview_size = Method.NoPreviews, 512
        self.interrupt_at: int | None = None
        self.folder.mkdir(parents=True)
        self.input, self.output = folder / "input", folder / "output"
        self.input.mkdir()
        self.output.mkdir()

    def __init__(self) -> None:
        self.args = SimpleNamespace()

    def check(self) -> None:
        if self.interrupt_at is not None and len(self.progress) >= self.interrupt_at:
            raise self.Interrupted

    @property
    def folder(self) -> Path:
        return self.models / "frame_interpolation"

    def modules(self) -> dict[str, ModuleType]:
        server = self

        class ProgressBar:
            def __init__(self, total: int) -> None:
                self.total = total

            def update_absolute(self, value: int, total: int | None = None, preview: Any = None) -> None:
                server.progress.append((value, total or self.total))
                if preview is not None:
                    kind, picture, most = preview
                    assert (kind, most) == ("JPEG", max(picture.size))
                    server.previews.append((value, picture))

        class Patcher:
            def __init__(self, model: Any, load_device: Any, offload_device: Any) -> None:
                self.model, self.load_device, self.offload_device = model, load_device, offload_device
                self.memory_required: list[float] = []

        cpu = torch.device("cpu")
        io = {
            name: kind(io_type)
            for name, io_type in {
                "Int": "INT", "Float": "FLOAT", "Boolean": "BOOLEAN", "String": "STRING", "Combo": "COMBO",
                "Image": "IMAGE", "Audio": "AUDIO", "Mask": "MASK", "Video": "VIDEO", "Tracks": "TRACKS", "Curve": "CURVE",
                "Model": "MODEL", "ControlNet": "CONTROL_NET", "Vae": "VAE", "ClipVision": "CLIP_VISION", "Clip": "CLIP",
                "Conditioning": "CONDITIONING", "Latent": "LATENT",
                "DynamicCombo": "COMFY_DYNAMICCOMBO_V3", "Autogrow": "COMFY_AUTOGROW_V3", "MultiType": "COMFY_MULTITYPED_V3",
            }.items()
        }  # fmt: skip
        io["DynamicCombo"].Option = Option
        io["Autogrow"].TemplateNames, io["Autogrow"].Type = TemplateNames, dict
        io |= {"Custom": kind, "Schema": Schema, "ComfyNode": ComfyNode, "NodeOutput": NodeOutput}
        io["NodeReplace"], io["Hidden"] = NodeReplace, SimpleNamespace(unique_id="UNIQUE_ID")
        api = {
            "io": SimpleNamespace(**io),
            "UI": SimpleNamespace(PreviewImage=PreviewImage),
            "ComfyExtension": type("ComfyExtension", (), {}),
            "ComfyAPI": None,  # only asked for by a server
            "Input": SimpleNamespace(Video=VideoInput),
            "InputImpl": SimpleNamespace(VideoFromFile=VideoFromFile, VideoFromComponents=VideoFromComponents),
        }
        management = {
            "throw_exception_if_processing_interrupted": self.check,
            "get_torch_device": lambda: cpu,
            "unet_offload_device": lambda: cpu,
            "should_use_fp16": lambda device: False,
            "load_models_gpu": lambda models, memory_required: models[0].memory_required.append(memory_required),
        }
        folders = {
            "models_dir": "models",
            "folder_names_and_paths": {},
            "add_model_folder_path": lambda name, path: folders["folder_names_and_paths"].update({name: ([path], set())}),
            "get_folder_paths": lambda name: [str(self.folder)],
            "get_filename_list": lambda name: sorted(file.name for file in self.folder.iterdir()),
            "get_full_path": lambda name, file: next((str(path) for path in self.folder.iterdir() if path.name == file), None),
            "get_temp_directory": lambda: str(self.temp),
            "get_input_directory": lambda: str(self.input),
            "get_output_directory": lambda: str(self.output),
        }
        contents = {
            "comfy_api": {},
            "comfy_api.input": {"CurveInput": Curve, "LinearCurve": LinearCurve},
            "comfy_api.v0_0_2": api,
            "comfy": {},
            "comfy_execution": {},
            "comfy_execution.graph_utils": {"GraphBuilder": GraphBuilder},
            "comfy.cli_args": {"args": self.args, "LatentPreviewMethod": Method},
            "comfy.utils": {"ProgressBar": ProgressBar},
            "comfy.model_management": management,
            "comfy.model_patcher": {"CoreModelPatcher": Patcher},
            "folder_paths": folders,
        }
        if importlib.util.find_spec("PIL") is None:  # which every ComfyUI has
            contents["PIL"] = {"Image": Picture}
        made = {name: ModuleType(name) for name in contents}
        for name, module in made.items():
            vars(module).update(contents[name])
            parent, _, child = name.rpartition(".")
            if parent:
                setattr(made[parent], child, module)
        return made


@pytest.fixture(scope="module")
def comfyui() -> Iterator[Server]:
    server = Server()
    with pytest.MonkeyPatch.context() as patch:
        for name, module in server.modules().items():
            patch.setitem(sys.modules, name, module)
        yield server


def load_pack() -> ModuleType:
    """The pack, loaded by its path as ComfyUI does."""
    spec = importlib.util.spec_from_file_location(PACK, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[PACK] = module
    spec.loader.exec_module(module)
    return module


def load_nodes(pack: ModuleType) -> list[type]:
    """The node classes of the pack."""
    return finished(finished(pack.comfy_entrypoint()).get_node_list())


@pytest.fixture(scope="module")
def pack(comfyui: Server) -> Iterator[ModuleType]:
    """The pack, for the tests of a file."""
    yield load_pack()
    for name in [name for name in sys.modules if name == PACK or name.startswith(f"{PACK}.")]:
        del sys.modules[name]


@pytest.fixture(autouse=True)
def server(comfyui: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """ComfyUI with empty folders, for one test."""
    comfyui.reset(tmp_path)
    monkeypatch.setenv("INBETWEEN_MODELS", str(tmp_path / "cache"))
    monkeypatch.delenv("COMFYUI_PATH", raising=False)
    return comfyui


@pytest.fixture
def part(pack: ModuleType) -> Callable[[str], ModuleType]:
    """A module of the pack: ``part("nodes.clip")``."""
    return lambda name: importlib.import_module(f"{PACK}.{name}")


@pytest.fixture
def nodes(pack: ModuleType) -> dict[str, type]:
    """The node classes, by id."""
    return {node.define_schema().node_id: node for node in load_nodes(pack)}


def as_lists(schema: Schema, given: dict[str, Any]) -> dict[str, Any]:
    """Inputs as ComfyUI gives them to a node that takes lists; of those that grow, each socket has a list."""
    grow = {part.id for part in schema.inputs if part.io_type == "COMFY_AUTOGROW_V3"}

    def listed(value: Any) -> list[Any]:
        return value if isinstance(value, list) else [value]

    def read(name: str, value: Any) -> Any:
        return {key: listed(each) for key, each in value.items()} if name in grow else listed(value)

    return {name: read(name, value) for name, value in given.items()}


@pytest.fixture
def run(nodes: dict[str, type]) -> Callable[..., tuple]:
    """Run a node as ComfyUI does; omitted inputs take their defaults."""

    def run(node_id: str, **inputs: Any) -> tuple:
        node = nodes[node_id]
        schema = node.define_schema()
        given = {part.id: value for part in schema.inputs if (value := inputs.pop(part.id, part.default)) is not None}
        assert not inputs, f"{node_id} has no input {inputs}"
        if schema.is_input_list:
            given = as_lists(schema, given)
        return node.execute(**given).result

    return run
