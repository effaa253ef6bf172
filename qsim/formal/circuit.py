"""A combinational module as z3 terms: one term per output, over one bit-vector per input."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import z3

from qsim.errors import FileFormatError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_PORT = re.compile(r"^; yosys-smt2-(input|output) (\S+) (\d+)$", re.MULTILINE)
_REGISTER = re.compile(r"^; yosys-smt2-(register|memory) (\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Circuit:
    """A module without state.

    Attributes:
        inputs: their widths.
        outputs: their terms; an input is the constant of its own name.
    """

    inputs: Mapping[str, int]
    outputs: Mapping[str, Any]

    def apply(self, name: str, values: Mapping[str, Any]) -> Any:
        """Return an output for these inputs; one that is not given may be anything."""
        pairs = [(z3.BitVec(port, term.size()), term) for port, term in values.items()]
        return z3.substitute(self.outputs[name], *pairs)


def parse(smt2: str) -> Circuit:
    """Read what ``yosys.smt2`` returned.

    Raises:
        FileFormatError: the module holds state.
    """
    register = _REGISTER.search(smt2)
    if register:
        raise FileFormatError(
            f"the core must be combinational, and {register[2]} is a {register[1]}",
            accepted="a module without clocked processes",
        )
    ports = [(kind, name, int(width)) for kind, name, width in _PORT.findall(smt2)]
    lines = [smt2, "(declare-const s |top_s|)"]
    for _, name, width in ports:
        sort = "Bool" if width == 1 else f"(_ BitVec {width})"
        lines.append(f"(declare-const |port {name}| {sort})")
        lines.append(f"(assert (= (|top_n {name}| s) |port {name}|))")
    terms = [equation.arg(0) for equation in z3.parse_smt2_string("\n".join(lines))]
    inputs = {name: width for kind, name, width in ports if kind == "input"}
    outputs: dict[str, Any] = {}
    bits: dict[Any, Any] = {}
    for (kind, name, width), term in zip(ports, terms, strict=True):
        if kind == "input":
            bits |= _leaves(_word(term), z3.BitVec(name, width))
        else:
            outputs[name] = _word(term)
    known = [(leaf, _assembled(leaf, bits)) for leaf in {leaf for leaf, _ in bits}]
    return Circuit(inputs, {name: _over(term, known) for name, term in outputs.items()})


def _word(term: Any) -> Any:
    """Return a term of one bit as a bit-vector."""
    if z3.is_bool(term):
        return z3.If(term, z3.BitVecVal(1, 1), z3.BitVecVal(0, 1))
    return term


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


def _over(term: Any, known: Sequence[tuple[Any, Any]]) -> Any:
    """Return an output over the ports alone.

    Raises:
        FileFormatError: it depends on something else: a net that nothing drives, or x.
    """
    result = z3.substitute(term, *known)
    if any(node.num_args() for node in _functions(result)):
        raise FileFormatError("the core must not use nets that nothing drives, or x")
    return result


def _functions(term: Any) -> Iterator[Any]:
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
