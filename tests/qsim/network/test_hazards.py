"""What ends the process in torch's kernels is an error before it runs."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from qsim.errors import ModelError
from qsim.network.hostops import run_torch_step

X = torch.ones(1, 4, 2, 2)
LEAST = torch.tensor([0, -(1 << 63)])
LEAST_32 = torch.tensor([0, -(1 << 31)], dtype=torch.int32)
ROWS = torch.ones(5, 3)
STATE = torch.ones(1, 1, 2)
NONE = torch.tensor([], dtype=torch.int64)
STEPS = torch.tensor([1] * 5)


def weights(gates: int) -> list[torch.Tensor]:
    rows = 2 * gates
    return [torch.ones(rows, 3), torch.ones(rows, 2), torch.ones(rows), torch.ones(rows)]


def run(operator: str, *args: Any, **kwargs: Any) -> Any:
    held: dict[str, Any] = {}

    def plain(item: Any) -> Any:
        if isinstance(item, torch.Tensor):
            held[f"v{len(held)}"] = item
            return {"tensor": f"v{len(held) - 1}"}
        return [plain(each) for each in item] if isinstance(item, list) else item

    attributes = {"operator": operator, "args": [plain(each) for each in args], "kwargs": kwargs}
    return run_torch_step(attributes, held, {})


@pytest.mark.parametrize("name", ["div", "divide"])
@pytest.mark.parametrize(
    ("dividend", "divisor"),
    [
        (LEAST, torch.tensor([-1, -1])),
        (LEAST, torch.tensor(-1, dtype=torch.int8)),
        (LEAST, -1),
        (LEAST_32, torch.tensor([[3], [-1]], dtype=torch.int32)),
        (LEAST_32, -1),
        # One number has the other's width: 2**31 wraps.
        (torch.tensor(1 << 31), torch.tensor([-1], dtype=torch.int32)),
    ],
)
def test_a_quotient_that_does_not_fit_is_refused(name: str, dividend: Any, divisor: Any) -> None:
    kind = "Tensor" if isinstance(divisor, torch.Tensor) else "Scalar"
    with pytest.raises(ModelError, match=r"/ -1 does not fit int(32|64)"):
        run(f"aten.{name}.{kind}_mode", dividend, divisor, rounding_mode="trunc")


def test_quotients_that_fit_are_computed() -> None:
    one = run("aten.div.Tensor_mode", LEAST, torch.tensor([-1, 1]), rounding_mode="trunc")
    assert one.tolist() == [0, -(1 << 63)]
    narrow = torch.tensor([-128, 7], dtype=torch.int8)
    other = run("aten.div.Scalar_mode", narrow, -1, rounding_mode="trunc")
    assert other.tolist() == [-128, -7]
    real = run("aten.div.Tensor_mode", X, torch.tensor(-1), rounding_mode="trunc")
    assert torch.equal(real, -X)


@pytest.mark.parametrize(
    ("name", "gates", "states"),
    [
        ("gru", 3, STATE),
        ("lstm", 4, [STATE, STATE]),
        ("rnn_tanh", 1, STATE),
        ("rnn_relu", 1, STATE),
    ],
)
def test_packed_sequences_have_a_step(name: str, gates: int, states: Any) -> None:
    rest = (states, weights(gates), True, 1, 0.0, False, False)
    assert run(f"aten.{name}.data", ROWS, STEPS, *rest)[0].shape == (5, 2)
    with pytest.raises(ModelError, match="batch_sizes is empty"):
        run(f"aten.{name}.data", ROWS, NONE, *rest)


def test_a_batch_norm_that_does_not_train_has_statistics() -> None:
    one = torch.ones(4)
    name = "aten.native_batch_norm.default"
    assert run(name, X, None, None, one, one, False, 0.1, 0.0)[0].shape == X.shape
    for statistics in ((None, None), (one, None), (None, one)):
        with pytest.raises(ModelError, match="training = false needs statistics"):
            run(name, X, None, None, *statistics, False, 0.1, 0.0)
