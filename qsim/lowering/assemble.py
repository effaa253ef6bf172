"""Puts the arrangement together: Programs, host steps and the Lowered network around them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, assert_never

from qsim.collecting import no_collection
from qsim.errors import FileFormatError, ModelError
from qsim.graph import attribute, place
from qsim.lowering.arrangement import Arrangement, Item, arrange, output_nodes, returned
from qsim.lowering.match import Matcher, layer_of
from qsim.lowering.merging import merge_moves
from qsim.lowering.shapes import infer_shapes
from qsim.lowering.sharing import share_operands
from qsim.lowering.view import (
    NotLowerableError,
    operator_name,
    tensor_params,
)
from qsim.network import HostOperator, Lowered, Step, ValueSpec, computes, encode_torch_step
from qsim.program import Program, TensorSpec, format_to_json
from qsim.registry import entry_points
from qsim.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import numpy.typing as npt
    import torch
    from torch.fx import Node

    from qsim.program import Json
    from qsim.quantizer import Quantized
    from qsim.quantizer.quantized import Recorded


def lower(quantized: Quantized, target: Target | None = None) -> Lowered:
    """Lower a Q/DQ graph for a target.

    Operators between dequantize and quantize become integer Programs where the target has the
    primitives; a convolution becomes correlation, bias_add and requantize. Everything else stays in
    the host graph, in torch, and ``Lowered.host_operators`` says which and why.

    Args:
        quantized: the result of ``qsim.quantize``.
        target: the datapath; None for the target that the graph was quantized for.

    Raises:
        ModelError: the graph does not run, or returns something other than tensors; or it was
            quantized for another target, and this one's datapath has not the scheme of a tensor.
        UsageError: an extension cannot be loaded.
        FileFormatError: it came from a file that says another digest.
    """
    import torch

    target = quantized.target if target is None else Target.require(target)
    graph = quantized.graph
    entry_points.load()
    with torch.no_grad(), no_collection():
        shapes = infer_shapes(graph, quantized.example_inputs, batch=quantized.batch)
        origins = {node.name: node for node in quantized.float_graph.graph.nodes}
        matcher = Matcher(target, graph, shapes, origins, quantized.host, quantized.why)
        matcher.run()
        if target.hash != quantized.target.hash:
            _require_own(matcher)
        arrangement = arrange(matcher)
        lowered = Assembler(arrangement, target, quantized.example_inputs).run()
        fixed = (f"the batch is fixed: {quantized.fixed}",) if quantized.fixed else ()
        lowered.warnings = (
            *fixed,
            *(text for builder in matcher.built.values() for text in builder.warnings),
        )
    if target.hash == quantized.target.hash:
        _check_recorded(quantized.recorded, lowered)
    return lowered


def _check_recorded(recorded: Recorded | None, lowered: Lowered) -> None:
    """Compare the network with what the file of its Q/DQ graph says; other versions may differ."""
    import qsim

    if recorded is None or recorded.qsim != qsim.__version__ or recorded.digest == lowered.digest:
        return
    raise FileFormatError(
        f"holds the network {lowered.digest}, but says {recorded.digest}: it was changed, or "
        "written with other extensions",
        where=recorded.file,
        accepted="a file as qsim wrote it",
    )


def _require_own(matcher: Matcher) -> None:
    """Refuse a graph that was quantized for another target and has what this one has not."""
    for anchor, reason in matcher.foreign:
        raise ModelError(
            f"{reason.found}, as it was quantized for another target",
            where=place(anchor),
            accepted=reason.accepted,
        )


def _as_numpy(value: torch.Tensor, where: str) -> npt.NDArray[Any]:
    try:
        return value.contiguous().numpy()
    except TypeError:
        dtype = str(value.dtype).removeprefix("torch.")
        raise ModelError(
            f"it is {dtype}, for which NumPy has no type",
            where=where,
            accepted="float32 (call .float() on the model)",
        ) from None


@dataclass(slots=True)
class Assembler:
    """Writes steps and programs in the arrangement's order."""

    arrangement: Arrangement
    target: Target
    example_inputs: tuple[torch.Tensor, ...]
    steps: list[Step] = field(default_factory=list)
    programs: list[Program] = field(default_factory=list)
    constants: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    folded: dict[Node, str] = field(default_factory=dict)
    host: list[HostOperator] = field(default_factory=list)

    def run(self) -> Lowered:
        """Return the lowered network."""
        stages = sorted(set(self.arrangement.stages.values()))
        for stage in stages:
            items = [item for item, at in self.arrangement.stages.items() if at == stage]
            self._program([item for item in items if item.kind == "integer"])
            for item in items:
                if item.kind != "integer":
                    self._host_step(item)
        return Lowered(
            target=self.target,
            inputs=self._inputs(),
            outputs=self._outputs(),
            steps=tuple(self.steps),
            programs=tuple(self.programs),
            constants=self.constants,
            host_operators=tuple(self.host),
            structure=self._structure(),
        )

    # -- names in the host graph -------------------------------------------------------------

    def _codes_name(self, quantize: Node) -> str:
        return f"{self.arrangement.matcher.names[self.arrangement.source(quantize)]}.codes"

    def _made_name(self, node: Node) -> str:
        """Return the name of what an integer item makes."""
        return node.name if node in self.arrangement.matcher.reals else self._codes_name(node)

    def _host_name(self, node: Node) -> str:
        if node in self.arrangement.matcher.reals:
            return node.name
        made = self.arrangement.producer(node)
        if made is None or made.kind == "torch":
            return node.name
        codes = self._codes_name(made.node)
        return codes.removesuffix(".codes") + ".real" if made.kind == "dequantize" else codes

    # -- programs ----------------------------------------------------------------------------

    def _program(self, items: list[Item]) -> None:
        if not items:
            return
        matcher, inside = self.arrangement.matcher, {item.node for item in items}
        tensors: dict[str, TensorSpec] = {}
        constants: dict[str, npt.NDArray[np.generic]] = {}
        calls = []
        inputs: dict[str, str] = {}
        for item in items:
            builder = matcher.built[item.node]
            for spec, name in self._read(item, inside):
                tensors[spec.name] = spec
                inputs[spec.name] = name
            tensors.update({spec.name: spec for spec in builder.tensors})
            constants.update(builder.constants)
            calls.extend(builder.calls)
        outputs = [item.node for item in items if self._leaves(item, inside)]
        returned = tuple(matcher.built[node].match.made.name for node in outputs)
        index = len(self.programs)
        self.programs.append(
            Program(
                name=f"program{index}",
                inputs=tuple(inputs),
                outputs=returned,
                calls=tuple(
                    merge_moves(share_operands(calls, tensors), tensors, constants, returned)
                ),
                tensors=tensors,
                constants=constants,
            )
        )
        self.steps.append(
            Step(
                kind="program",
                name=f"program{index}",
                inputs=tuple(inputs.values()),
                outputs=tuple(map(self._made_name, outputs)),
                attributes={"program": index},
            )
        )

    def _read(self, item: Item, inside: set[Node]) -> Iterator[tuple[TensorSpec, str]]:
        """Give what an item reads from outside its Program, with its name in the host graph."""
        matcher = self.arrangement.matcher
        dynamic = matcher.built[item.node].match.dynamic
        if dynamic is not None:
            if dynamic.source not in inside:
                yield dynamic.values.spec, self._host_name(dynamic.source)
            return
        plain = matcher.built[item.node].match.integers
        for integers in plain:
            if integers.source not in inside:
                yield integers.spec, self._host_name(integers.source)
        apart = {integers.source for integers in plain}
        for operand in self.arrangement.operands(item):
            if operand.node not in inside | apart:
                codes = matcher.codes[operand.node]
                p = codes.params
                spec = TensorSpec(codes.name, codes.shape, p.format, p.scale, p.zero_point)
                yield spec, self._codes_name(operand.node)

    def _leaves(self, item: Item, inside: set[Node]) -> bool:
        if any(self.arrangement.producer(node) == item for node in self.arrangement.outputs):
            return True
        readers = self.arrangement.readers.get(item, [])
        return any(reader.kind != "integer" or reader.node not in inside for reader in readers)

    # -- host steps --------------------------------------------------------------------------

    def _host_step(self, item: Item) -> None:
        if item.kind == "torch":
            self._torch_step(item.node)
            return
        params = tensor_params(item.node)
        codes = self._codes_name(item.node)
        attributes = {
            "scale": params.scale,
            "zero_point": params.zero_point,
            "output": format_to_json(params.format),
            "formula": self.target.quantize.formula,
        }
        real = codes.removesuffix(".codes") + ".real"
        match item.kind:
            case "dequantize":
                self._step("dequantize", real, (codes,), attributes)
            case "quantize":
                source = item.node.args[0]
                self._step("quantize", codes, (self._host_name(source),), attributes)  # type: ignore[arg-type]
            case "integer":
                raise AssertionError("what a Program computes is no step of the host")
            case _:
                assert_never(item.kind)

    def _step(
        self, kind: Any, output: str, inputs: tuple[str, ...], attributes: dict[str, Any]
    ) -> None:
        self.steps.append(Step(kind, output, inputs, (output,), attributes))

    def _torch_step(self, node: Node) -> None:
        reads: list[str] = []

        def name_of(operand: Node) -> dict[str, str]:
            if operand in self.arrangement.constants:
                return {"constant": self._fold(operand)}
            name = self._host_name(operand)
            if name not in reads:
                reads.append(name)
            return {"tensor": name}

        try:
            attributes = encode_torch_step(node.target, node.args, node.kwargs, name_of)
        except ModelError as error:
            raise ModelError.placed(error, place(node)) from None
        self._step("torch", node.name, tuple(reads), attributes)
        if computes(str(attributes["operator"])):
            reason = self.arrangement.matcher.why_host(node)
            self.host.append(HostOperator.because(operator_name(node), layer_of(node), reason))

    def _fold(self, node: Node) -> str:
        """Compute a node that depends on no input, once, and return its constant's name."""
        if node in self.folded:
            return self.folded[node]
        value = self._evaluate(node)
        if not hasattr(value, "numpy"):
            raise ModelError(f"the constant {node.name} is not a tensor", where=place(node))
        name = f"host.{node.name}"
        self.constants[name] = _as_numpy(value, place(node))
        self.folded[node] = name
        return name

    def _evaluate(self, node: Node) -> Any:
        from torch.fx import map_arg

        if node.op == "get_attr" or not callable(node.target):
            return attribute(self.arrangement.matcher.graph, node)
        args = map_arg(node.args, self._evaluate)
        kwargs = map_arg(node.kwargs, self._evaluate)
        return node.target(*args, **kwargs)

    # -- the network's own inputs and outputs ------------------------------------------------

    def _inputs(self) -> tuple[ValueSpec, ...]:
        graph = self.arrangement.matcher.graph.graph
        placeholders = [node for node in graph.nodes if node.op == "placeholder"]
        if len(placeholders) != len(self.example_inputs):
            raise ModelError(
                f"the graph takes {len(placeholders)} inputs, the example has "
                f"{len(self.example_inputs)}"
            )
        for node, example in zip(placeholders, self.example_inputs, strict=True):
            _as_numpy(example, f"input {node.name!r}")
        return tuple(
            self._value(node, str(example.dtype).removeprefix("torch."))
            for node, example in zip(placeholders, self.example_inputs, strict=True)
        )

    def _value(self, node: Node, dtype: str) -> ValueSpec:
        try:
            shape = self.arrangement.matcher.shapes.of_result(node)
        except NotLowerableError as reason:
            raise ModelError(str(reason), where=place(node)) from None
        return ValueSpec(name=self._host_name(node), shape=shape, dtype=dtype)

    def _outputs(self) -> tuple[ValueSpec, ...]:
        output = list(self.arrangement.matcher.graph.graph.nodes)[-1]
        return tuple(self._output(node) for node in output_nodes(output))

    def _structure(self) -> Json:
        """Return how the model nests its outputs."""
        from qsim.network import from_treespec

        graph = self.arrangement.matcher.graph.graph
        info = getattr(graph._codegen, "pytree_info", None)  # noqa: SLF001 - fx's one record of it
        if info is None or info.out_spec is None:
            return None
        return from_treespec(info.out_spec, returned(list(graph.nodes)[-1]))

    def _output(self, node: Node) -> ValueSpec:
        if node in self.arrangement.constants:
            raise ModelError("an output of the model depends on no input", where=place(node))
        value = node.meta.get("val")
        dtype = str(getattr(value, "dtype", "torch.float32")).removeprefix("torch.")
        return self._value(node, dtype)
