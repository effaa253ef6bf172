"""Random Programs of what works along rows, or in 64 bits: softmax, argmax, means, rescales."""

from __future__ import annotations

from typing import Any

import numpy as np

import hw_models as hw
from hw_models.add import AlignedAdd
from hw_models.integer_function import ExpSilu, IbertGelu, NewtonReciprocal
from hw_models.mean import Division, over_count
from hw_models.norms.layer_norm import IntegerNorm
from hw_models.softmax import FixedSoftmax, FloatSoftmax, IbertSoftmax, TableSoftmax
from qsim.program.attributes import format_to_json
from qsim.program.program import Program, TensorSpec
from tests.qsim.stream.programs import Maker

KINDS = (
    "softmax", "masked", "norm", "turn", "function", "argmax", "mean", "rescale", "combine",
    "resize", "prelu", "concat",
)  # fmt: skip
ROUNDINGS = ("double", "double-half-up", "single", "s64-reduced", "tosa-single", "tosa-double")


class Rows(Maker):
    """Makes calls along dimensions of a tensor that lies in either order."""

    def operand(self, *bits: int, rank: int = 4) -> str:
        """Add an input; behind a pooling its channels lie innermost."""
        form = hw.FixedFormat(self.pick(*bits), self.signed)
        name = f"x{len(self.tensors)}"
        shape = (-1, *(self.integer(1, 6) for _ in range(rank - 1)))
        self.tensors[name] = TensorSpec(name, shape, form)
        windows = form.bits <= 8 or (form.bits == 16 and form.signed)
        if rank == 4 and windows and self.rng.random() < 0.6:
            common = {"kernel": [1, 1], "stride": None, "padding": 0, "ceil_mode": False}
            name = self.call("max_pool", (name,), common | {"dilation": 1})
        return name

    def scheme(self, channels: int = 1, low: int = -9, high: int = 0) -> Any:
        """Return any requantizer, for one or more channels."""
        scale = 2.0 ** self.rng.uniform(low, high, channels)
        shift = self.rng.integers(-high, 1 - low, channels)
        many = channels > 1
        real, places = (scale, shift) if many else (float(scale[0]), int(shift[0]))
        factor = self.rng.integers(1, 99, channels) if many else self.integer(1, 99)
        return self.pick(
            *(hw.FixedPoint.from_scale(real, rounding=rounding) for rounding in ROUNDINGS),
            hw.FloatScale(real),
            hw.Float64Scale(real),
            hw.PowerOfTwo(places, self.pick("half_even", "half_up", "half_away", "floor", "jam")),
            hw.MulAddShift(factor, factor, places + 6),
        )

    def after_codes(self) -> dict[str, Any]:
        """Return what a call that makes codes has besides its scheme."""
        output = hw.FixedFormat(self.pick(8, 8, 16, 5, 20), self.signed)
        clamp = sorted(int(v) for v in self.rng.integers(output.min, output.max + 1, 2))
        return {
            "zero_point": self.code(), "output": format_to_json(output),
            "clamp": self.pick(None, None, clamp),
        }  # fmt: skip

    def _softmax(self) -> tuple[str, dict[str, Any]]:
        """Return an operand and the attributes of a softmax of any scheme."""
        kind = self.pick("fixed", "float", "table", "ibert", "ibert")
        x = self.operand(*((8, 16, 11) if kind in ("table", "ibert") else (8, 8, 6)))
        scale = float(2.0 ** self.rng.uniform(-9 if kind == "table" else -5, -1))
        output = hw.FixedFormat(self.pick(8, 16), kind == "table" or self.signed)
        scheme: Any = FixedSoftmax.from_scale(scale, 1.5)
        if kind == "float":
            scheme = FloatSoftmax(scale, 2.0**-output.bits, output.min)
        elif kind == "table":
            scheme = TableSoftmax.from_scale(scale)
        elif kind == "ibert":
            scheme = IbertSoftmax.from_scale(scale, 1.5, self.pick("floor", "half_up"))
        axis = self.integer(1, len(self.tensors[x].shape) - 1)
        attributes = {
            "scheme": self.encoded(scheme), "axis": self.pick(axis, axis - 4),
            "output": format_to_json(output),
        }  # fmt: skip
        return x, attributes

    def softmax(self) -> str:
        """Add a softmax of any scheme."""
        x, attributes = self._softmax()
        return self.call("softmax", (x,), attributes)

    def masked(self) -> str:
        """Add a softmax of what a mask shows, and a constant; rows may show nothing."""
        x, attributes = self._softmax()
        shape = self.tensors[x].shape
        kept = [size if self.rng.random() < 0.6 else 1 for size in shape]
        mask = f"x{len(self.tensors)}"
        form = hw.FixedFormat(self.pick(1, 2, 16), signed=self.pick(True, False))
        self.tensors[mask] = TensorSpec(mask, tuple(kept[self.pick(0, 1) :]), form)
        allowed = None
        if self.rng.random() < 0.5:
            codes = self.rng.integers(0, 2, [size for size in shape if size != -1][-2:])
            allowed = {"constant": self.constant(codes.astype(np.uint8))}
        more = {"hides": self.pick("zero", "nonzero"), "allowed": allowed}
        return self.call("masked_softmax", (x, mask), attributes | more)

    def norm(self) -> str:
        """Add a layer, RMS or group norm."""
        x = self.operand(8, 8, 16, 5, rank=self.pick(4, 4, 3))
        shape = self.tensors[x].shape
        kind = self.pick("layer_norm", "rms_norm", "group_norm")
        dims = self.integer(1, len(shape) - 1)
        row: tuple[int, ...] = shape[1:2] if kind == "group_norm" else shape[-dims:]
        scale = self.pick(
            self.scheme(1, -14, -9),
            hw.PowerOfTwo(self.integer(8, 14), self.pick("floor", "half_up")),
        )
        epsilon = self.pick(0, 0, 1, 1 << 30)
        norm = IntegerNorm(scale, epsilon, self.pick(8, 12), 16, self.pick(0, 4, 6))
        weight = self.constant(self.rng.integers(-128, 128, row).astype(np.int16))
        bias = self.constant(self.rng.integers(-9999, 9999, row).astype(np.int32))
        attributes = self.after_codes() | {
            "scheme": self.encoded(norm), "weight": self.pick(None, {"constant": weight}),
        }  # fmt: skip
        if kind == "rms_norm":
            return self.call(kind, (x,), attributes | {"dims": dims, "x_zero_point": self.code()})
        attributes["bias"] = self.pick(None, {"constant": bias})
        if kind == "group_norm":
            groups = self.pick(*(n for n in range(1, shape[1] + 1) if shape[1] % n == 0))
            return self.call(kind, (x,), attributes | {"groups": groups})
        return self.call(kind, (x,), attributes | {"dims": dims})

    def turn(self) -> str:
        """Add a rotary turn, whose tables are constants or come at run time."""
        x = self.operand(8, 16, rank=3)
        shape = (*self.tensors[x].shape[:2], 2 * self.integer(1, 5))
        self.tensors[x] = TensorSpec(x, shape, self.tensors[x].format)
        pairs = [shape[1], shape[2] // 2]
        tables = []
        if self.rng.random() < 0.5:
            codes = self.rng.integers(-64, 65, (2, *pairs)).astype(np.int8)
            tables = [self.constant(codes[0]), self.constant(codes[1, :1])]
        else:
            for sizes in ((-1, *pairs), (1, 1, pairs[1])):
                tables.append(f"x{len(self.tensors)}")
                form = hw.FixedFormat(self.pick(7, 8))
                self.tensors[tables[-1]] = TensorSpec(tables[-1], sizes, form)
        codes_of = self.after_codes()
        del codes_of["clamp"]
        attributes = codes_of | {
            "scheme": self.encoded(self.scheme(1, -9, -5)), "x_zero_point": self.code(),
            "pairing": self.pick("half", "interleaved"),
        }  # fmt: skip
        return self.call("rotary", (x, *tables), attributes)

    def function(self) -> str:
        """Add an integer function of every code."""
        x = self.operand(8, 8, 16, 5)
        output = hw.FixedFormat(self.pick(8, 16))
        unit = self.pick(
            ExpSilu.from_scales(0.05, 0.05, 0, self.code()),
            IbertGelu.from_scales(0.05, 0.05, 0, self.code()),
            NewtonReciprocal.from_scales(0.05, 0.5, 0, self.code()),
        )
        attributes = {"scheme": self.encoded(unit), "output": format_to_json(output)}
        return self.call("integer_function", (x,), attributes)

    def argmax(self) -> str:
        """Add an argmax; few codes, so that there are equal ones."""
        x = self.operand(2, 8, 16, 32)
        attributes: dict[str, Any] = {
            "axis": self.pick(1, 2, 3, -1), "keepdims": self.pick(True, False),
            "output": format_to_json(hw.FixedFormat(self.pick(8, 32, 64))),
        }  # fmt: skip
        last = self.pick(None, True, False)
        return self.call("argmax", (x,), attributes | ({} if last is None else {"last": last}))

    def mean(self) -> str:
        """Add a mean over any dimensions but the batch."""
        x = self.operand(8, 8, 16, 24)
        axes = [axis for axis in (1, 2, 3) if self.rng.random() < 0.5] or [self.pick(1, 2, 3)]
        count = int(np.prod([self.tensors[x].shape[axis] for axis in axes]))
        fixed = over_count(hw.FixedPoint.from_scale(float(2.0 ** self.rng.uniform(-4, 0))), count)
        scheme = self.pick(
            fixed, Division(self.pick("half_away", "half_even", "floor", "away")), self.scheme()
        )
        attributes = self.after_codes() | {
            "scheme": self.encoded(scheme), "axes": [self.pick(a, a - 4) for a in axes],
            "keepdims": self.pick(True, False), "x_zero_point": self.code(),
        }  # fmt: skip
        return self.call("mean", (x,), attributes)

    def rescale(self) -> str:
        """Add a requantize of wide codes, or with parameters per channel."""
        x = self.operand(20, 32, 40, 8, 16)
        axis = self.pick(1, 2, 3, -1)
        bits = self.tensors[x].format.bits
        scheme = self.scheme(self.tensors[x].shape[axis], 4 - bits, 8 - bits)
        attributes = self.after_codes() | {
            "scheme": self.encoded(scheme), "axis": axis, "input_zero_point": self.pick(0, 5),
        }  # fmt: skip
        return self.call("requantize", (x,), attributes)

    def combine(self) -> str:
        """Add a product or a sum of wide codes; one may be a constant per channel."""
        x = self.operand(16, 16, 12)
        spec = self.tensors[x]
        other = self.call("clamp", (x,), {"lo": spec.format.min // 2, "hi": spec.format.max // 3})
        if self.rng.random() < 0.5:
            codes = self.rng.integers(0, 127, (spec.shape[1], 1, 1))
            other = self.constant(codes.astype(spec.format.dtype))
        shared = {"a_zero_point": self.code(), "b_zero_point": self.code()} | self.after_codes()
        if self.rng.random() < 0.5:
            rounding = self.pick("half_even", "half_up", "half_away")
            adder = AlignedAdd.from_fractions(self.integer(0, 3), self.integer(0, 3), 1, rounding)
            return self.call("add", (x, other), shared | {"scheme": self.encoded(adder)})
        axis = self.pick(1, 3)
        scheme = self.scheme(self.pick(1, spec.shape[axis]), -22, -12)
        return self.call("mul", (x, other), shared | {"scheme": self.encoded(scheme), "axis": axis})

    def resize(self) -> str:
        """Add a bilinear resize; of TOSA's the sums are rescaled."""
        x = self.operand(8, 8, 16, rank=self.pick(4, 4, 3))
        rank, spatial = len(self.tensors[x].shape), self.tensors[x].shape[2:]
        if rank == 3 or self.rng.random() < 0.6:
            corners, half = self.pick((True, False), (False, False), (False, True))
            attributes: dict[str, Any] = {
                "size": [self.integer(1, 9) for _ in spatial], "mode": "bilinear",
                "align_corners": corners, "half_pixel_centers": half,
            }  # fmt: skip
            return self.call("resize", (x,), attributes)
        n = [self.pick(1, 3, 4), self.pick(2, 5)]
        attributes = {
            "scale": [n[0], 1, n[1], 1], "offset": [0, -1], "border": [0, 1], "mode": "bilinear",
        }  # fmt: skip
        y = self.call("resize_scaled", (x,), attributes)
        shift = hw.PowerOfTwo(self.integer(0, 5), "half_up")
        codes = self.after_codes() | {
            "scheme": self.encoded(shift), "axis": 1, "input_zero_point": 0,
        }  # fmt: skip
        return self.call("requantize", (y,), codes)

    def concat(self) -> str:
        """Add a concat of wide codes, of which some are rescaled."""
        x = self.operand(16, 12)
        spec = self.tensors[x]
        low = max(-5, spec.format.min)
        operands = (x, self.call("clamp", (x,), {"lo": low, "hi": spec.format.max // 2}), x)
        attributes: dict[str, Any] = {
            "axis": self.pick(1, -1),
            "schemes": [self.encoded(self.scheme(1, -4, 0)), None, self.encoded(self.scheme())],
            "zero_points": [self.code(), 0, 0], "zero_point": self.code(),
            "output": format_to_json(hw.FixedFormat(16, self.signed)),
        }  # fmt: skip
        return self.call("concat", operands, attributes)

    def prelu(self) -> str:
        """Add a parametric relu with a slope per channel, or a shift by as many bits."""
        x = self.operand(8, 8, 6)
        channels = self.tensors[x].shape[1]
        if self.rng.random() < 0.3:
            bits = self.constant(self.rng.integers(0, 7, (channels, 1, 1)).astype(np.int8))
            codes = {"rounding": "half_up", "output": format_to_json(hw.FixedFormat(8))}
            return self.call("shift_right", (x, bits), codes)
        slopes = self.constant(self.rng.integers(-128, 128, (channels, 1, 1)).astype(np.int8))
        attributes = {
            "positive": self.encoded(hw.FixedPoint.from_scale(0.7)),
            "negative": self.encoded(hw.FixedPoint.from_scale(0.011)),
            "x_zero_point": self.code(), "slope_zero_point": 3, "zero_point": self.code(),
            "output": format_to_json(hw.FixedFormat(8, self.signed)),
        }  # fmt: skip
        return self.call("prelu", (x, slopes), attributes)


def rows_program(kind: str, seed: int) -> Program:
    """Return a Program of one such call, and what brings its operand into some order."""
    maker = Rows(seed)
    y = getattr(maker, kind)()
    inputs = tuple(name for name in maker.tensors if name.startswith("x"))
    return Program("p", inputs, (y,), maker.tensors, maker.constants, tuple(maker.calls))
