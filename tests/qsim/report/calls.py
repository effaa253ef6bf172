"""One call of every primitive, with every rule of its accumulator and every scheme that it takes.

Of those that compute in float32, with every formula.

Values are chosen so that every register that can overflow does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, get_args

import numpy as np

import hw_models as hw
from hw_models.dynamic.choose_qparams import CHOICES
from hw_models.float32.functions import FUNCTIONS as FLOAT_FUNCTIONS
from hw_models.formats import ATS, OVERFLOWS
from hw_models.quantize import Formula
from hw_models.schemes.fixed_point import FIXED_ROUNDINGS
from qsim.network.lowered import Lowered
from qsim.network.steps import Step, ValueSpec
from qsim.program.primitives import PRIMITIVES
from qsim.program.program import Call, Program, TensorSpec
from qsim.program.schemes import encode_scheme
from qsim.target import Target

Array = np.ndarray[Any, Any]
INT8, INT16, INT32 = hw.FixedFormat(8), hw.FixedFormat(16), hw.FixedFormat(32)
SAMPLES: Final = 3


@dataclass
class Case:
    """One call.

    Attributes:
        primitive: its name.
        variant: the rule, or the kind of scheme, that it is there for.
        arrays: the inputs, the samples along dimension 0.
        attributes: of the call.
        constants: operands (named ``operand``, behind the inputs, or ``operand`` and their place)
            and what the attributes name.
        form: of all inputs, or of each.
        overflows: whether a register that does not raise must overflow.
    """

    primitive: str
    variant: str
    arrays: list[Array]
    attributes: dict[str, Any]
    constants: dict[str, Array] = field(default_factory=dict)
    form: hw.Format | tuple[hw.Format, ...] = INT8
    overflows: bool = False

    @property
    def program(self) -> Program:
        """The call as a Program."""
        names = tuple(f"x{i}" for i in range(len(self.arrays)))
        operands = list(names)
        for name in self.constants:
            if name.startswith("operand"):
                operands.insert(int(name.removeprefix("operand") or len(operands)), name)
        forms = self.form if isinstance(self.form, tuple) else (self.form,) * len(names)
        specs = {
            name: TensorSpec(name, (-1, *array.shape[1:]), form)
            for name, array, form in zip(names, self.arrays, forms, strict=True)
        }
        inputs = tuple(operands)
        call = Call(f"it.{self.primitive}", "it", self.primitive, inputs, "y", self.attributes)
        probe = Program("p", names, names, specs, self.constants, ())
        shape, made = PRIMITIVES[self.primitive].infer(probe.operands(call), call.attributes)
        tensors = {**specs, "y": TensorSpec("y", shape, made)}
        return Program("p", names, ("y",), tensors, self.constants, (call,))

    def lowered(self) -> Lowered:
        """The call as a network, of integers but where the call takes or makes float32."""
        program = self.program
        ends = [
            tuple(_end(program.tensors[name]) for name in names)
            for names in (program.inputs, program.outputs)
        ]
        step = Step("program", "p", program.inputs, program.outputs, {"program": 0})
        return Lowered(
            target=Target.load("tflite"), inputs=ends[0], outputs=ends[1], steps=(step,),
            programs=(program,), constants={}, host_operators=(), model="one call",
        )  # fmt: skip


def _end(spec: TensorSpec) -> ValueSpec:
    if isinstance(spec.format, hw.FixedFormat):
        return ValueSpec(spec.name, spec.shape, str(spec.format.dtype), 1.0, 0, spec.format)
    return ValueSpec(spec.name, spec.shape)


def _codes(*shape: int, seed: int = 0, form: hw.FixedFormat = INT8) -> Array:
    rng = np.random.default_rng(seed)
    codes = rng.integers(form.min, form.max + 1, shape).astype(form.dtype)
    codes.reshape(-1)[:2] = form.max, form.min
    return codes


def _accumulators() -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Give every rule: a register that is too narrow, where that does not raise."""
    for overflow in OVERFLOWS:
        for at in ATS:
            raises = overflow == "error"
            register = {"bits": 32 if raises else 12, "overflow": overflow, "at": at}
            yield f"{overflow}-{at}", register | {"order": "channel_first"}, not raises


