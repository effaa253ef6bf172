"""Shapes that are told at once are those that torch finds."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from qsim.graph.batching import export_batched
from qsim.graph.fake_shapes import known_shapes


class _Net(nn.Module):
    """Plain operands, and one of each kind that is not."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        self.bare = nn.BatchNorm2d(3, affine=False)
        self.rows = nn.BatchNorm1d(3)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        plain: tuple[torch.Tensor, ...]
        plain = (self.norm(x), self.bare(x), torch.relu(x), functional.relu6(x), x.sigmoid())
        plain += (functional.gelu(x), functional.silu(x), x.tanh(), functional.hardswish(x))
        plain += (functional.hardsigmoid(x), torch.cat([x, x * 2, x], 1), torch.cat([x, x], -1))
        turned = x.permute(0, 2, 3, 1)
        kept = x.contiguous(memory_format=torch.channels_last)
        odd: tuple[torch.Tensor, ...]
        odd = (turned.relu(), self.norm(kept), kept.sigmoid(), torch.cat([turned, turned], 1))
        odd += (torch.cat([kept, kept], 1), x[:, :1].relu(), torch.cat([x[:, :1], x[:, :1]], 1))
        odd += (x[:, 1:].tanh(), torch.cat([x, x.double()], 2), x.to(torch.int32).sigmoid())
        odd += (self.rows(x.mean((2, 3))), self.rows(x.flatten(2)), torch.cat([x, x], 0)[:2])
        return (*plain, *(each.flatten(1) for each in odd[:-1]))


def _found(program: torch.export.ExportedProgram) -> list[tuple[object, ...]]:
    return [
        (node.name, str(value.shape), str(value.stride()), value.dtype, value.device)
        for node in program.graph.nodes
        if isinstance(value := node.meta.get("val"), torch.Tensor)
    ]


def test_shapes_strides_and_dtypes_are_those_that_torch_finds() -> None:
    net, x = _Net().eval(), torch.randn(2, 3, 4, 5)
    dims = ({0: torch.export.Dim.AUTO},)
    with torch.no_grad():
        own = torch.export.export(net, (x,), dynamic_shapes=dims, strict=False)
        batched, why = export_batched(net, (x.clone(),))
    assert batched is not None, why
    assert _found(batched) == _found(own)


def test_the_table_is_torchs_own_afterwards() -> None:
    from torch._subclasses import fake_impls

    before = dict(fake_impls.get_fast_op_impls())
    with known_shapes():
        assert torch.ops.aten.relu.default in fake_impls.get_fast_op_impls()
    assert fake_impls.get_fast_op_impls() == before
