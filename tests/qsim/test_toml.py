"""TOML that a stranger wrote is harmless to all that read it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qsim import Target, toml
from qsim.cosim.dut.file import load as load_dut
from qsim.errors import FileFormatError, QsimError
from qsim.quantizer.config import QuantizeConfig

READERS: dict[str, Callable[[Path], Any]] = {
    "target": Target.load,
    "config": QuantizeConfig.load,
    "dut": load_dut,
}
NASTY = {
    "dots": ("a" + ".a" * 30_000 + " = 1", "line 1 has 30000 dots"),
    "dotted table": ("[a" + ".a" * 30_000 + "]", "line 1 has 30000 dots"),
    "within the dots": ("a" + ".a" * 200 + " = 1", "is nested too deeply"),
    "hex": ("[default]\nactivation_bits = 0x" + "f" * 60_000, "an integer of 240000 bits"),
    "decimal": ("a = " + "9" * 60_000, "is not TOML"),
    "octal": ("a = 0o" + "7" * 60_000, "an integer of 180000 bits"),
    "in an array": ("a = [1, [0x1" + "0" * 16 + "]]", "an integer of 65 bits"),
    "arrays": ("a = " + "[" * 20_000, "is nested too deeply"),
    "closed arrays": ("a = " + "[" * 20 + "]" * 20, "is nested too deeply"),
    "tables": ("a = " + "{a=" * 15_000, "is nested too deeply"),
    "twice": ("a = 1\na = 2", "is not TOML"),
    "zero": ("\x00", "is not TOML"),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", NASTY)
def test_harmless(tmp_path: Path, name: str, reader: str) -> None:
    text, message = NASTY[name]
    path = tmp_path / "x.toml"
    path.write_text(text)
    with pytest.raises(QsimError, match=message) as caught:
        READERS[reader](path)
    shown = str(caught.value)
    assert shown.startswith(str(path))
    assert "\n" not in shown
    assert len(shown) < 500 + len(str(path))


@pytest.mark.parametrize("reader", READERS)
def test_text_of_another_encoding(tmp_path: Path, reader: str) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(b"a = 1 # \xe9")
    with pytest.raises(QsimError, match=r"byte 8 is not UTF-8 \(accepted: TOML text in UTF-8\)"):
        READERS[reader](path)


def test_the_mark_of_utf8_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(b"\xef\xbb\xbf[default]\nactivation_bits = 4\n")
    assert toml.load(path) == {"default": {"activation_bits": 4}}
    assert QuantizeConfig.load(path).default.activation_bits == 4
    text = (Path(toml.__file__).parent / "targets" / "q7.toml").read_bytes()
    path.write_bytes(b"\xef\xbb\xbf" + text)
    assert Target.load(path).hash == Target.load("q7").hash


def test_what_is_read() -> None:
    text = "a.b = -9223372036854775808\nc = [18446744073709551615, {d = 1.5}]"
    assert toml.parse(text) == {"a": {"b": -(1 << 63)}, "c": [(1 << 64) - 1, {"d": 1.5}]}


def test_a_long_file_of_modules_is_a_configuration(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text("".join(f'[modules."layers.{at}.mlp"]\nskip = true\n' for at in range(2000)))
    assert len(QuantizeConfig.load(path).modules) == 2000
    path.write_text("#" * (toml.MOST_BYTES + 1))
    with pytest.raises(QsimError, match="at most 262,144 bytes"):
        QuantizeConfig.load(path)


def test_what_cannot_be_read_is_a_file_error() -> None:
    with pytest.raises(FileFormatError, match="cannot be read"):
        toml.load("/gone/x.toml")
