"""What a ``.pte`` may say, and how it is refused otherwise."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Any

import pytest
import torch

import qsim.executorch
from qsim.errors import FileFormatError, MissingToolError, ModelError
from qsim.executorch import Pte, adapter
from qsim.executorch.interpreter import kernel_names, operators, prims, quantized
from qsim.executorch.pte import container, plan
from qsim.executorch.pte.external import External
from qsim.executorch.pte.tensors import Data
from tests.qsim.executorch import pte_nets as nets


@pytest.fixture(scope="module")
def dense() -> bytes:
    return bytes(nets.program(nets.Dense(), (torch.randn(2, 4),)).buffer)


def read(data: bytes, change: Any) -> Any:
    """Read the plan of a program whose tables were changed."""
    whole = container.read_pte(data)
    table = whole.root["execution_plan"][0]
    change(table)
    return plan.read(table, Data(whole, External(whole, []).find))


def first_tensor(table: Any, *, planned: bool) -> Any:
    return next(
        value["val"][1]
        for value in table["values"]
        if value["val"][0] == "Tensor"
        and (value["val"][1]["allocation_info"] is not None) == planned
    )


@pytest.mark.parametrize(
    ("planned", "changes", "message"),
    [
        (True, {"sizes": (-1, 4)}, r"has shape \[-1, 4\]"),
        (True, {"sizes": (2**30, 2**30)}, "accepted: up to 1099511627776 bytes"),
        (True, {"sizes": (1000, 4)}, r"takes bytes \d+ to \d+ of memory 1, which has \d+"),
        (True, {"dim_order": (0, 0)}, r"has dim order \[0, 0\] \(accepted: each of 0..1 once"),
        (True, {"shape_dynamism": "DYNAMIC_UNBOUND"}, "has a shape without a bound"),
        (True, {"scalar_type": "QUINT4X2"}, "is of type QUINT4X2"),
        (True, {"storage_offset": 1}, "has storage offset 1"),
        (False, {"data_buffer_idx": 99}, "wants data 99 of"),
        (False, {"sizes": (10**6, 4), "dim_order": (0, 1)}, "takes 16000000 bytes of data"),
    ],
)
def test_a_tensor_out_of_range(
    dense: bytes, planned: bool, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(FileFormatError, match=message):
        read(dense, lambda table: first_tensor(table, planned=planned).update(changes))


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ({"memory_id": 7}, r"is in memory 7 \(accepted: 1 to 1"),
        ({"memory_offset_low": 2}, r"begins at byte 2 of memory 1 \(accepted: a multiple of its 4"),
        ({"memory_offset_high": 1}, r"takes bytes 4294967\d+ to"),
    ],
)
def test_a_place_out_of_range(dense: bytes, place: dict[str, int], message: str) -> None:
    def change(table: Any) -> None:
        first_tensor(table, planned=True)["allocation_info"].update(place)

    with pytest.raises(FileFormatError, match=message):
        read(dense, change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda call: call.update(op_index=50), "calls operator 50 of"),
        (lambda call: call.update(args=(0, 500)), r"name value 500 of \d+"),
    ],
)
def test_a_call_out_of_range(dense: bytes, change: Any, message: str) -> None:
    with pytest.raises(FileFormatError, match=message):
        read(dense, lambda table: change(table["chains"][0]["instructions"][0]["instr_args"][1]))


def test_what_is_no_pte(tmp_path: Path) -> None:
    path = tmp_path / "net.pte"
    path.write_bytes(b"PK\x03\x04 something else")
    with pytest.raises(FileFormatError, match=r"net.pte: it does not begin as a file of kind ET12"):
        qsim.executorch.load(path)
    with pytest.raises(FileFormatError, match="cannot be read: no such file"):
        qsim.executorch.load(tmp_path / "absent.pte")
    with pytest.raises(FileFormatError, match="not a regular file"):
        qsim.executorch.load(tmp_path)


def test_an_unknown_operator_is_named(dense: bytes) -> None:
    changed = dense.replace(b"aten::relu", b"aten::rand")
    assert changed != dense
    with pytest.raises(ModelError, match=r"operator 'aten::rand.out', which qsim does not run"):
        Pte(changed)


def test_another_version_of_executorch_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "9.9.9")
    adapter._home.cache_clear()
    try:
        with pytest.raises(MissingToolError, match=r"ExecuTorch 9.9.9 .*1.5.1.*pip install") as got:
            adapter.check()
        assert got.value.exit_status == 3
    finally:
        adapter._home.cache_clear()


def test_every_operator_is_one_of_the_runtime_and_of_torch() -> None:
    theirs = set(nets.runtime().operator_registry.operator_names)
    assert theirs >= kernel_names.ATEN
    for name in kernel_names.ATEN | set(quantized.GUARDS):
        assert operators.find(name).name == name
    missing = {name for name in theirs if name.startswith("executorch_prim")}
    assert {name for name in missing if not prims.known(name)} == set()
    assert kernel_names.BROADCAST | kernel_names.ELEMENTWISE <= kernel_names.ATEN
