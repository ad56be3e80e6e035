"""Sheets are recognised by what they hold, and reading one needs nothing heavy."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sheeting import xdts

from vfi.core import InputError
from vfi.sheets import text
from vfi.sheets.open import read_sheet
from vfi.sheets.table import TableSheet
from vfi.sheets.xdts import XdtsSheet

ROOT = Path(__file__).parents[2]
TABLE = b"F,A\n1,1\n"


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("a.xdts", xdts({"A": {}}), XdtsSheet),
        ("a.csv", xdts({"A": {}}), XdtsSheet),
        ("a", b"\xef\xbb\xbf" + xdts({"A": {}}), XdtsSheet),
        ("a.csv", TABLE, TableSheet),
        ("a.TSV", TABLE.replace(b",", b"\t"), TableSheet),
    ],
)
def test_the_format_is_found(tmp_path: Path, name: str, data: bytes, kind: type):
    (tmp_path / name).write_bytes(data)
    assert type(read_sheet(tmp_path / name)) is kind


def test_what_cannot_be_read_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(InputError, match=r"none\.xdts cannot be read: No such file"):
        read_sheet(tmp_path / "none.xdts")
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        read_sheet(tmp_path)
    (tmp_path / "a.xdts").write_bytes(TABLE)
    with pytest.raises(InputError, match=r"a\.xdts begins with 'F,A': an XDTS sheet begins with the line exchangeDigital"):
        read_sheet(tmp_path / "a.xdts")
    monkeypatch.setattr("vfi.sheets.open.LARGEST", 7)
    with pytest.raises(InputError, match="has 8 bytes: a sheet may have at most 7"):
        read_sheet(tmp_path / "a.xdts")
    monkeypatch.setattr(text, "LARGEST", 7)
    with pytest.raises(InputError, match="has 8 bytes: a sheet may have at most 7"):
        text.decoded(TABLE, "a")


def test_sheets_are_read_without_torch(tmp_path: Path):
    (tmp_path / "a.xdts").write_bytes(xdts({"A": {0: "1", 1: "o", 2: "2"}}))
    blocked = "; ".join(f"sys.modules[{name!r}] = None" for name in ("torch", "numpy", "av", "cv2"))
    code = f"import sys; {blocked}; from pathlib import Path; from vfi.sheets.open import read_sheet; "
    code += "from vfi.sheets.wanted import wanted; import vfi.sheets.orders; "
    code += "assert wanted(read_sheet(Path(sys.argv[1])))[0][0].frame == 1"
    line = [sys.executable, "-c", code, str(tmp_path / "a.xdts")]
    done = subprocess.run(line, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("encoding", "mark"), [("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff"), ("utf-8", b"\xef\xbb\xbf")]
)
@pytest.mark.parametrize("name", ["a.txt", "a.xdts"])
def test_the_unicode_text_of_spreadsheets_is_read_and_written(tmp_path: Path, name: str, encoding: str, mark: bytes):
    data = xdts({"あ": {0: "1", 1: "o", 2: "3"}}) if name == "a.xdts" else "F\tあ\r\n1\t1\r\n2\t○\r\n3\t3\r\n".encode()
    (tmp_path / name).write_bytes(mark + data.decode().encode(encoding))
    sheet = read_sheet(tmp_path / name)
    assert [layer.name for layer in sheet.layers] == ["あ"]
    written = sheet.entered({(0, 1): "2"})
    assert written.startswith(mark)
    told = data.decode().replace("SYMBOL_TICK_1", "2").replace("○", "2")
    assert written[len(mark) :].decode(encoding) == told