def _sums() -> Iterator[Case]:
    x, weight = _codes(SAMPLES, 2, 5, 5), _codes(4, 2, 3, 3, seed=1)
    plain = {"x_zero_point": 3, "weight_zero_point": 0}
    moves = {"stride": [2, 1], "padding": [[1, 1], [0, 1]], "dilation": [1, 1], "groups": 1}
    spread = {"stride": 2, "padding": 1, "output_padding": 1, "dilation": 1, "groups": 1}
    rows, columns = _codes(SAMPLES, 4, 6), _codes(SAMPLES, 6, 5, seed=2)
    matrix, turned = _codes(5, 6, seed=3), _codes(2, 3, 3, 3, seed=4)
    for name, register, over in _accumulators():
        end = {"accumulator": register}
        yield Case("correlation", name, [x], moves | plain | {"pad_value": None} | end,
                   {"operand": weight}, overflows=over)  # fmt: skip
        yield Case("transposed_correlation", name, [x], spread | plain | end,
                   {"operand": turned}, overflows=over)  # fmt: skip
        yield Case("linear", name, [rows], plain | end, {"operand": matrix}, overflows=over)
        points = {"a_zero_point": 1, "b_zero_point": -2}
        yield Case("matmul", name, [rows, columns], points | end, overflows=over)
        bias = np.array([2000, -2000, 2047, 0], np.int32)
        narrow = {key: register[key] for key in ("bits", "overflow")}
        yield Case("bias_add", name, [rows], {"axis": 1, "accumulator": narrow},
                   {"operand": bias}, overflows=over)  # fmt: skip

    bytes_ = hw.FixedFormat(8, signed=False)
    yield Case("linear_pairs", "", [_codes(SAMPLES, 5, form=bytes_)], {},
               {"operand": _codes(4, 5, seed=5)}, bytes_, overflows=True)  # fmt: skip


def requantizers(reach: int) -> Iterator[tuple[Any, bool]]:
    """Give every scheme, and whether a value of so many bits makes a register of it overflow."""
    for rounding in FIXED_ROUNDINGS:
        if rounding in ("double", "double-half-up"):
            yield hw.FixedPoint(1 << 30, reach - 2, rounding), True
            yield hw.FixedPoint(1 << 30, 40, rounding), False
        elif rounding == "tosa-single":
            yield hw.FixedPoint(1 << 14, 24, rounding, 16), False
            yield hw.FixedPoint(1 << 30, 34, rounding), False
        else:
            yield hw.FixedPoint(1 << 30, 36, rounding), False
    yield hw.PowerOfTwo(4), False
    yield hw.MulAddShift(77, 11, 9), False
    yield hw.Converter(5, 99, 9), False
    yield hw.FloatScale(0.05), False
    yield hw.Float64Scale(0.05), False


def adders() -> Iterator[tuple[Any, bool]]:
    """Give every scheme of an addition."""
    for overflow in OVERFLOWS:
        raises = overflow == "error"
        register = hw.Accumulator(32 if raises else 10, overflow)
        yield hw.AlignedAdd(5, 0, hw.PowerOfTwo(4), register), not raises
    for rounding in FIXED_ROUNDINGS:
        if rounding == "s64-reduced":
            half = hw.FixedPoint(1 << 30, 31, rounding)
        else:
            half = hw.FixedPoint(1 << 30, 32, rounding)
        yield hw.ShiftedAdd(8, half, half, half), False
    wide = hw.FixedPoint(1 << 30, 9)  # shifts left by 22
    yield hw.ShiftedAdd(8, hw.FixedPoint(1 << 30, 32), wide, wide), True
    yield hw.MultiplierAdd.from_scales(0.1, 0.2, 0.05), False
    yield hw.FloatAdd(0.1, 0.2, 0.05), False


def _kind(scheme: Any) -> str:
    return f"{type(scheme).__name__} {getattr(scheme, 'rounding', '')}".strip()


_OUT: Final = {"bits": 8, "signed": True, "narrow": False}
_END: Final = {"zero_point": 4, "output": _OUT, "clamp": [-100, 100]}
_PAIR: Final = {"a_zero_point": 1, "b_zero_point": -2}


