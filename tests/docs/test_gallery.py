"""docs/rtl-gallery.md shows the bindings that the tests run."""

from __future__ import annotations

import tomllib

from tests.docs.blocks import blocks
from tests.rtl.test_blocks import BLOCKS
from tests.rtl.test_designs import KINDS
from tests.tree import DESIGNS

NAMES = (*KINDS, *BLOCKS)
PAGE = "docs/rtl-gallery.md"
# No kinds of binding, but of fault.
FAULTY = {"held_adder", "piped_adder", "through_adder", "hasty"}


def shown() -> dict[str, list[str]]:
    """Return the lines of each block, by the file that it names."""
    found = {}
    for language, text in blocks(PAGE):
        assert language == "toml"
        first, *lines = text.splitlines()
        found[first.removeprefix("# ")] = lines
    return found


def test_every_kind_is_on_the_page() -> None:
    assert sorted(shown()) == sorted(f"{name}.toml" for name in NAMES)
    bound = {path.stem for path in DESIGNS.glob("*.toml")}
    assert set(NAMES) == bound - FAULTY


def test_every_line_is_one_of_the_file_in_its_order() -> None:
    for name, lines in shown().items():
        held = iter((DESIGNS / name).read_text("utf-8").splitlines())
        for line in lines:
            assert line in held, (name, line)


def test_every_field_is_read_by_somebody() -> None:
    text = "\n".join((DESIGNS / name).read_text("utf-8") for name in shown())
    fields = (
        "static shared negate scale add interval loaded unpacked sizes ratio packet busy last hex"
    )
    for field in (*fields.split(), "width", "valid_active", "modport"):
        assert f"{field} =" in text, field
    for name in shown():
        tomllib.loads((DESIGNS / name).read_text("utf-8"))
