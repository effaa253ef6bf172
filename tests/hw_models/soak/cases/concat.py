"""concat: operands copied, and rescaled by every family of requantizers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import hw_models as hw
from hw_models.moves.concat import reference
from tests.hw_models.registers import Held, Registers, of_requantizer
from tests.hw_models.soak.comparing import Check
from tests.hw_models.soak.directed import aimed
from tests.hw_models.soak.drawing import codes, container, integer, laid_out, number_format, pick
from tests.hw_models.soak.exact import draw64
from tests.hw_models.soak.rescaling import rescaled
from tests.hw_models.soak.schemes import FAMILIES, INT32, draw, reach

if TYPE_CHECKING:
    from tests.hw_models.soak.driver import Outcome, Rng


def _codes(rng: Rng, q: Any, count: int, offset: int, form: hw.FixedFormat, zero: int) -> list[int]:
    if q is None:
        return codes(rng, count, form.min, form.max)
    low, high = reach(q)
    span = (max(low, INT32[0] - offset), min(high, INT32[1] - offset))
    pool = aimed(rng, q, 0, (form.min - zero, form.max - zero), span) or [0]
    free = codes(rng, count, *span)
    return [(pick(rng, *pool) if rng.integers(2) else x) + offset for x in free]


def case_concat(rng: Rng, family: str) -> Outcome:
    form = number_format(rng)
    zero = pick(rng, 0, integer(rng, form.min, form.max))
    count, ndim = int(rng.integers(1, 5)), int(rng.integers(1, 5))
    axis = int(rng.integers(-ndim, ndim))
    shape = [int(n) for n in rng.integers(1, 6, ndim)]
    if not rng.integers(20):
        shape[int(rng.integers(ndim))] = 0
    schemes: list[Any] = []
    offsets, arrays, values, defined = [], [], [], []
    for _ in range(count):
        copied = family == "copy" or not rng.integers(4)
        q = None if copied else draw(rng, pick(rng, *FAMILIES[family]))
        shape[axis] = int(rng.integers(0 if count > 1 else 1, 9))
        size = int(np.prod(shape))
        offset = pick(rng, 0, integer(rng, -300, 300))
        flat = _codes(rng, q, size, offset, form, zero)
        seed = getattr(q, "seed", 0)
        made: Any = [x if q is None else rescaled(q, x - offset, 0, i) for i, x in enumerate(flat)]
        if q is not None:
            made = [v + zero for v in made]
        ends = [
            reference(x, q, offset, zero, form, draw=draw64(seed, i)) for i, x in enumerate(flat)
        ]
        schemes.append(q)
        offsets.append(offset)
        arrays.append(container(rng, np.array(flat, np.int64).reshape(shape)))
        values.append(np.array(made, object).reshape(shape))
        defined.append(np.array(ends, object).reshape(shape))
    xs = [laid_out(rng, x) for x in arrays]
    joined = np.concatenate(values, axis)
    ledger = hw.Ledger()
    arguments = (xs, axis, schemes, offsets, zero, form)
    check = Check("concat", joined.reshape(-1).tolist(), (form.min, form.max), form, joined.shape)
    problem = check.problem(
        np.concatenate(defined, axis).reshape(-1).tolist(),
        ledger,
        hw.concat(*arguments, ledger),
        hw.concat(*arguments),
        registers=_registers(schemes, offsets, arrays, axis),
    )
    about = f"axis={axis} {schemes!r} {offsets} {zero} {form!r} " + " ".join(
        f"{x.dtype}{x.shape}{x.strides}" for x in xs
    )
    return joined.size, problem, about


def _registers(schemes: Any, offsets: Any, arrays: Any, axis: int) -> tuple[hw.Register, ...]:
    """Those of every operand, in order; elements are those of the result."""
    found: list[hw.Register] = []
    start = 0
    for position, (q, offset, x) in enumerate(zip(schemes, offsets, arrays, strict=True)):
        held = Registers(_named(position, of_requantizer(q, 0)))
        for index in np.ndindex(x.shape):
            place = (*index[:axis], index[axis] + start, *index[axis + 1 :])
            held.hold(place, _named(position, of_requantizer(q, int(x[index]) - offset)))
        start += x.shape[axis]
        found += held.all
    return tuple(found)


def _named(position: int, held: list[Held]) -> list[Held]:
    return [value._replace(name=f"x{position} {value.name}") for value in held]