def _rescaled() -> Iterator[Case]:
    wide = _codes(SAMPLES, 4, 5, seed=5, form=hw.FixedFormat(20)).astype(np.int32)
    a, b = _codes(SAMPLES, 4, 5), _codes(SAMPLES, 1, 5, seed=1)
    for scheme, over in requantizers(20):
        constants: dict[str, Array] = {}
        attributes = {"scheme": encode_scheme(scheme, "s", constants), **_END}
        attributes |= {"input_zero_point": 7, "axis": 1}
        yield Case("requantize", _kind(scheme), [wide], attributes, constants, INT32, over)
    for scheme, over in requantizers(15):
        attributes = {"scheme": encode_scheme(scheme, "s", {}), **_END, **_PAIR, "axis": 1}
        yield Case("mul", _kind(scheme), [a, b], attributes, overflows=over)
    for scheme, over in requantizers(15):
        sides = {side: encode_scheme(scheme, "s", {}) for side in ("positive", "negative")}
        points = {"x_zero_point": 1, "slope_zero_point": -2, "zero_point": 4, "output": _OUT}
        yield Case("prelu", _kind(scheme), [a, b], sides | points, overflows=over)
    for scheme, over in (*requantizers(8), (hw.Division(), False)):
        for axes, keepdims in (([2], True), ([1], False)):
            attributes = {"scheme": encode_scheme(scheme, "s", {}), **_END, "x_zero_point": 2}
            attributes |= {"axes": axes, "keepdims": keepdims}
            yield Case("mean", _kind(scheme), [a], attributes, overflows=over)
    for scheme, over in requantizers(7):
        attributes = {
            "axis": 1, "schemes": [encode_scheme(scheme, "s", {}), None], "zero_point": 4,
            "zero_points": [3, 0], "output": _OUT,
        }  # fmt: skip
        yield Case("concat", _kind(scheme), [a, b], attributes, overflows=over)


def _added() -> Iterator[Case]:
    a, b = _codes(SAMPLES, 4, 5), _codes(SAMPLES, 1, 5, seed=1)
    for scheme, over in adders():
        attributes = {"scheme": encode_scheme(scheme, "s", {}), **_END, **_PAIR}
        yield Case("add", _kind(scheme), [a, b], attributes, overflows=over)
        for negate in ("term", "operand"):
            yield Case("sub", _kind(scheme), [a, b], attributes | {"negate": negate},
                       overflows=over)  # fmt: skip


def _tables() -> Iterator[Case]:
    x = _codes(SAMPLES, 2, 6)
    plane = _codes(SAMPLES, 1, 3, 4)
    for signed in (True, False):
        entries = hw.FixedFormat(8, signed=signed)
        table = _codes(17, seed=6, form=entries)
        table[3:5] = entries.min, entries.max
        for result in ("rounded", "exact"):
            # The slopes of an exact table fit, and rise where the entries have no sign.
            held = table if result == "rounded" else np.sort(table >> 1)
            attributes = {
                "table": {"constant": "t"}, "intervals": 16, "result": result,
                "entries": {"bits": 8, "signed": signed, "narrow": False},
            }  # fmt: skip
            yield Case("interpolate", f"{result} {entries}", [x], attributes, {"t": held},
                       overflows=result == "rounded")  # fmt: skip
    for softmax in (
        hw.FixedSoftmax.from_scale(0.1),
        hw.FloatSoftmax(0.1),
        hw.TableSoftmax.from_scale(0.1),
        hw.IbertSoftmax.from_scale(0.1),
    ):
        attributes = {"scheme": encode_scheme(softmax, "s", {}), "axis": 1, "output": _OUT}
        yield Case("softmax", _kind(softmax), [x], attributes)
        hidden = {"hides": "zero", "allowed": {"constant": "allowed"}}
        marks = np.array([[1, 0, 2, 1, 1, 1], [0] * 6, [1] * 6], np.int8)[:, None]
        yield Case("masked_softmax", _kind(softmax), [x, marks], attributes | hidden,
                   {"allowed": np.tril(np.ones(x.shape[1:], np.int8))})  # fmt: skip
    for mode in ("nearest", "bilinear"):
        sized = {"size": [6, 8], "mode": mode, "align_corners": False, "half_pixel_centers": True}
        yield Case("resize", mode, [plane], sized)
        scaled = {"scale": [4, 2, 4, 2], "offset": [-1, -1], "border": [1, 1], "mode": mode}
        yield Case("resize_scaled", mode, [plane], scaled)
    wide = _codes(SAMPLES, 1, 3, 4, form=INT16)
    yield Case("resize_scaled", "bilinear of 16 bits", [wide], scaled, form=INT16)
    table = _codes(256, seed=7)
    yield Case("lookup", "", [x], {"table": {"constant": "t"}, "output": _OUT}, {"t": table})


