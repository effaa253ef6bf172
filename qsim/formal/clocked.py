"""A clocked module as z3 terms: outputs and next states, over its inputs and its state."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import z3

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_PORT: Final = re.compile(r"^; yosys-smt2-(input|output) (\S+) (\d+)$", re.MULTILINE)
_REGISTER: Final = re.compile(r"^; yosys-smt2-(register|memory) (\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Clocked:
    """A module of one clock. Every constant has a name of its own.

    Attributes:
        inputs: their widths; an input is the constant of its own name.
        outputs: their terms.
        state: each register and memory, a constant, with what it holds after the next clock edge.
        choices: constants for bits that the design leaves undefined: x, or a net without a driver.
        names: of registers and memories, as yosys calls them.
        initial: what registers and memories hold when a run begins, by the names of their
            constants; only those that the design gives all bits of, and entries of memories.
    """

    inputs: Mapping[str, int]
    outputs: Mapping[str, Any]
    state: tuple[tuple[Any, Any], ...]
    choices: tuple[Any, ...]
    names: tuple[str, ...]
    initial: Mapping[str, Any] = field(default_factory=dict)


def read_clocked(smt2: str) -> Clocked:
    """Read what ``yosys.smt2`` returned."""
    ports = [(kind, name, int(width)) for kind, name, width in _PORT.findall(smt2)]
    lines = [smt2, "(declare-const s |top_s|)", "(declare-const t |top_s|)"]
    for _, name, width in ports:
        sort = "Bool" if width == 1 else f"(_ BitVec {width})"
        lines.append(f"(declare-const |port {name}| {sort})")
        lines.append(f"(assert (= (|top_n {name}| s) |port {name}|))")
    lines += ["(assert (|top_i| s))", "(assert (|top_t| s t))"]
    *equations, initial, step = z3.parse_smt2_string("\n".join(lines))
    inputs = {name: width for kind, name, width in ports if kind == "input"}
    outputs: dict[str, Any] = {}
    bits: dict[Any, Any] = {}
    for (kind, name, width), equation in zip(ports, equations, strict=True):
        term = word(equation.arg(0))
        if kind == "input":
            bits |= _leaves(term, z3.BitVec(name, width))
        else:
            outputs[name] = term
    known = [(leaf, _assembled(leaf, bits)) for leaf in {leaf for leaf, _ in bits}]
    state = []
    begins = dict(_begins(initial))
    first: dict[str, Any] = {}
    for number, (now, after) in enumerate(_steps(step)):
        register = z3.Const(f"register {number}", now.sort())
        known.append((now, register))
        state.append((register, after))
        value = begins.get(now)
        if isinstance(value, list):
            value = functools.reduce(lambda held, entry: z3.Store(held, *entry), value, register)
        if value is not None:
            first[str(register)] = value
    # What is neither an input nor a register is a choice of its own in every cycle.
    terms = [*outputs.values(), *(after for _, after in state)]
    free = {
        leaf.get_id(): leaf
        for term in terms
        for leaf in functions(z3.substitute(term, *known))
        if leaf.num_args()
    }
    choices = []
    for number, leaf in enumerate(free.values()):
        choices.append(z3.Const(f"choice {number}", leaf.sort()))
        known.append((leaf, choices[-1]))
    return Clocked(
        inputs,
        {name: z3.substitute(term, *known) for name, term in outputs.items()},
        tuple((register, z3.substitute(after, *known)) for register, after in state),
        tuple(choices),
        tuple(name for _, name in _REGISTER.findall(smt2)),
        first,
    )


def word(term: Any) -> Any:
    """Return a term of one bit as a bit-vector."""
    if z3.is_bool(term):
        return z3.If(term, z3.BitVecVal(1, 1), z3.BitVecVal(0, 1))
    return term


def functions(term: Any) -> Iterator[Any]:
    """Yield the uninterpreted parts of a term: constants and functions."""
    seen: set[int] = set()
    stack = [term]
    while stack:
        node = stack.pop()
        if node.get_id() not in seen:
            seen.add(node.get_id())
            stack += node.children()
            if z3.is_app_of(node, z3.Z3_OP_UNINTERPRETED):
                yield node


def run(
    machine: Clocked,
    cycles: Sequence[Mapping[str, Any]],
    start: Mapping[str, Any] | None = None,
    name: str = "",
) -> Iterator[Mapping[str, Any]]:
    """Yield the outputs in each cycle.

    Args:
        machine: the module.
        cycles: for each, the inputs that are known, by name. All others, and every choice, are
            free in each cycle anew.
        start: registers whose first value is known, by the names of their constants; all others
            hold anything.
        name: of the run: where two are in one query each has free inputs of its own.
    """
    state = {register: (start or {}).get(str(register), register) for register, _ in machine.state}
    for number, given in enumerate(cycles):
        pairs = list(state.items())
        when = f"in cycle {number}{name}"
        for port, width in machine.inputs.items():
            free = z3.BitVec(f"{port} {when}", width)
            pairs.append((z3.BitVec(port, width), given.get(port, free)))
        pairs += [(each, z3.Const(f"{each} {when}", each.sort())) for each in machine.choices]
        yield {port: z3.substitute(term, *pairs) for port, term in machine.outputs.items()}
        state = {register: z3.substitute(after, *pairs) for register, after in machine.state}


def _begins(initial: Any) -> Iterator[tuple[Any, Any]]:
    """Yield (a register's function of the state, its first value) from the initial relation.

    Of a memory a list of (address, entry) pairs. What is given in part is left out.
    """
    memories: dict[Any, list[tuple[Any, Any]]] = {}
    for part in initial.children() if z3.is_and(initial) else [initial]:
        if not z3.is_eq(part):
            continue
        left, right = part.children()
        if z3.is_true(right) or z3.is_false(right):  # a single bit
            right = z3.BitVecVal(int(z3.is_true(right)), 1)
            left = left.arg(0) if z3.is_eq(left) else left
        if z3.is_app_of(left, z3.Z3_OP_EXTRACT) and left.size() == left.arg(0).size():
            left = left.arg(0)
        if z3.is_app_of(left, z3.Z3_OP_BAND):
            left, mask = left.children()
            if mask.as_signed_long() != -1:
                continue
        if z3.is_app_of(left, z3.Z3_OP_SELECT):
            memory, address = left.children()
            memories.setdefault(memory, []).append((address, right))
        elif z3.is_app_of(left, z3.Z3_OP_UNINTERPRETED):
            yield left, right if z3.is_bv(left) else right == 1
    yield from memories.items()


def _steps(step: Any) -> Iterator[tuple[Any, Any]]:
    """Yield (a register's function of the state, its next value) from the transition relation."""
    if z3.is_true(step):
        return
    parts = step.children() if z3.is_and(step) else [step]
    now, after = z3.Const("s", parts[0].arg(1).arg(0).sort()), parts[0].arg(1).arg(0)
    for part in parts:
        value, register = part.children()
        yield z3.substitute(register, (after, now)), value


def _leaves(term: Any, port: Any) -> dict[Any, Any]:
    """Return which bit of a port each bit of yosys' own functions of the state is.

    A port that is used in parts is a concatenation of such functions, or of their parts.
    """
    if z3.is_app_of(term, z3.Z3_OP_CONCAT):
        found: dict[Any, Any] = {}
        low = 0
        for child in reversed(term.children()):
            found |= _leaves(child, z3.Extract(low + child.size() - 1, low, port))
            low += child.size()
        return found
    if z3.is_app_of(term, z3.Z3_OP_ITE) and z3.is_eq(term.arg(0)):
        return _leaves(term.arg(0).arg(0), port)  # a bit that is compared with 1
    if z3.is_app_of(term, z3.Z3_OP_EXTRACT):
        (_, low), (leaf,) = term.params(), term.children()
    elif z3.is_app_of(term, z3.Z3_OP_ITE):  # a single bit
        low, leaf = 0, term.arg(0)
    else:
        low, leaf = 0, term
    return {(leaf, low + i): z3.Extract(i, i, port) for i in range(port.size())}


def _assembled(leaf: Any, bits: Mapping[Any, Any]) -> Any:
    if z3.is_bool(leaf):
        return bits[leaf, 0] == 1
    parts = [bits[leaf, i] for i in reversed(range(leaf.size()))]
    return z3.simplify(z3.Concat(parts) if len(parts) > 1 else parts[0])
