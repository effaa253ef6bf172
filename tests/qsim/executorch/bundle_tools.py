"""ExecuTorch's own reader, writer and runtime of bundled programs, to check qsim's against."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cache
from typing import Any

import torch

from qsim.executorch import Pte
from tests.qsim.executorch import pte_nets as nets


def verified(data: bytes, method: str, index: int, *, tolerance: float = 0.0) -> list[Any]:
    """Return what the C++ runtime makes of a case; RuntimeError if it is not what is expected."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from executorch.extension.pybindings import portable_lib

        loaded = portable_lib._load_bundled_program_from_buffer(data)
        made: list[Any] = loaded.verify_result_with_bundled_expected_output(
            method, index, tolerance, tolerance
        )
        return made


def their_bundle(manager: Any, method: str, cases: Sequence[tuple[Any, Any]]) -> bytes:
    """Return a bundled program as ExecuTorch's own tool writes it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from executorch.devtools import BundledProgram
        from executorch.devtools.bundled_program.config import MethodTestCase, MethodTestSuite
        from executorch.devtools.bundled_program.serialize import (
            serialize_from_bundled_program_to_flatbuffer,
        )

        suite = MethodTestSuite(method, [MethodTestCase(*case) for case in cases])
        return bytes(serialize_from_bundled_program_to_flatbuffer(BundledProgram(manager, [suite])))


def their_reading(data: bytes) -> Any:
    """Return a bundled program as ExecuTorch's own tool reads it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from executorch.devtools.bundled_program.serialize import (
            deserialize_from_flatbuffer_to_bundled_program,
        )

        return deserialize_from_flatbuffer_to_bundled_program(data)


class Double(torch.nn.Module):
    """Small, for many damaged copies."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x) + x


@cache
def dense() -> bytes:
    torch.manual_seed(0)
    return bytes(nets.program(nets.Dense(), (torch.randn(3, 4),)).buffer)


def draw(pte: Pte, seed: int) -> list[torch.Tensor]:
    """Return random inputs of ``forward``."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(spec.sizes, generator=generator) for spec in pte.inputs]  # type: ignore[union-attr]