def _plain() -> Iterator[Case]:
    x, y = _codes(SAMPLES, 2, 6), _codes(SAMPLES, 2, 6, seed=1)
    plane = _codes(SAMPLES, 2, 4, 4)
    pool = {"kernel": [2, 2], "stride": [2, 2], "padding": [0, 0], "ceil_mode": False}
    average = {"rounding": "half_away", "count_include_pad": False, "zero_point": 0}
    yield Case("clamp", "", [x], {"lo": -20, "hi": 90})
    yield Case("max_pool", "", [plane], pool | {"dilation": [1, 1]})
    yield Case("avg_pool", "", [plane], pool | average | {"output": {**_OUT, "bits": 4}})
    yield Case("reshape", "", [x], {"shape": [0, -1]})
    yield Case("permute", "", [x], {"dims": [0, 2, 1]})
    yield Case("strided_slice", "", [x],
               {"starts": [0, 1, 5], "steps": [1, 0, -2], "sizes": [-1, 3, 3]})  # fmt: skip
    yield Case("gather", "", [x], {"axis": 2}, {"operand1": np.array([5, 0, 0, 2])})
    for ring in (False, True):
        yield Case("cache_write", f"ring {ring}", [x, y[:, :1]], {"axis": 1, "ring": ring},
                   {"operand2": np.array([1])})  # fmt: skip
    rows, which = _codes(7, 3)[:7], np.arange(x[..., 0].size).reshape(x[..., 0].shape)
    which = (which % 7).astype(np.int8)
    yield Case("embedding", "", [which], {}, {"operand0": rows})
    yield Case("minimum", "", [x, y], {})
    yield Case("maximum", "", [x, y], {})
    yield Case("shift_right", "", [x, (y & 7).astype(np.int8) - 4],
               {"rounding": "half_even", "output": _OUT})  # fmt: skip
    for more in ({}, {"last": True}):
        found = {"axis": 2, "keepdims": False, "output": _OUT}
        yield Case("argmax", "last" if more else "", [x], found | more)
    pads = [[0, 0], [1, 0], [0, 2]]
    yield Case("pad", "", [x], {"pads": pads, "value": 3, "mode": "constant"})


FUNCTIONS: Final[tuple[Any, ...]] = (
    hw.ExpSigmoid.from_scales(0.05, 1 / 256),
    hw.ExpSilu.from_scales(0.05, 0.05, 3),
    hw.IbertExp.from_scales(0.02, 0.1),
    hw.IbertGelu.from_scales(0.05, 0.05),
    hw.NewtonReciprocal.from_scales(0.05, 0.05),
    hw.NewtonRsqrt.from_scales(0.05, 0.05, -4),
)


def _units() -> Iterator[Case]:
    x = _codes(SAMPLES, 4, 6)
    for unit in FUNCTIONS:
        attributes = {"scheme": encode_scheme(unit, "s", {}), "output": _OUT}
        yield Case("integer_function", _kind(unit), [x], attributes)
    norm = {"scheme": encode_scheme(hw.IntegerNorm.from_scales(6, 0.1, 0.02), "s", {}), **_END}
    tables = {"weight": {"constant": "w"}, "bias": {"constant": "b"}}
    values = {"w": np.array([1, -1, 2, 1]), "b": np.arange(4) * 1000}
    wide = {name: np.resize(value, 6) for name, value in values.items()}
    yield Case("layer_norm", "", [x], {**norm, **tables, "dims": 1}, wide)
    rest = {"weight": {"constant": "w"}, "dims": 1, "x_zero_point": 3}
    yield Case("rms_norm", "", [x], {**norm, **rest}, {"w": wide["w"]})
    yield Case("group_norm", "", [x], {**norm, **tables, "groups": 4}, values)
    cos, sin = hw.rotary_tables(4, 6, fraction=8)
    for scheme, over in requantizers(15):
        attributes = {"scheme": encode_scheme(scheme, "s", {}), "pairing": "half"}
        attributes |= {"x_zero_point": 2, "zero_point": 4, "output": _OUT}
        yield Case("rotary", _kind(scheme), [x], attributes, {"operand1": cos, "operand2": sin},
                   overflows=over)  # fmt: skip


