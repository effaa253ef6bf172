"""Turn an integer Program, lowered for the target ``tflite``, into a LiteRT model.

The layers' weight scales are not kept in a Program, but their multipliers are: 31 bits of them,
which is enough to find the float32 that they were derived from. Images become channels last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hw_models.schemes import FixedPoint
from tests.peers.litert.formulas import F32
from tests.peers.litert.model import ACTIVATIONS, PADDINGS, Model, Tensor
from tests.peers.litert.replay import code_range, same_padding

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qsim.program.calls import Call
    from qsim.program.program import Program


class Converter:
    """One conversion: LiteRT's tensor of every tensor of the Program that LiteRT has too.

    Attributes:
        model: what is built.
        tensors: by the Program's names.
    """

    def __init__(self, program: Program, batch: int) -> None:
        self.program, self.batch = program, batch
        self.model = Model()
        self.tensors: dict[str, Tensor] = {}
        (name,) = program.inputs
        spec = program.tensors[name]
        self.tensors[name] = self.model.input(
            self.shape(name), "int8", F32(spec.scale), spec.zero_point
        )
        calls = list(program.calls)
        while calls:
            call = calls.pop(0)
            if call.primitive in ("correlation", "linear"):
                bias, requantize = calls.pop(0), calls.pop(0)
                assert (bias.primitive, requantize.primitive) == ("bias_add", "requantize")
                assert bias.inputs[0] == call.output
                assert requantize.inputs[0] == bias.output
                self.weighted(call, bias.inputs[1], requantize)
            else:
                getattr(self, call.primitive)(call)

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the channels-last shape of a Program's tensor."""
        shape = (self.batch, *self.program.tensors[name].shape[1:])
        return (shape[0], *shape[2:], shape[1]) if len(shape) == 4 else shape

    def output(self, name: str) -> Tensor:
        """Add the tensor of a Program's tensor."""
        spec = self.program.tensors[name]
        self.tensors[name] = self.model.tensor(
            self.shape(name), "int8", F32(spec.scale), spec.zero_point, name=name
        )
        return self.tensors[name]

    def weighted(self, call: Call, bias: str, requantize: Call) -> None:
        """Convert a correlation or linear with its bias and its requantize."""
        x = self.tensors[call.inputs[0]]
        weight, codes = (self.program.constants[n] for n in (call.inputs[1], bias))
        output = self.output(requantize.output)
        scales = self.weight_scales(requantize.attributes["scheme"], x, output)
        attributes = dict(call.attributes)
        name, options, axis = "FULLY_CONNECTED", "FullyConnectedOptions", 0
        fields: dict[str, Any] = {}
        if call.primitive == "correlation":
            x, padding = self.padded(x, attributes, weight.shape[2:])
            fields = windows(attributes["stride"], padding) | spread(attributes["dilation"])
            name, options, order = "CONV_2D", "Conv2DOptions", (0, 2, 3, 1)
            if attributes["groups"] > 1:
                assert attributes["groups"] == weight.shape[0], "depthwise is all that LiteRT has"
                name, options, order, axis = (
                    "DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions", (1, 2, 3, 0), 3
                )  # fmt: skip
                fields["depthMultiplier"] = 1
            weight = weight.transpose(order)
        kernel = self.model.constant(weight, scales, axis=axis)
        fields |= activation(requantize.attributes["clamp"], output)
        bias_tensor = self.model.constant(codes, F32(x.scale) * scales)
        self.model.operator(name, [x, kernel, bias_tensor], output, options, **fields)

    def weight_scales(self, scheme: dict[str, Any], x: Tensor, output: Tensor) -> np.ndarray:
        """Return the float32 scales whose multipliers the Program holds; they are checked."""
        constants = self.program.constants
        m, shift = (constants[scheme[field]["constant"]] for field in ("multiplier", "right_shift"))
        s_x, s_y = float(x.scale), float(output.scale)
        scales = (m * 2.0**-shift * s_y / s_x).astype(F32)
        again = FixedPoint.from_scale(s_x * scales.astype(np.float64) / s_y)
        np.testing.assert_array_equal(again.multipliers, m)
        np.testing.assert_array_equal(again.shifts, shift)
        return scales

    def padded(
        self, x: Tensor, attributes: dict[str, Any], kernel: tuple[int, ...]
    ) -> tuple[Tensor, str]:
        """Return the input and the padding's name: a PAD where LiteRT's SAME is another border."""
        pads = tuple(tuple(pair) for pair in attributes["padding"])
        if not np.any(pads):
            return x, "valid"
        strides, dilation = attributes["stride"], attributes["dilation"]
        axes = zip(x.shape[1:3], kernel, strides, dilation, strict=True)
        if pads == tuple(same_padding(*axis) for axis in axes):
            return x, "same"
        return self.bordered(x, pads), "valid"

    def bordered(
        self, x: Tensor, pads: Iterable[tuple[int, int]], code: int | None = None
    ) -> Tensor:
        """Return the image with a border of ``code``, or of the code of real 0."""
        sizes = np.array([(0, 0), *pads, (0, 0)], np.int32)
        shape = tuple(int(n + a + b) for n, (a, b) in zip(x.shape, sizes, strict=True))
        border = self.model.tensor(shape, "int8", x.scale, x.zero_point)
        inputs = [x, self.model.constant(sizes)]
        if code is None:
            return self.model.operator("PAD", inputs, border, "PadOptions")
        value = self.model.tensor((), "int8", x.scale, x.zero_point, data=np.array(code, np.int8))
        return self.model.operator("PADV2", [*inputs, value], border, "PadV2Options")

    def add(self, call: Call) -> None:
        """Convert an addition."""
        output = self.output(call.output)
        fields = activation(call.attributes["clamp"], output) | {"potScaleInt16": False}
        inputs = [self.tensors[name] for name in call.inputs]
        self.model.operator("ADD", inputs, output, "AddOptions", **fields)

    def pool(self, call: Call, name: str) -> None:
        """Convert a pooling."""
        x, attributes = self.tensors[call.inputs[0]], call.attributes
        pads = [tuple(p) if isinstance(p, list) else (p, p) for p in attributes["padding"]]
        if np.any(pads):  # LiteRT's SAME is another border
            assert name == "MAX_POOL_2D", "the codes of a border would count in an average"
            x = self.bordered(x, pads, -128)
        fields = windows(attributes["stride"], "valid")
        height, width = attributes["kernel"]
        fields |= {"filterHeight": height, "filterWidth": width}
        self.model.operator(name, [x], self.output(call.output), "Pool2DOptions", **fields)

    def avg_pool(self, call: Call) -> None:
        """Convert an average pooling."""
        self.pool(call, "AVERAGE_POOL_2D")

    def max_pool(self, call: Call) -> None:
        """Convert a max pooling."""
        self.pool(call, "MAX_POOL_2D")

    def reshape(self, call: Call) -> None:
        """Convert a reshape of one pixel: of more, the order of the codes would change."""
        x, output = self.tensors[call.inputs[0]], self.output(call.output)
        assert len(x.shape) < 4 or x.shape[1:3] == (1, 1)
        sizes = self.model.constant(np.array(output.shape, np.int32))
        self.model.operator(
            "RESHAPE", [x, sizes], output, "ReshapeOptions", newShape=list(output.shape)
        )


def windows(stride: Sequence[int], padding: str) -> dict[str, int]:
    """Return the options that every windowed operator has."""
    return {"strideH": stride[0], "strideW": stride[1], "padding": PADDINGS[padding]}


def spread(dilation: Sequence[int]) -> dict[str, int]:
    """Return a convolution's dilation options."""
    return {"dilationHFactor": dilation[0], "dilationWFactor": dilation[1]}


def activation(clamp: list[int] | None, output: Tensor) -> dict[str, int]:
    """Return the fused activation that leaves exactly the codes of ``clamp``."""
    wanted = tuple(clamp) if clamp else (-128, 127)
    for code in ACTIVATIONS.values():
        fields = {"fusedActivationFunction": code}
        if code_range(fields, output) == wanted:
            return fields
    raise AssertionError(f"no activation of LiteRT leaves the codes {wanted}")
