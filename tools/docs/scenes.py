"""What each page supposes that there is, and what is said of its commands beside that they work."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tools.docs.blocks import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

PAGES: Final = (
    "README.md",
    "golden/README.md",
    *sorted(f"docs/{p.name}" for p in ROOT.glob("docs/*.md")),
)


@dataclass(frozen=True)
class Scene:
    """How a page is gone through.

    Attributes:
        given: writes into the folder what the page supposes that a reader has.
        status: exit statuses that are not 0, by command.
        near: commands whose every number depends on torch's float arithmetic: the Q/DQ graph's, or
            that of random weights, which torch draws otherwise on another processor.
        long: commands that take long, by a proof or by what Verilator compiles: for the soak.
        elsewhere: commands that are not run here, and what runs them.
    """

    given: Callable[[Path], None] = lambda _folder: None
    status: Mapping[str, int] = field(default_factory=dict)
    near: tuple[str, ...] = ()
    long: tuple[str, ...] = ()
    elsewhere: Mapping[str, str] = field(default_factory=dict)


def checkout(folder: Path) -> None:
    """Give what a reader has who stands in the repository."""
    for name in ("rtl_tb", "golden", "qsim"):
        (folder / name).symlink_to(ROOT / name)


def own_rtl(folder: Path) -> None:
    """Give the scaler of docs/bring-your-own-rtl.md, with the fault that its page puts in."""
    checkout(folder)
    shutil.copytree(ROOT / "rtl_tb" / "examples" / "scaler", folder / "mine")
    binding = folder / "mine" / "scaler.toml"
    binding.write_text(binding.read_text("utf-8").replace("TIES_AWAY = 1", "TIES_AWAY = 0"))


def changed_rtl(folder: Path) -> None:
    """Give one file of the RTL, to be proved in the place of the shipped one."""
    (folder / "my_rtl").mkdir()
    shutil.copy(ROOT / "rtl_tb" / "rtl" / "round_shift.sv", folder / "my_rtl")


def wide_target(folder: Path) -> None:
    """Give a target with a register that no target can have."""
    text = (ROOT / "qsim" / "targets" / "tflite.toml").read_text("utf-8")
    first, register, rest = text.partition("[correlation]\n")
    (folder / "mine.toml").write_text(first + register + rest.replace("32", "20000", 1), "utf-8")


SCENES: Final[Mapping[str, Scene]] = {
    "README.md": Scene(
        own_rtl,
        status={"qsim cosim digits --dut mine/scaler.toml": 1},
        near=("qsim run my_model.py:tiny --target narrow20",),  # its weights are torch.randn's
        long=("qsim cosim digits", "qsim cosim digits --dut mine/scaler.toml"),
        elsewhere={"make run": "its command is run", "make test": "is this test"},
    ),
    "docs/architecture.md": Scene(
        checkout,
        long=(".venv/bin/qsim prove add --target q7 --model digits",),
        elsewhere={
            ".venv/bin/pytest tests/hw_models/test_requantize.py -k tie": "a test",
            ".venv/bin/pytest tests/hw_models/test_add.py tests/hw_models/addition": "tests",
            "make lint": "goes before the tests",
        },
    ),
    "docs/bring-your-own-rtl.md": Scene(
        checkout,
        status={
            "qsim cosim golden/requantize --simulator icarus --dut mine/scaler.toml --waves": 1,
            "qsim cosim golden/requantize -s icarus --dut mine/early.toml --case '*plain'": 1,
            "qsim cosim digits --simulator icarus --dut mine/scaler.toml": 1,
        },
    ),
    "docs/changing.md": Scene(),
    "docs/cli.md": Scene(
        checkout,
        status={
            "qsim run digits.pte --compare digits": 1,
            "qsim run digits.pte --inputs x.npy --samples 16 --compare digits": 1,
            "qsim run digits --inputs pipe.npy": 2,
            "qsim targets >/dev/full": 2,
        },
        near=("qsim run digits.pte --inputs x.npy --samples 16 --compare digits",),
        long=("qsim doctor --self-test",),
        elsewhere={"qsim doctor --clear-kernels": "tests/qsim/cli/test_listing.py"},
    ),
    "docs/cosim.md": Scene(
        checkout,
        long=(
            "qsim cosim digits --simulator verilator",
            "qsim cosim requantize --vectors 1000000",
            "qsim cosim digits --engine",
            "qsim cosim golden/requantize --dut rtl_tb/examples/scaler/scaler.toml",
        ),
    ),
    "docs/errors.md": Scene(
        status={"qsim run digits --samples 0": 2, "qsim run digits --samples 0 --json": 2}
    ),
    "docs/executorch.md": Scene(status={"qsim run digits.pte --compare digits": 1}),
    "docs/formal.md": Scene(
        changed_rtl,
        long=(
            "qsim prove requantize --target tflite",
            "qsim prove requantize --target tflite --model digits",
            "qsim prove add --target q7 --model digits",
            "qsim prove layer_norm --target integer-transformer",
            "qsim prove softmax --target integer-transformer",
            "qsim prove requantize --rtl my_rtl/round_shift.sv",
        ),
        elsewhere={
            "qsim prove --dut rtl_tb/examples/scaler/scaler.toml --timeout 300": (
                "63 shifts of it take minutes; tests/qsim/formal/designs has smaller designs"
            ),
        },
    ),
    "docs/mutation.md": Scene(
        elsewhere={
            "qsim cosim golden/requantize -s icarus --dut rtl_tb/examples/scaler/scaler.toml"
            " --mutants 24": "tests/qsim/mutants has a smaller module",
        },
    ),
    "docs/memory.md": Scene(
        status={"qsim compile mobilenet_v2 --target narrow20 -o net.qsim": 2},
        long=("qsim compile mobilenet_v2 --target narrow20 -o net.qsim",),
    ),
    "docs/targets.md": Scene(wide_target, status={"qsim targets mine.toml": 2}),
}
