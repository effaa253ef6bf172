"""The parameters of integer inputs and outputs, in a file and out of it."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from qsim.cli.pte.facts import Parameters, parameters
from qsim.errors import FileFormatError, UsageError
from qsim.executorch import Pte, export, qparams
from qsim.executorch.io_params import Codes, constant_methods
from qsim.graph.capturing import quiet
from tests.qsim.executorch.edges import lowered_edge, network, to_edge
from tests.qsim.executorch.integers import codes, q07
from tests.qsim.executorch.pte_nets import run_cpp

pytestmark = pytest.mark.usefixtures("one_thread")

KEYS = ("scale", "zp", "quant_min", "quant_max", "dtype")


def test_names_and_numbers_are_those_of_executorchs_passes() -> None:
    from executorch.exir.passes.quantize_io_pass import QuantizeInputs, QuantizeOutputs

    source, _ = network("TwoInputs", "q7")
    manager, _ = lowered_edge(source, max_batch=4, quantized_io=True)
    with quiet():
        manager = manager.transform(
            [QuantizeInputs(manager, [0, 1]), QuantizeOutputs(manager, [0, 1])]
        )
    theirs = manager._config_methods
    ours = constant_methods(qparams(export(source, max_batch=4, quantized_io=True)))
    assert ours == theirs
    assert len(ours) == 20
    assert [(name, type(value)) for name, value in sorted(ours.items())] == [
        (name, float if name.endswith("scale") else int) for name in sorted(theirs)
    ]


def test_the_cpp_runtime_reads_them_and_takes_the_integers() -> None:
    """A program without delegates: ExecuTorch's own kernels, its own runtime."""
    import executorch.kernels.quantized  # noqa: F401 - its operators, before memory is planned

    source, lowered, _ = q07()
    program = export(source, max_batch=4, quantized_io=True)
    found = qparams(program)
    with quiet():
        manager = to_edge(program, constant_methods=constant_methods(found))
        data = bytes(manager.to_executorch().buffer)
    pte = Pte(data)
    assert qparams(pte) == found
    stated = [run_cpp(data, [], method=f"input0_{key}")[0][0] for key in KEYS]
    assert stated == [2.0**-7, 0, -128, 127, 1]  # ScalarType::Char
    given = codes(lowered.quantized_io(), 4)
    ((theirs,),) = run_cpp(data, given)
    assert theirs.dtype == torch.int8
    assert torch.equal(pte(*given), theirs)


class Sum(torch.nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return x + y


def program(**methods: Any) -> Pte:
    exported = torch.export.export(Sum(), (torch.ones(2), torch.ones(2)))
    with quiet():
        return Pte(bytes(to_edge(exported, constant_methods=methods).to_executorch().buffer))


def numbers(name: str, *values: Any) -> dict[str, Any]:
    return {f"{name}_{key}": value for key, value in zip(KEYS, values, strict=True)}


def test_floats_and_integers_without_parameters_are_none() -> None:
    assert qparams(program()) == {"inputs": [None, None], "outputs": [None]}
    source, _ = network("TwoInputs", "q7")
    assert qparams(export(source)) == {"inputs": [None, None], "outputs": [None, None]}


def test_a_methods_name_may_stand_in_front() -> None:
    stated = numbers("forward_input1", 0.5, 3, 0, 255, 0)
    pte = program(**stated, **numbers("output0", 0.25, 0, -128, 127, 1))
    assert qparams(pte) == {
        "inputs": [None, Codes(0.5, 3, 0, 255, torch.uint8)],
        "outputs": [Codes(0.25, 0, -128, 127, torch.int8)],
    }
    assert qparams(pte, "forward") == qparams(pte)
    assert qparams(pte, "output0_zp") == {"inputs": [], "outputs": [None]}
    with pytest.raises(UsageError, match="no method 'backward'"):
        qparams(pte, "backward")


def test_running_and_inspecting_read_the_same_names() -> None:
    stated = numbers("input0", 0.25, 1, 0, 127, 0) | numbers("forward_input0", 0.5, 3, 0, 255, 0)
    pte = program(**stated)
    (run, _) = qparams(pte)["inputs"]
    inspected = parameters(pte.plans, "forward")
    assert run == Codes(0.5, 3, 0, 255, torch.uint8)
    assert inspected == {("input", 0): Parameters(0.5, 3, 0, 255)}
    assert parameters(pte.plans, "input0_zp") == {}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((1, 0, -128, 127, 1), r"input0_\*: states 1, 0, -128, 127, 1 "),
        ((0.0, 0, -128, 127, 1), "states 0.0"),
        ((float("nan"), 0, -128, 127, 1), "states nan"),
        ((0.5, 0.0, -128, 127, 1), "states 0.5, 0.0"),
        ((0.5, 128, -128, 127, 1), "states 0.5, 128"),
        ((0.5, 0, -128, 127, 99), "127, 99 .accepted: numbers for scale, zp, quant_min, quant_"),
        ((0.5, 0, -129, 127, 1), "-129, 127, 1"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(values: Any, message: str) -> None:
    pte = program(**numbers("input0", *values))
    with pytest.raises(FileFormatError, match=message):
        qparams(pte)


def test_a_missing_number_is_named() -> None:
    stated = numbers("input0", 0.5, 0, -128, 127, 1)
    del stated["input0_zp"]
    pte = program(**stated)
    with pytest.raises(FileFormatError, match="input0_zp: it has no method 'input0_zp'"):
        qparams(pte)
