"""Small networks, their programs, and what ExecuTorch's own runtime computes with them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import torch

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # deprecations inside ExecuTorch and torch
    import executorch.exir  # noqa: F401


class Dense(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.relu(self.linear(x)), x.reshape(-1)


class Convolutions(torch.nn.Module):
    """Strides, groups, dilation, a channels-last part, means and a flattened end."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.norm = torch.nn.BatchNorm2d(8)
        self.depthwise = torch.nn.Conv2d(8, 8, (3, 2), padding=(2, 0), dilation=(2, 1), groups=8)
        self.last = torch.nn.Conv2d(8, 4, 1, bias=False)
        self.norm.running_mean.uniform_(-1, 1)
        self.norm.running_var.uniform_(0.5, 2)
        self.linear = torch.nn.Linear(4, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.first(x))).to(memory_format=torch.channels_last)
        x = self.last(self.depthwise(x)).to(memory_format=torch.contiguous_format)
        return self.linear(x.mean((2, 3)))


class Transposed(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.ConvTranspose2d(4, 6, 3, 2, 1, output_padding=1, groups=2)
        self.line = torch.nn.Conv1d(6, 2, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.line(self.conv(x)[:, :, 0])


class Functions(torch.nn.Module):
    """Normalization, resizing, pools, functions of elements, sums and softmax."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = torch.nn.LayerNorm(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.nn.functional.interpolate(self.norm(x), size=(6, 5), mode="bilinear")
        x = torch.nn.functional.adaptive_avg_pool2d(torch.nn.functional.gelu(x), (3, 2))
        x = torch.sigmoid(x) + torch.exp(x).sum(1, keepdim=True) * x.var(3, keepdim=True)
        return torch.softmax(x.flatten(2), 2).cumsum(2)


class Several(torch.nn.Module):
    """Several outputs, lists of tensors, an index, an input that is an output."""

    def forward(self, x: torch.Tensor, index: torch.Tensor) -> tuple[Any, ...]:
        a, b = torch.split(x, 2, dim=1)
        values, places = torch.max(x, 1)
        return torch.cat([a, a + b], 1), b, values, places, x[index], x


class State(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("total", torch.tensor([1.0, 2.0]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.total.add_(x)
        return self.total * 2


class Branch(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cond(x.sum() > 0, lambda x: x + 1, lambda x: x * 2, [x])


class Each(torch.nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        from functorch.experimental import control_flow

        return control_flow.map(lambda a, b: a * b + a, x, y)


def program(
    module: torch.nn.Module,
    inputs: tuple[torch.Tensor, ...],
    *,
    dynamic: Any = None,
    partitioner: Any = None,
    **config: Any,
) -> Any:
    """Return an ExecutorchProgramManager: ``buffer`` holds the ``.pte``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside ExecuTorch and torch
        from executorch.exir import (
            EdgeCompileConfig,
            ExecutorchBackendConfig,
            to_edge_transform_and_lower,
        )

        exported = torch.export.export(module.eval(), inputs, dynamic_shapes=dynamic)
        edge = to_edge_transform_and_lower(
            exported,
            partitioner=partitioner,
            compile_config=EdgeCompileConfig(_check_ir_validity=False),
        )
        return edge.to_executorch(ExecutorchBackendConfig(**config))


def runtime() -> Any:
    """Return ExecuTorch's C++ runtime, with its quantized kernels."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it calls itself experimental
        import executorch.kernels.quantized  # noqa: F401
        from executorch.runtime import Runtime

        return Runtime.get()


def run_cpp(data: bytes, *calls: Sequence[Any], method: str = "forward") -> list[list[Any]]:
    """Return what ExecuTorch's C++ runtime computes, call after call, on one loaded method."""
    # The program must outlive its methods: dropped before them, the process ends.
    loaded = runtime().load_program(data)
    entry = loaded.load_method(method)
    return [
        [out.clone() if isinstance(out, torch.Tensor) else out for out in entry.execute(call)]
        for call in calls
    ]


def listed(outputs: Any) -> list[Any]:
    return list(outputs) if isinstance(outputs, tuple) else [outputs]


def same(ours: Sequence[Any], theirs: Sequence[Any]) -> bool:
    """Return whether all outputs agree in type, shape and every bit."""
    return len(ours) == len(theirs) and all(
        (a.dtype, a.shape) == (b.dtype, b.shape) and torch.equal(_bits(a), _bits(b))
        if isinstance(a, torch.Tensor)
        else a == b
        for a, b in zip(ours, theirs, strict=True)
    )


def _bits(tensor: torch.Tensor) -> torch.Tensor:
    tensor = tensor.contiguous()
    return tensor.view(torch.int32) if tensor.dtype == torch.float32 else tensor
