"""A first difference explained: its operands, the definition's steps, and what explains all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from qsim.cosim import jobs
from qsim.cosim.explaining import inputs, outputs
from qsim.cosim.explaining.definitions import definition
from qsim.cosim.explaining.explanation import Explanation
from qsim.cosim.explaining.observed import observe
from qsim.cosim.explaining.operands import operands, traced, values_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qsim.cosim.dut import Dut
    from qsim.cosim.jobs import Job
    from qsim.cosim.lanes import LaneResult, Stimulus
    from qsim.golden import Case
    from qsim.mismatch import Mismatch
    from qsim.target import Target


def explain(
    cases: Sequence[Case],
    job: Job,
    result: LaneResult,
    first: Mismatch | None,
    target: Target,
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
        made = replace(made, expected=first.expected)
    made = replace(made, hints=tuple(_hints(cases, job, result, dut, stimulus)))
    return None if first is None and not made.hints else made


def _element(cases: Sequence[Case], job: Job, element: int, target: Target) -> Explanation:
    """Return the operands and steps of an element; those of every call of a layer."""
    if len(cases) == 1:
        return _of_call(cases[0], job, element)
    parts = [_of_call(case, jobs.job(case, target), element, case.primitive) for case in cases]
    return Explanation(
        operands=tuple(each for part in parts for each in part.operands),
        steps=tuple(each for part in parts for each in part.steps),
        defined=parts[-1].defined,
        refused=next((part.refused for part in parts if part.refused), ""),
    )


def _of_call(case: Case, job: Job, element: int, prefix: str = "") -> Explanation:
    from hw_models.errors import AccumulatorOverflowError, ContractError

    defined = definition(case)
    if defined is None:
        return Explanation()
    beat, lane = (int(i) for i in np.argwhere(job.element == element)[0])
    values = values_of(job, beat, lane)
    read = operands(job, values)
    try:
        told, value = traced(defined, values)
    except (ContractError, AccumulatorOverflowError) as error:
        return Explanation(operands=read, refused=str(error))
    if prefix:
        read = tuple(replace(each, name=f"{prefix}: {each.name}") for each in read)
        told = tuple(replace(each, name=f"{prefix}: {each.name}") for each in told)
    return Explanation(operands=read, steps=told, defined=value)


def _hints(
    cases: Sequence[Case], job: Job, result: LaneResult, dut: Dut | None, stimulus: Stimulus
) -> Iterator[str]:
    if _nothing_came(result):
        reset = ""
        if dut is not None and dut.reset:
            level = int(dut.reset_active == "high")
            reset = f" ([reset] says that {dut.reset} = {level} resets)"
        yield f"no result came at all: as of a design that is still in reset{reset}"
        return
    seen = observe(job, result, dut, stimulus)
    if seen is None:
        return
    said = list(outputs.found(seen))
    defined = definition(cases[0]) if len(cases) == 1 else None
    if not said and defined is not None:
        said = list(inputs.found(seen, defined))
    for text in said:
        yield f"one explanation of all {seen.differing:,} differences: {text}"


def _nothing_came(result: LaneResult) -> bool:
    return not result.beats_out and any(each.kind == "hang" for each in result.problems)
