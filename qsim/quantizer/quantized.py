"""A quantized network as a Q/DQ graph, with the float graph that it came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qsim.errors import InputError, UsageError
from qsim.torch_threads import require_one_when_forked

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    import torch
    from torch.fx import GraphModule

    from qsim.quantizer.lengths import Family
    from qsim.quantizer.limits import Raised
    from qsim.quantizer.states import Buffer
    from qsim.registry import Reason
    from qsim.target import Target


@dataclass(frozen=True)
class Recorded:
    """What a file says of the network in it.

    Attributes:
        digest: of the network that it is lowered to.
        qsim: the version that wrote it.
        file: for messages.
    """

    digest: str
    qsim: str
    file: str


@dataclass(repr=False)
class Quantized:
    """What ``qsim.quantize`` returns and ``qsim.lower`` takes.

    Attributes:
        graph: PT2E's converted graph: dequantize -> operator -> quantize, in fp32. It computes in
            float what the hardware computes in integers, so it is close to the hardware, not equal.
        float_graph: the same node names without any quantize or dequantize, batch norm folded.
        target: the contract it was quantized for.
        batch: dimension 0 of every input is symbolic (any batch size).
        example_inputs: the inputs it was captured with, fp32 unless the model takes integers.
        host: names of the operators that the quantizer left in float, because the target lacks
            them or the config skips them. The graph alone does not tell: between two that are
            quantized, such an operator reads a dequantize and is read by a quantize too.
        why: the reason for each of them; ``str`` of it is the words for the report.
        raised: tensors whose scales were raised so that codes fit the target's registers, and by
            how much.
        fixed: what fixes the batch, in words, where it is fixed.
        prequantized: codes and scales are those that the model came with.
        recorded: the digest that the file says, where it came from one; lowering compares it.
        lengths: the same network for every length of its sequences, where it has bounds for it;
            the graphs are those of the greatest.
        fake_graph: where something was trained, the network in eval mode as it was trained: fake
            quantizers in place of quantize and dequantize. It makes the codes of ``graph``.
        states: the buffers that the model writes into. Both graphs take their values behind the
            inputs, and return a tuple: what the model returns, and then the new values.
    """

    graph: GraphModule
    float_graph: GraphModule
    target: Target
    batch: bool
    example_inputs: tuple[torch.Tensor, ...]
    host: frozenset[str] = frozenset()
    why: Mapping[str, Reason] = field(default_factory=dict)
    raised: tuple[Raised, ...] = ()
    recorded: Recorded | None = None
    fixed: str = ""
    lengths: Family | None = None
    states: tuple[Buffer, ...] = ()
    fake_graph: GraphModule | None = None

    @property
    def examples(self) -> tuple[torch.Tensor, ...]:
        """What the graphs take: the example inputs, then the states as they begin."""
        return (*self.example_inputs, *(state.initial.clone() for state in self.states))

    def with_buffers(self, graph: GraphModule) -> GraphModule:
        """Make buffers of the states of a copy of one of its graphs, and return it."""
        from qsim.quantizer.states import states_as_buffers

        return states_as_buffers(graph, self.states)

    prequantized: bool = False

    def __repr__(self) -> str:
        shapes = ["x".join(map(str, x.shape[self.batch :])) for x in self.example_inputs]
        batch = "any batch" if self.batch else "batch included"
        if self.lengths is not None:
            batch += f", lengths {self.lengths.bounds}"
        left = f", {len(self.host)} operators in float" if self.host else ""
        return f"<Quantized for {self.target.name}: inputs {', '.join(shapes)} ({batch}){left}>"

    def __call__(self, *inputs: torch.Tensor) -> Any:
        """Run the Q/DQ graph, without gradients; states begin anew with every call.

        Raises:
            UsageError: the wrong number of inputs; a forked child in which torch has several
                threads.
            InputError: an input of the wrong shape or dtype.
        """
        import torch

        require_one_when_forked()
        if self.lengths is not None:
            return self.at(self.lengths.length_of(inputs))(*inputs)
        self._check(inputs)
        with torch.no_grad():
            if not self.states:
                return self.graph(*inputs)
            return self.graph(*inputs, *self.examples[len(self.example_inputs) :])[0]

    def at(self, length: int) -> Quantized:
        """Return the network of sequences of one length, with the scales of all data.

        Raises:
            UsageError: its lengths are fixed, or it does not take this one.
            ModelError: at this length its operators are others.
        """
        if self.lengths is None:
            raise UsageError("its shapes are fixed", where="at", accepted="lengths= of quantize")
        return self.lengths.at(length)

    @property
    def digest(self) -> str:
        """The digest of the network that it is lowered to, for the target it was quantized for.

        See ``qsim.network.digest``; ``qsim.lower(quantized).digest`` is the same.

        Raises:
            ModelError: it cannot be lowered.
        """
        from qsim.lowering import lower

        return lower(self).digest

    def save_pt2(self, path: str | os.PathLike[str]) -> None:
        """Write a ``.pt2`` file that ``torch.export.load`` reads too; see ``qsim.quantizer.pt2``.

        Raises:
            UsageError: the path cannot be written; the lengths of its sequences are free.
        """
        if self.lengths is not None:
            raise UsageError(
                f"a .pt2 file holds one length, and this network takes {self.lengths.bounds}",
                where="save_pt2",
                accepted="quantized.at(LENGTH).save_pt2, or the .qsim file of qsim.lower",
            )
        from qsim.quantizer.saving import save_pt2

        save_pt2(self, path)

    def _check(self, inputs: tuple[torch.Tensor, ...]) -> None:
        check_batch(inputs, self.example_inputs, batch=self.batch, fixed=self.fixed)


def check_batch(
    inputs: tuple[torch.Tensor, ...],
    examples: tuple[torch.Tensor, ...],
    *,
    batch: bool,
    fixed: str = "",
) -> None:
    """Compare inputs with the examples that a graph was captured with.

    Args:
        inputs: what is given.
        examples: of the shapes and types that are wanted.
        batch: dimension 0 may have any size.
        fixed: why it may not, in words.

    Raises:
        UsageError: the wrong number of inputs, or not a tensor.
        InputError: an input of the wrong shape or dtype.
    """
    import torch

    if len(inputs) != len(examples):
        raise UsageError(f"{len(inputs)} inputs were given", accepted=f"{len(examples)} tensors")
    for index, (given, example) in enumerate(zip(inputs, examples, strict=True)):
        where = f"input {index}"
        if not isinstance(given, torch.Tensor):
            raise UsageError(f"is a {type(given).__name__}", where=where, accepted="a torch.Tensor")
        wanted = tuple(example.shape)
        known = 1 if batch else 0
        if given.dim() != len(wanted) or tuple(given.shape[known:]) != wanted[known:]:
            names = [str(size) for size in wanted]
            names[:known] = ["N"] * known
            why = f": the model fixes its batch, {fixed}" if fixed else ""
            raise InputError(
                f"has shape {tuple(given.shape)}",
                where=where,
                accepted=f"({', '.join(names)}){why}",
            )
        if given.dtype != example.dtype:
            raise InputError(f"is {given.dtype}", where=where, accepted=str(example.dtype))
