"""A first difference explained: its operands, the definition's steps, and what explains all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeAlias, cast

import numpy as np

from qsim.cosim import jobs
from qsim.cosim.explaining import inputs, outputs
from qsim.cosim.explaining.definitions import definition
from qsim.cosim.explaining.explanation import Explanation
from qsim.cosim.explaining.observed import observe
from qsim.cosim.explaining.operands import operands, traced, values_of
from qsim.cosim.explaining.unshipped import unshipped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qsim.cosim.dut import Dut
    from qsim.cosim.explaining.definition import Definition
    from qsim.cosim.jobs import Job
    from qsim.cosim.lanes import LaneResult, Stimulus
    from qsim.golden import Case
    from qsim.mismatch import Mismatch
    from qsim.target import Target

    Call: TypeAlias = Case | jobs.Prepared


# Of these a result is made of more than its own beat or lane.
_OF_SEVERAL: Final = ("move", "cache_write", "norm", "softmax", "rotary")


def explain(
    cases: Sequence[Call],
    job: Job,
    result: LaneResult,
    first: Mismatch | None,
    target: Target | None,
    dut: Dut | None,
    stimulus: Stimulus,
) -> Explanation | None:
    """Return what is told about a job on which something is wrong; None where nothing can be.

    Args:
        cases: the call, or the calls of a whole layer.
        job: what was sent.
        result: what the lane found.
        first: the first element that differs, or None.
        target: the contract of the calls.
        dut: somebody else's design, or None.
        stimulus: how beats were offered and taken.
    """
    made = Explanation()
    if first is not None:
        element = int(np.ravel_multi_index(first.index, job.shape)) if job.shape else 0
        made = _element(cases, job, element, target)
        made = replace(made, expected=_expected(cases, made.defined, int(first.expected)))
    made = replace(made, hints=tuple(_hints(cases, job, result, dut, stimulus)))
    return None if first is None and not made.hints else made


def _expected(cases: Sequence[Call], defined: int | None, expected: int) -> int:
    """Return what the vectors expect, as a code: a wider port may hold a code in its own way."""
    last = cases[-1]
    if defined is None or isinstance(last, jobs.Prepared):
        return expected
    same = (defined - expected) % (1 << last.codes["output"].bits) == 0
    return defined if same else expected


def _element(cases: Sequence[Call], job: Job, element: int, target: Target | None) -> Explanation:
    """Return the operands and steps of an element; those of every call of a layer."""
    if len(cases) == 1 or target is None:
        return _of_call(cases[0], job, element)
    layer = cast("Sequence[Case]", cases)
    parts = [_of_call(case, jobs.job(case, target), element, case.primitive) for case in layer]
    return Explanation(
        operands=tuple(each for part in parts for each in part.operands),
        steps=tuple(each for part in parts for each in part.steps),
        defined=parts[-1].defined,
        refused=next((part.refused for part in parts if part.refused), ""),
    )


def _definition(case: Call, job: Job) -> Definition | None:
    """Return the definition on the beats of RTL of ours; other beats have fields of their own."""
    if isinstance(case, jobs.Prepared) or not job.unit.module:
        return None
    return definition(case)


def _of_call(case: Call, job: Job, element: int, prefix: str = "") -> Explanation:
    from hw_models.errors import AccumulatorOverflowError, ContractError

    beat, lane = (int(i) for i in np.argwhere(job.element == element)[0])
    values = values_of(job, beat, lane)
    read = operands(job, values)
    defined = _definition(case, job)
    if defined is None:
        return replace(_of_other_beats(case, job, values, beat, lane), operands=read)
    try:
        told, value = traced(defined, values)
    except (ContractError, AccumulatorOverflowError) as error:
        return Explanation(operands=read, refused=str(error))
    if prefix:
        read = tuple(replace(each, name=f"{prefix}: {each.name}") for each in read)
        told = tuple(replace(each, name=f"{prefix}: {each.name}") for each in told)
    return Explanation(operands=read, steps=told, defined=value)


def _of_other_beats(
    case: Call, job: Job, values: dict[str, list[int]], beat: int, lane: int
) -> Explanation:
    """Return the steps on beats that no RTL of ours has, where they give what is expected."""
    from hw_models.errors import ContractError

    defined = None if isinstance(case, jobs.Prepared) or job.unit.packet else unshipped(case)
    if defined is None:
        return Explanation()
    expected = int(job.unit.outputs.unpack(job.expected)[job.field][beat, lane])
    try:
        told, value = traced(defined, values)
    except (ContractError, KeyError):
        return Explanation()
    if _expected([case], value, expected) != value:
        return Explanation()
    return Explanation(steps=told, defined=value)


def _hints(
    cases: Sequence[Call], job: Job, result: LaneResult, dut: Dut | None, stimulus: Stimulus
) -> Iterator[str]:
    if _nothing_came(result):
        if stimulus.wait_for_valid:
            return  # results came where nothing waited for them
        reset = ""
        if dut is not None and dut.reset:
            level = int(dut.reset_active == "high")
            reset = f" ([reset] says that {dut.reset} = {level} resets)"
        held = ""
        if dut is not None and dut.tie:
            tied = ", ".join(f"{name} = {value.value}" for name, value in dut.tie.items())
            held = f", or that an input holds up ([tie] {tied})"
        yield f"no result came at all: as of a design that is still in reset{reset}{held}"
        return
    seen = observe(job, result, dut, stimulus)
    if seen is None:
        return
    said = list(outputs.found(seen))
    defined = _definition(cases[0], job) if len(cases) == 1 else None
    if not said and defined is not None and job.unit.module not in _OF_SEVERAL:
        said = list(inputs.found(seen, defined))
    for text in said:
        yield f"one explanation of all {seen.differing:,} differences: {text}"


def _nothing_came(result: LaneResult) -> bool:
    return not result.beats_out and any(each.kind == "hang" for each in result.problems)
