"""Networks for LiteRT, layer by layer, with random weights and scales that fit the activations.

A layer's output scale is chosen from the codes that arrive there, so that nothing is dead and
little saturates. With ``ties`` every scale is a power of two: then many accumulators lie exactly
between two codes, where LiteRT's kernels differ.
"""

from __future__ import annotations

import numpy as np

from tests.peers.litert.model import ACTIVATIONS, PADDINGS, Model, Tensor
from tests.peers.litert.replay import Values, accumulate, step

F32 = np.float32


class Net:
    """A model under construction with one batch of codes that flows through it.

    Attributes:
        model: what is built.
        values: the codes so far, as the reference kernels compute them.
    """

    def __init__(self, shape: tuple[int, ...], seed: int, *, ties: bool, per_channel: bool) -> None:
        self.rng = np.random.default_rng(seed)
        self.ties, self.per_channel = ties, per_channel
        self.model, self.values = Model(), Values({})
        self.input = self.model.input(shape, "int8", self.scale(0.02), self.zero())
        self.x = self.rng.integers(-128, 128, shape).astype(np.int8)
        self.values[self.input.name] = self.x

    def scale(self, about: float) -> np.float32:
        """Return a scale near ``about``."""
        if self.ties:
            return F32(2.0 ** np.round(np.log2(about)))
        return F32(about * self.rng.uniform(0.8, 1.25))

    def zero(self, activation: str = "none") -> int:
        """Return a zero point that leaves codes to what the activation lets through."""
        if activation.startswith("relu") and activation != "relu_n1_to_1":
            return int(self.rng.integers(-128, -90)) if self.rng.random() < 0.5 else -128
        return int(self.rng.integers(-40, 40))

    def weights(self, shape: tuple[int, ...], axis: int) -> Tensor:
        """Add a random kernel of 8 bits with one scale, or one per channel along ``axis``."""
        outputs = shape[axis]
        # With this the sums keep about the spread of the activations that enter them.
        about = 1 / (60 * float(np.sqrt(np.prod(shape) / outputs)))
        count = outputs if self.per_channel else 1
        scales = np.array([self.scale(about) for _ in range(count)], F32)
        codes = self.rng.integers(-127, 128, shape).astype(np.int8)
        return self.model.constant(codes, scales if self.per_channel else scales[0], axis=axis)

    def _weighted(
        self, name: str, x: Tensor, weight: Tensor, shape: tuple[int, ...], options: str,
        activation: str, **fields: object,
    ) -> Tensor:  # fmt: skip
        scales = F32(x.scale) * np.asarray(weight.scale, F32)
        outputs = shape[-1]
        # An output of scale 1 is only there to ask for the accumulators.
        probe = Tensor(-1, "probe", shape, "int8", 1.0, 0, None)
        acc = accumulate(name, fields, [x, weight, None], probe, self.values)
        spread = max(int(np.abs(acc).max()) // 4, 1)
        codes = self.rng.integers(-spread, spread + 1, outputs).astype(np.int32)
        bias = self.model.constant(codes, scales)
        real = np.abs(acc).reshape(-1, outputs).max(0) * np.broadcast_to(scales, outputs)
        scale, zero_point = self.scale(float(real.mean()) / 90), self.zero(activation)
        output = self.model.tensor(shape, "int8", scale, zero_point)
        fields = {**fields, "fusedActivationFunction": ACTIVATIONS[activation]}
        self.model.operator(name, [x, weight, bias], output, options, **fields)
        return self.advance(output)

    def advance(self, output: Tensor) -> Tensor:
        """Compute the newest operator."""
        step(self.model.operators[-1], self.values, "reference")
        return output

    def conv(
        self, x: Tensor, outputs: int, kernel: int = 3, stride: int = 1, padding: str = "same",
        activation: str = "none", dilation: int = 1,
    ) -> Tensor:  # fmt: skip
        """Add a CONV_2D."""
        weight = self.weights((outputs, kernel, kernel, x.shape[3]), 0)
        size = spatial(x.shape[1:3], kernel, stride, padding, dilation)
        fields = window(stride, padding) | dilations(dilation)
        shape = (x.shape[0], *size, outputs)
        return self._weighted("CONV_2D", x, weight, shape, "Conv2DOptions", activation, **fields)

    def depthwise(
        self, x: Tensor, kernel: int = 3, stride: int = 1, padding: str = "same",
        activation: str = "none", multiplier: int = 1,
    ) -> Tensor:  # fmt: skip
        """Add a DEPTHWISE_CONV_2D."""
        outputs = x.shape[3] * multiplier
        weight = self.weights((1, kernel, kernel, outputs), 3)
        size = spatial(x.shape[1:3], kernel, stride, padding)
        fields = window(stride, padding) | dilations(1) | {"depthMultiplier": multiplier}
        shape, options = (x.shape[0], *size, outputs), "DepthwiseConv2DOptions"
        return self._weighted("DEPTHWISE_CONV_2D", x, weight, shape, options, activation, **fields)

    def dense(self, x: Tensor, outputs: int, activation: str = "none") -> Tensor:
        """Add a FULLY_CONNECTED."""
        weight = self.weights((outputs, x.shape[-1]), 0)
        shape, options = (x.shape[0], outputs), "FullyConnectedOptions"
        return self._weighted("FULLY_CONNECTED", x, weight, shape, options, activation)

    def add(self, a: Tensor, b: Tensor, activation: str = "none") -> Tensor:
        """Add an ADD."""
        about = (float(a.scale) + float(b.scale)) * 0.7
        output = self.model.tensor(a.shape, "int8", self.scale(about), self.zero(activation))
        fields = {"fusedActivationFunction": ACTIVATIONS[activation], "potScaleInt16": False}
        return self.advance(self.model.operator("ADD", [a, b], output, "AddOptions", **fields))

    def pool(self, name: str, x: Tensor, kernel: int, stride: int, padding: str) -> Tensor:
        """Add an AVERAGE_POOL_2D or MAX_POOL_2D: they keep the scale."""
        size = spatial(x.shape[1:3], kernel, stride, padding)
        shape = (x.shape[0], *size, x.shape[3])
        output = self.model.tensor(shape, "int8", x.scale, x.zero_point)
        fields = window(stride, padding) | {"filterWidth": kernel, "filterHeight": kernel}
        return self.advance(self.model.operator(name, [x], output, "Pool2DOptions", **fields))

    def mean(self, x: Tensor, *, keep: bool) -> Tensor:
        """Add a MEAN over height and width."""
        shape = (x.shape[0], 1, 1, x.shape[3]) if keep else (x.shape[0], x.shape[3])
        axes = self.model.constant(np.array([1, 2], np.int32))
        output = self.model.tensor(shape, "int8", self.scale(float(x.scale) * 0.4), self.zero())
        options = {"keepDims": keep}
        return self.advance(
            self.model.operator("MEAN", [x, axes], output, "ReducerOptions", **options)
        )

    def flatten(self, x: Tensor) -> Tensor:
        """Add a RESHAPE to [batch, features]."""
        shape = (x.shape[0], int(np.prod(x.shape[1:])))
        sizes = self.model.constant(np.array(shape, np.int32))
        output = self.model.tensor(shape, "int8", x.scale, x.zero_point)
        return self.advance(
            self.model.operator("RESHAPE", [x, sizes], output, "ReshapeOptions", newShape=shape)
        )


def spatial(
    size: tuple[int, ...], kernel: int, stride: int, padding: str, dilation: int = 1
) -> tuple[int, ...]:
    """Return the output's height and width."""
    reach = (kernel - 1) * dilation if padding == "valid" else 0
    return tuple(-(-(n - reach) // stride) for n in size)


def window(stride: int, padding: str) -> dict[str, int]:
    """Return the options that every windowed operator has."""
    return {"strideW": stride, "strideH": stride, "padding": PADDINGS[padding]}


def dilations(dilation: int) -> dict[str, int]:
    """Return a convolution's dilation options."""
    return {"dilationWFactor": dilation, "dilationHFactor": dilation}


def resnet(seed: int, *, ties: bool, per_channel: bool) -> Net:
    """Return a small residual network: strides, shortcuts, global average, classifier."""
    net = Net((2, 16, 16, 3), seed, ties=ties, per_channel=per_channel)
    x = net.conv(net.input, 16, activation="relu")
    for channels, stride in ((16, 1), (24, 2), (32, 2)):
        y = net.conv(x, channels, stride=stride, activation="relu6")
        y = net.conv(y, channels)
        shortcut = x if stride == 1 else net.conv(x, channels, kernel=1, stride=stride)
        x = net.add(y, shortcut, activation="relu")
    x = net.pool("AVERAGE_POOL_2D", x, 4, 4, "valid")
    net.dense(net.flatten(x), 10)
    return net


def mobilenet(seed: int, *, ties: bool, per_channel: bool) -> Net:
    """Return depthwise-separable layers, odd sizes, a max pooling and a mean."""
    net = Net((1, 29, 21, 1), seed, ties=ties, per_channel=per_channel)
    x = net.conv(net.input, 16, kernel=5, stride=2, activation="relu6")
    for channels, stride in ((24, 1), (32, 2), (40, 1)):
        x = net.depthwise(x, stride=stride, activation="relu6")
        x = net.conv(x, channels, kernel=1, activation="relu")
    x = net.depthwise(x, multiplier=2, padding="valid", activation="relu_n1_to_1")
    x = net.conv(x, 24, kernel=2, dilation=2, padding="valid")
    x = net.pool("MAX_POOL_2D", x, 2, 1, "same")
    net.dense(net.mean(x, keep=False), 12)
    net.dense(net.flatten(net.mean(x, keep=True)), 12)
    return net


def autoencoder(seed: int, *, ties: bool, per_channel: bool) -> Net:
    """Return eight fully connected layers through a narrow one."""
    net = Net((64, 160), seed, ties=ties, per_channel=per_channel)
    x = net.input
    for width in (64, 64, 64, 8, 64, 64, 64):
        x = net.dense(x, width, activation="relu")
    net.dense(x, 160)
    return net
