"""A case as a Program of one call: what checks a case and computes its output."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qsim.errors import ModelError
from qsim.program import PRIMITIVES, Call, Program, TensorSpec, check_range

if TYPE_CHECKING:
    from qsim.golden.case import Case
    from qsim.program import Array


def program_of(case: Case) -> Program:
    """Return the Program whose one call is the case.

    Raises:
        ModelError: attributes, shapes or formats that the primitive does not accept, or an
            expected output of another shape or format than the primitive makes.
    """
    binding = PRIMITIVES[case.primitive]
    prefix = "operand/"
    while any(name.startswith(prefix) for name in case.constants):
        prefix += "/"
    names = {name: f"{prefix}{name}" for name in case.operands}
    fixed = {names[name]: case.operands[name] for name in binding.constant}
    tensors = {
        names[name]: TensorSpec(names[name], array.shape, case.formats[name])
        for name, array in case.operands.items()
    }
    made = f"{prefix}output"
    tensors[made] = TensorSpec(made, case.expected.shape, case.formats["output"])
    inputs = tuple(names[name] for name in case.operands if name not in binding.constant)
    # A Program does not tell calls by their names: the case's own may be any printable text.
    call = Call(case.name, case.layer, case.primitive, tuple(names.values()), made, case.attributes)
    return Program("case", inputs, (made,), tensors, {**case.constants, **fixed}, (call,))


def check_case(case: Case) -> Program:
    """Return the Program of a case after checking every array of it.

    Raises:
        QsimError: what :func:`program_of` refuses, an array of another dtype than its format's
            container, or a code that its format does not hold.
    """
    from hw_models import FixedFormat

    program = program_of(case)
    for name, array in (*case.operands.items(), ("output", case.expected)):
        where = f"case {case.name!r}: {name}"
        form = case.formats[name]
        if not isinstance(form, FixedFormat):
            if array.dtype != form.dtype:
                raise ModelError(f"must hold {form.dtype}, not {array.dtype}", where=where)
            continue
        if array.dtype.kind not in "iu":
            raise ModelError(f"must hold integers, not {array.dtype}", where=where)
        check_range(array, form, where)
    wanted = case.formats["output"].dtype
    if case.expected.dtype != wanted:
        raise ModelError(
            f"must have the dtype of its format, not {case.expected.dtype}",
            where=f"case {case.name!r}: output",
            accepted=str(wanted),
        )
    return program


def compute(case: Case) -> Array:
    """Return what hw_models makes of a case's operands, in the dtype of the output's format.

    Raises:
        QsimError: the case is not acceptable, or an accumulator whose overflow mode is
            ``error`` overflowed.
    """
    program = check_case(case)
    constant = PRIMITIVES[case.primitive].constant
    operands = [array for name, array in case.operands.items() if name not in constant]
    (result,) = program.run(*operands)
    return result
