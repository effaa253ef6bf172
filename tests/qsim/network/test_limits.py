"""Host operators are deterministic, and small enough, before they run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.ao.quantization.fx._decomposed  # registers quantized_decomposed

import hw_models
from qsim.errors import ModelError
from qsim.network import hostops, limits
from qsim.network.hostops import run_torch_step
from qsim.network.lowered import Lowered
from qsim.network.operators import ALLOWED
from qsim.network.steps import Step, ValueSpec
from tests.qsim.network import nets

X = torch.linspace(-3, 3, 24).reshape(2, 3, 4)
MASK = X > 0
HUGE = 1 << 30


def step(operator: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
    return {"operator": operator, "args": list(args), "kwargs": kwargs}


def run(operator: str, *args: Any, **values: Any) -> Any:
    """Run an operator on arguments; those that are tensors become values."""
    held: dict[str, Any] = dict(values)

    def plain(item: Any) -> Any:
        if isinstance(item, torch.Tensor):
            held[f"v{len(held)}"] = item
            return {"tensor": f"v{len(held) - 1}"}
        return [plain(each) for each in item] if isinstance(item, (list, tuple)) else item

    attributes = step(operator, *map(plain, args))
    hostops.check_torch_step(attributes)
    return run_torch_step(attributes, held, {})


def test_every_operator_of_the_list_is_functional() -> None:
    for name in sorted(ALLOWED):
        schema = hostops.resolve_operator(name)._schema
        assert not schema.is_mutable, name
        kinds = {str(argument.type) for argument in schema.arguments}
        makes = any(argument.name == "device" for argument in schema.arguments)  # of sizes alone
        assert makes or any("Tensor" in kind for kind in kinds), name
        assert torch._C._dispatch_has_kernel(name_of(schema)), name


def name_of(schema: Any) -> str:
    return f"{schema.name}.{schema.overload_name}".removesuffix(".")


def test_what_draws_random_numbers_is_listed_for_its_other_mode_only() -> None:
    seeded = {
        name
        for name in ALLOWED
        if torch.Tag.nondeterministic_seeded in hostops.resolve_operator(name).tags
    }
    assert {name.split(".")[1] for name in seeded} == {
        *("alpha_dropout", "dropout", "feature_alpha_dropout", "feature_dropout"),
        *("gru", "lstm", "rnn_relu", "rnn_tanh", "rrelu", "scaled_dot_product_attention"),
    }
    for name in seeded:
        names = {argument.name for argument in hostops.resolve_operator(name)._schema.arguments}
        assert names & {"train", "training", "dropout_p"}, name


@pytest.mark.parametrize(
    "name",
    [
        *("empty_like.default", "new_empty.default", "new_empty_strided.default"),
        *("rand_like.default", "randn_like.default", "randint_like.default", "normal.Tensor_float"),
        *("bernoulli.default", "bernoulli.p", "poisson.default", "multinomial.default"),
        *("native_dropout.default", "as_strided.default", "resize.default", "diff.default"),
        *("combinations.default", "bincount.default", "special_hermite_polynomial_h.default"),
        *("to_sparse.default", "quantize_per_tensor.default", "numel.nope", "add.out"),
    ],
)
def test_what_no_honest_file_has_is_refused_when_it_is_read(name: str) -> None:
    with pytest.raises(ModelError, match="a host operator must be one that exported graphs"):
        hostops.check_torch_step(step(f"aten.{name}", {"tensor": "x"}))


NORMAL = ({"tensor": "x"}, None, None)
STATISTICS = ({"constant": "m"}, {"constant": "v"})


@pytest.mark.parametrize(
    ("refused", "taken"),
    [
        (
            step("aten.dropout.default", {"tensor": "x"}, 0.5, True),
            step("aten.dropout.default", {"tensor": "x"}, 0.5, False),
        ),
        (
            step("aten.dropout.default", {"tensor": "x"}, 0.5, {"tensor": "n"}),
            step("aten.dropout.default", {"tensor": "x"}, 0.0, True),
        ),
        (
            step("aten.rrelu.default", {"tensor": "x"}, 0.1, 0.3, training=True),
            step("aten.rrelu.default", {"tensor": "x"}, 0.1, 0.3),
        ),
        (
            step("aten.batch_norm.default", *NORMAL, *STATISTICS, True, 0.1, 1e-5, False),
            step("aten.batch_norm.default", *NORMAL, None, None, True, 0.1, 1e-5, False),
        ),
        (
            step("aten.instance_norm.default", *NORMAL, *STATISTICS, True, 0.1, 1e-5, False),
            step("aten.instance_norm.default", *NORMAL, *STATISTICS, False, 0.1, 1e-5, False),
        ),
        (
            step("aten.scaled_dot_product_attention.default", *[{"tensor": "x"}] * 3, None, 0.1),
            step("aten.scaled_dot_product_attention.default", *[{"tensor": "x"}] * 3, None, 0.0),
        ),
    ],
)
def test_random_modes_are_refused_when_they_are_read(
    refused: dict[str, Any], taken: dict[str, Any]
) -> None:
    hostops.check_torch_step(taken)
    with pytest.raises(ModelError, match="must compute the same every time") as caught:
        hostops.check_torch_step(refused)
    assert "\n" not in str(caught.value)


LARGE: list[tuple[str, tuple[Any, ...]]] = [
    ("aten.expand.default", (X[:1, :1, :1], [1 << 20, 1 << 12, 4])),
    ("aten.repeat.default", (X, [HUGE, 1, 1])),
    ("aten.repeat_interleave.self_int", (X, HUGE, 0)),
    ("aten.repeat_interleave.Tensor", (torch.tensor([HUGE, HUGE]),)),
    ("aten.repeat_interleave.self_Tensor", (X, torch.tensor([HUGE, 1]), 0)),
    ("aten.repeat_interleave.self_Tensor", (X, torch.tensor([HUGE]))),
    ("aten.one_hot.default", (torch.tensor([1, 2]), HUGE)),
    ("aten.one_hot.default", (torch.tensor([1, 1 << 31]),)),
    ("aten.new_zeros.default", (X, [1 << 16, 1 << 15])),
    ("aten.new_full.default", (X, [HUGE + 1], 1.0)),
    ("aten.constant_pad_nd.default", (X, [HUGE, HUGE])),
    ("aten.pad.default", (X, [0, HUGE], "replicate")),
    ("aten.upsample_nearest2d.vec", (X[None], [1 << 16, 1 << 16], None)),
    ("aten.adaptive_avg_pool2d.default", (X[None], [1 << 15, 1 << 15])),
    ("aten.histc.default", (X, HUGE + 1)),
    ("aten.einsum.default", ("a,b->ab", [torch.ones(1 << 16), torch.ones(1 << 15)])),
    ("aten.istft.default",
     (torch.ones(5, 9) * 1j, 8, None, None, torch.ones(8), True, False, None, HUGE + 1)),
    # Its result is small; what it makes on the way is not.
    ("aten.pairwise_distance.default", (torch.ones(1 << 16, 1), torch.ones(1, 1 << 15))),
    ("aten.masked_select.default", (torch.ones(1 << 16, 1), torch.ones(1 << 15) > 0)),
    ("aten.cdist.default", (torch.ones(1 << 16, 1), torch.ones(1 << 15, 1))),
    ("aten.index.Tensor", (X, [torch.zeros(1 << 15, 1, dtype=torch.long), None,
                               torch.zeros(1 << 15, dtype=torch.long)])),
]  # fmt: skip


@pytest.mark.parametrize(("name", "args"), LARGE, ids=[name for name, _ in LARGE])
def test_no_step_makes_more_elements_than_the_limit(name: str, args: tuple[Any, ...]) -> None:
    with pytest.raises(ModelError, match=r"it would make a tensor of [0-9,]+ elements") as caught:
        run(name, *args)
    assert caught.value.where == f"host operator {name}"


@pytest.mark.parametrize(
    ("name", "args", "message"),
    [
        ("aten.unbind.int", (torch.zeros(1, 1 << 17), 1), "131,072 tensors"),
        ("aten.split.Tensor", (torch.zeros(1 << 17), 1), "131,072 tensors"),
        ("aten.chunk.default", (torch.zeros(4), 1 << 17), "131,072 tensors"),
        ("aten.tensor_split.sections", (torch.zeros(4), 1 << 17), "131,072 tensors"),
        (
            "aten.max_pool1d.default",
            (torch.zeros(1, 1, 64), [1 << 30], [1], [1 << 29]),
            "elements",
        ),
    ],
)
def test_nothing_is_done_too_often(name: str, args: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        run(name, *args)


def test_a_size_that_a_step_made_is_a_size_like_any_other() -> None:
    attributes = step("aten.max_pool1d.default", {"tensor": "x"}, [{"tensor": "n"}])
    with pytest.raises(ModelError, match="must fit 32 bits, not 1099511627776"):
        run_torch_step(attributes, {"x": X, "n": 1 << 40}, {})
    attributes = step("aten.repeat.default", {"tensor": "x"}, [{"tensor": "n"}, 1, 1])
    with pytest.raises(ModelError, match=r"it would make a tensor of [0-9,]+ elements"):
        run_torch_step(attributes, {"x": X, "n": 1 << 30}, {})


SPECTRUM = torch.stft(torch.linspace(0, 1, 64), 8, window=torch.ones(8), return_complex=True)
HONEST: list[tuple[str, tuple[Any, ...]]] = [
    ("aten.index.Tensor", (X, [MASK])),
    ("aten.index.Tensor", (X, [None, torch.tensor([True, False, True])])),
    ("aten.index_put.default", (X, [MASK], torch.tensor(1.0))),
    ("aten.nonzero.default", (MASK,)),
    ("aten.masked_select.default", (X, MASK)),
    ("aten.one_hot.default", (torch.tensor([1, 2]), 4)),
    ("aten.repeat_interleave.self_Tensor", (X, torch.tensor([2, 0]), 0)),
    ("aten.repeat_interleave.Tensor", (torch.tensor([2, 0, 3]),)),
    ("aten.unique_consecutive.default", (torch.tensor([1, 1, 2]),)),
    ("aten.item.default", (torch.tensor(3),)),
    ("aten.scaled_dot_product_attention.default", (X, X, X)),
    ("aten.einsum.default", ("bij,bkj->bik", [X, X])),
    ("aten.split.Tensor", (torch.zeros(1 << 17), 1 << 16)),
    ("aten.unbind.int", (X, 1)),
    ("aten.chunk.default", (X, 2, -1)),
    ("aten.topk.default", (X, 2)),
    ("aten.sort.default", (X,)),
    ("aten.cumsum.default", (X, 1)),
    ("aten.layer_norm.default", (X, [4])),
    ("aten.group_norm.default", (X, 3)),
    ("aten.grid_sampler.default", (X[None], torch.zeros(1, 2, 2, 2), 0, 0, False)),
    ("aten.upsample_bilinear2d.vec", (X[None], [6, 8], False, None)),
    ("aten.max_pool2d_with_indices.default", (X, [2, 2])),
    ("aten.fft_rfft.default", (X,)),
    ("aten.view_as_complex.default", (X.reshape(2, 3, 2, 2),)),
    ("aten.quantile.scalar", (X, 0.5)),
    ("aten.linalg_inv.default", (torch.eye(3),)),
    ("aten.embedding.default", (X[0], torch.tensor([1, 0]))),
    ("aten.scatter_add.default", (X, 1, torch.zeros(2, 3, 4, dtype=torch.long), X)),
    ("aten.gru_cell.default", (X[0], X[0], torch.ones(12, 4), torch.ones(12, 4))),
    ("aten.where.self", (MASK, X, torch.tensor(0.0))),
    ("aten.__and__.Tensor", (MASK, X > 1)),
    ("aten.__or__.Tensor", (MASK, X > 1)),
    ("aten.__xor__.Scalar", (MASK, True)),
    ("aten.__lshift__.Scalar", (MASK.int(), 2)),
    ("aten.__rshift__.Tensor", (MASK.int() * 8, torch.tensor(2))),
    ("aten.frexp.Tensor", (X,)),
    ("aten.nextafter.default", (X, X + 1)),
    ("aten.mse_loss.default", (X, X * X)),
    ("aten.huber_loss.default", (X, X * X)),
    ("aten.l1_loss.default", (X, X * X)),
    ("aten.smooth_l1_loss.default", (X, X * X)),
    ("aten.trapezoid.dx", (X,)),
    ("aten.trapezoid.x", (X, X * 2)),
    ("aten.linalg_qr.default", (torch.eye(3),)),
    ("aten.linalg_svdvals.default", (torch.eye(3),)),
    ("aten.linalg_eigvalsh.default", (torch.eye(3),)),
    ("aten.where.default", (MASK,)),
    ("aten.narrow.Tensor", (X, 1, torch.tensor(1), 2)),
    ("aten.istft.default", (SPECTRUM, 8, None, None, torch.ones(8))),
    ("aten.fake_quantize_per_tensor_affine.default", (X, 0.1, 0, -8, 7)),
    ("aten.fake_quantize_per_tensor_affine.tensor_qparams",
     (X, torch.tensor([0.1]), torch.tensor([0], dtype=torch.int32), -8, 7)),
    ("aten.fake_quantize_per_channel_affine.default",
     (X, torch.ones(3), torch.zeros(3, dtype=torch.int32), 1, -8, 7)),
    ("aten.sym_size.int", (X, 1)),
    ("aten.stack.default", ([X, X],)),
    ("aten.roll.default", (X, [1])),
    ("quantized_decomposed.quantize_per_channel.default",
     (X[0], torch.ones(3), torch.zeros(3, dtype=torch.long), 0, -128, 127)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "args"), HONEST, ids=[name for name, _ in HONEST])
def test_honest_operators_run(name: str, args: tuple[Any, ...]) -> None:
    if name.startswith("quantized_decomposed."):
        args = (*args, torch.int8)
        expected = hostops.resolve_operator(name)(*args)
        found = limited(name, args)
    else:
        expected = hostops.resolve_operator(name)(*args)
        found = run(name, *args)
    if not isinstance(expected, (tuple, list)):
        expected, found = [expected], [found]
    for one, other in zip(expected, found, strict=True):
        assert torch.equal(torch.as_tensor(one), torch.as_tensor(other))


def limited(name: str, args: tuple[Any, ...]) -> Any:
    operator = hostops.resolve_operator(name)
    limits.require_small(name, operator, list(args), {})
    return operator(*args)


def test_what_is_known_of_shapes_is_kept_by_what_it_depends_on() -> None:
    """A true, a 1 and a 1.0 are different arguments; a nan is the same one every time."""
    before = limits._made.cache_info()
    for value in (1, 1, True, 1.0, {"float": "nan"}, {"float": "nan"}):
        run_torch_step(step("aten.clamp_min.default", {"tensor": "x"}, value), {"x": X}, {})
    after = limits._made.cache_info()
    assert (after.misses - before.misses, after.hits - before.hits) == (4, 2)


def network(attributes: dict[str, Any], output: ValueSpec) -> Lowered:
    made = Step("torch", "s", ("x",), ("y",), attributes)
    return nets.lowered(steps=(made,), outputs=(output,))


SOFTMAX = step("aten.softmax.int", {"tensor": "x"}, 1)


def test_codes_of_an_output_are_of_its_format() -> None:
    nibble = hw_models.FixedFormat(4)
    made = network(
        step("aten.to.dtype", {"tensor": "x"}, {"dtype": "int8"}),
        ValueSpec("y", (-1, 2, 6, 6), "int8", 0.5, 0, nibble),
    )
    x = np.zeros((3, 2, 6, 6), np.float32)
    assert made(x).dtype == np.int8
    x[1, 0, 2, 3] = 8
    with pytest.raises(ModelError, match=r"output 'y': 8 at index \[1, 0, 2, 3\] is outside"):
        made(x)


@pytest.mark.parametrize(
    ("attributes", "output", "message"),
    [
        (
            step("aten.fft_fft.default", {"tensor": "x"}),
            ValueSpec("y", (-1, 2, 6, 6)),
            r"is complex64 \[3, 2, 6, 6\] \(accepted: .* states, float32 \[N, 2, 6, 6\]\)",
        ),
        (SOFTMAX, ValueSpec("y", (-1, 2, 6, 5)), r"is float32 \[3, 2, 6, 6\]"),
        (SOFTMAX, ValueSpec("y", (-1, 2, 6)), r"is float32 \[3, 2, 6, 6\]"),
        (SOFTMAX, ValueSpec("y", (2, 2, 6, 6)), r"is float32 \[3, 2, 6, 6\]"),
        (SOFTMAX, ValueSpec("y", (-1, 2, 6, 6), "float64"), "is float32"),
        (
            step("aten.argmax.default", {"tensor": "x"}, 1),
            ValueSpec("y", (-1, 6, 6), "int32"),
            r"is int64 \[3, 6, 6\]",
        ),
    ],
)
def test_an_output_is_what_the_network_states(
    attributes: dict[str, Any], output: ValueSpec, message: str
) -> None:
    made = network(attributes, output)
    (spec,) = made.inputs
    x = np.zeros((3, *spec.shape[1:]), spec.dtype)
    for call in (made, made.trace):
        with pytest.raises(ModelError, match=message) as caught:
            call(x)
        assert caught.value.where == "output 'y'"