def _floats() -> Iterator[Case]:
    """Give what is quantized at run time: ranges, parameters, codes and sums, row by row."""
    rng = np.random.default_rng(8)
    x = (rng.standard_normal((SAMPLES, 6)) * 3).astype(np.float32)
    ranges = np.stack([x.min(axis=1, keepdims=True), x.max(axis=1, keepdims=True)], axis=-1)
    scale = rng.uniform(0.01, 0.1, (SAMPLES, 1)).astype(np.float32)
    point, codes = _codes(SAMPLES, 1, seed=1), _codes(SAMPLES, 6)
    parameters = (hw.FLOAT32, INT8)
    yield Case("min_max", "", [x], {"axes": [1]}, form=hw.FLOAT32)
    for formula in CHOICES:
        symmetric = formula == "no-clipping"
        rule = {"formula": formula, "low": -128, "high": 127, "symmetric": symmetric}
        for primitive in ("choose_scale", "choose_zero_point"):
            yield Case(primitive, formula, [ranges], rule | {"eps": 2.0**-23}, form=hw.FLOAT32)
    for formula in get_args(Formula):
        yield Case("quantize", formula, [x, scale, point], {"formula": formula, "output": _OUT},
                   form=(hw.FLOAT32, *parameters))  # fmt: skip
        yield Case("dequantize", formula, [codes, scale, point], {"formula": formula},
                   form=(INT8, *parameters))  # fmt: skip
    bias = rng.standard_normal(4).astype(np.float32)
    sums = _codes(SAMPLES, 4, seed=2, form=hw.FixedFormat(20)).astype(np.int32)
    outputs: dict[str, Array] = {"bias": bias, "sum": np.arange(4) * 9 - 7}
    outputs["scale"] = rng.uniform(0.01, 0.1, 4).astype(np.float32)
    weight = _codes(4, 6, seed=3, form=hw.FixedFormat(4))
    groups: dict[str, Array] = {"operand1": weight, "bias": bias}
    groups["point"] = _codes(4, 2, seed=4, form=hw.FixedFormat(4))
    groups["scale"] = rng.uniform(0.01, 0.1, (4, 2)).astype(np.float32)
    for fused in (True, False):
        tables = {"weight_scale": {"constant": "scale"}, "bias": {"constant": "bias"}}
        end = {**tables, "fused": fused}
        yield Case("dequantize_sums", f"fused {fused}", [sums, scale, point],
                   end | {"weight_sum": {"constant": "sum"}}, outputs,
                   (INT32, *parameters))  # fmt: skip
        for order in ("row", "group"):
            rest = {"weight_zero_point": {"constant": "point"}, "order": order}
            yield Case("linear_groups", f"{order} fused {fused}", [codes, scale, point],
                       end | rest, groups, (INT8, *parameters))  # fmt: skip


def _neighbours() -> Iterator[Case]:
    """Give operators on float32 values, and products of codes with zero points of run time."""
    rng = np.random.default_rng(9)
    x, y = (rng.standard_normal((SAMPLES, 2, 37)).astype(np.float32) for _ in range(2))
    for primitive in ("float_add", "float_mul"):
        yield Case(primitive, "", [x, y], {}, form=hw.FLOAT32)
        number = {"operand1": np.array([-0.7], np.float32)}
        yield Case(primitive, "of a constant", [x], {}, number, hw.FLOAT32)
    for function in FLOAT_FUNCTIONS:
        yield Case("float_function", function, [x * 4], {"function": function}, form=hw.FLOAT32)
    yield Case("float_softmax", "", [x], {"lanes": 16}, form=hw.FLOAT32)
    row = {"w": x[0, 0].copy(), "b": y[0, 0].copy()}
    tables = {"weight": {"constant": "w"}, "bias": {"constant": "b"}}
    for given, held in ((tables, row), ({"weight": None, "bias": None}, {})):
        norm = {"dims": 1, "eps": 1e-12, "lanes": 8, **given}
        yield Case("float_layer_norm", str(bool(held)), [x], norm, held, hw.FLOAT32)
    for fused in (True, False):
        right = y[:, :, :10].reshape(SAMPLES, 10, 2).copy()
        pair = [x[:, :, :10].copy(), right]
        yield Case("float_matmul", f"fused {fused}", pair, {"fused": fused}, form=hw.FLOAT32)
    points = {"operand2": np.array([[3]], np.int8), "operand3": np.array([[-5]], np.int8)}
    codes = [_codes(SAMPLES, 4, 6), _codes(SAMPLES, 6, 5, seed=2)]
    for name, register, over in _accumulators():
        yield Case("dynamic_matmul", name, codes, {"accumulator": register}, points, overflows=over)


def cases() -> list[Case]:
    """Every call."""
    integers = (*_sums(), *_rescaled(), *_added(), *_tables(), *_plain(), *_units())
    return [*integers, *_floats(), *_neighbours()]
