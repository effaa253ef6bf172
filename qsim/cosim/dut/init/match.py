"""Which port has which field of a beat, by their names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from qsim.cosim.dut.init import words as w

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qsim.cosim.dut.init.slots import Slot
    from qsim.cosim.jobs import Field, Layout

# What people call a field, the likeliest first. Words of a name, joined by _.
_NAMES: Final[Mapping[str, str]] = {
    "acc": "acc accumulator accum sum psum data din x a value in act",
    "multiplier": "multiplier mult mul scale m m0 scaler gain coef factor quant_mult",
    "addend": "addend add bias offset b",
    "shift": "shift right_shift rshift shamt shift_amount truncate exponent exp sh n scale_shift",
    "input_zero_point": "input_zero_point in_zero_point in_zp input_zp input_offset zp_in offset",
    "zero_point": "zero_point zp output_zero_point out_zp output_zp output_offset zp_out zero z",
    "low": "low lo min act_min clamp_min qmin lower out_min minimum",
    "high": "high hi max act_max clamp_max qmax upper out_max maximum limit bound",
    "y": "y code q result out dout data output o res z quant",
    "sum": "sum result y q out dout data acc",
    "bias": "bias b beta",
    "a": "a x lhs op_a operand_a src_a in_a data_a first",
    "b": "b y rhs op_b operand_b src_b in_b data_b second",
    "x": "x act activation data din pixel ifm feature sample a in value",
    "weight": "weight w wt wgt weights kernel filter coef coeff b",
    "x_zero_point": "x_zero_point x_zero x_zp act_zp a_zp a_zero zp zero",
    "weight_zero_point": "weight_zero_point w_zero w_zp weight_zp wgt_zp",
    "a_zero_point": "a_zero_point a_zp a_zero zp_a",
    "b_zero_point": "b_zero_point b_zp b_zero zp_b",
    "a_multiplier": "a_multiplier a_mult a_scale mult_a scale_a",
    "b_multiplier": "b_multiplier b_mult b_scale mult_b scale_b",
    "out_multiplier": "out_multiplier out_mult out_scale mult_out scale_out",
    "a_shift": "a_shift shift_a",
    "b_shift": "b_shift shift_b",
    "out_shift": "out_shift shift_out",
    "load": "load write we wr wen wr_en",
    "address": "address addr index idx code x",
    "value": "value data wdata entry din",
}
_BOTH: Final = frozenset(
    ["limits", "limit", "bounds", "range", "clamp", "minmax", "clip"]
)  # low and high
_EXACT, _WORD, _BEGIN = 300, 200, 100


@dataclass
class Matched:
    """Fields and their places.

    Attributes:
        places: by field.
        missing: fields without one.
        left: places without a field.
    """

    places: dict[str, Slot] = field(default_factory=dict)
    missing: list[Field] = field(default_factory=list)
    left: list[Slot] = field(default_factory=list)


def match(layout: Layout, slots: Sequence[Slot]) -> Matched:
    """Return the likeliest place of every field of a beat."""
    wide = [slot for slot in slots if slot.count == 1 and slot.bits == layout.width]
    if len(layout.fields) > 1 and len(slots) == len(wide) == 1:  # the beat as it is
        offsets = layout.offsets()
        made = Matched()
        for each in layout.fields:
            made.places[each.name] = slots[0].part(
                offsets[each.name], each.bits, signed=each.signed, count=each.lanes
            )
        return made
    fields = {each.name: each for each in layout.fields}
    places: dict[str, Slot] = {}
    left = list(slots)
    for slot in slots:
        if (
            {"low", "high"} <= set(fields)
            and set(w.words(slot.name)) & _BOTH
            and _holds_both(slot, fields)
        ):
            half = slot.bits // 2
            places["low"] = slot.part(0, half, signed=True)
            places["high"] = slot.part(half, half, signed=True)
            left.remove(slot)
            break
    scores = sorted(
        (
            (-_score(name, slot), index, name)
            for index, slot in enumerate(slots)
            for name in fields
            if _score(name, slot)
        ),
    )
    for _, index, name in scores:
        if name not in places and slots[index] in left:
            places[name] = slots[index]
            left.remove(slots[index])
    missing = [each for each in layout.fields if each.name not in places]
    if len(missing) == len(layout.fields) == 1 and len(left) == 1:  # nothing else it could be
        places[missing[0].name] = left.pop()
        missing = []
    return Matched({name: places[name] for name in fields if name in places}, missing, left)


def _holds_both(slot: Slot, fields: Mapping[str, Field]) -> bool:
    """Return whether a place has room for the smallest and the largest code."""
    return slot.count == 1 and not slot.bits % 2 and slot.bits >= 2 * (fields["low"].bits - 1)


def _score(name: str, slot: Slot) -> int:
    """Return how well a place's name fits a field; 0 where it does not."""
    every, own = w.words(slot.name), w.meaning(slot.name)
    best = 0
    for rank, alias in enumerate(_NAMES.get(name, name).split()):
        parts = alias.split("_")
        if alias in ("_".join(own), "_".join(every)):
            score = _EXACT
        elif len(parts) > 1 and _holds(every, parts):
            score = _WORD + 20
        elif len(parts) == 1 and alias in own and (len(alias) > 1 or len(own) == 1):
            score = _WORD
        elif len(alias) > 2 and any(word.startswith(alias) for word in own):
            score = _BEGIN
        else:
            continue
        best = max(best, score - rank)
    return best


def _holds(words: Sequence[str], parts: Sequence[str]) -> bool:
    """Return whether all parts are among the words."""
    return set(parts) <= set(words)
