"""Which inputs of a module are clocks and resets, by what its processes do with them.

Names mislead; ``always @(posedge a or negedge b) if (!b)`` does not. What modules inside do counts
for the inputs that are connected to them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

Edge: TypeAlias = Literal["posedge", "negedge", "both"]
Level: TypeAlias = Literal["high", "low"]
_MOST_DEEP = 32


def edges_of(body: Any, depth: int = 0) -> tuple[dict[str, Edge], dict[str, Level]]:
    """Return (nets in event controls with their edge, nets asked for first with the level)."""
    edges: dict[str, Edge] = {}
    levels: dict[str, Level] = {}
    for symbol in symbols(body):
        kind = str(symbol.kind).rpartition(".")[2]
        if kind == "ProceduralBlock":
            _process(symbol.body, edges, levels)
        elif kind == "Instance" and depth < _MOST_DEEP and hasattr(symbol, "portConnections"):
            inner_edges, inner_levels = edges_of(symbol.body, depth + 1)
            for connection in symbol.portConnections:
                name, inner = _net(connection.expression), connection.port.name
                if name and inner in inner_edges:
                    edges.setdefault(name, inner_edges[inner])
                if name and inner in inner_levels:
                    levels.setdefault(name, inner_levels[inner])
    return edges, levels


def symbols(scope: Any) -> Iterator[Any]:
    """Yield the members of a scope, and of the generate blocks in it."""
    for symbol in scope:
        kind = str(symbol.kind).rpartition(".")[2]
        if kind in ("GenerateBlock", "GenerateBlockArray"):
            if not getattr(symbol, "isUninstantiated", False):
                yield from symbols(symbol)
        else:
            yield symbol


def unknown_interfaces(body: Any) -> Iterator[str]:
    """Yield the interfaces of a module's ports that no file defines; the parser says nothing."""
    for port in body.portList:
        if not str(port.kind).endswith("InterfacePort") or port.isGeneric:
            continue
        if port.interfaceDef is None:
            syntax = port.syntax
            while syntax is not None and not hasattr(syntax, "header"):
                syntax = syntax.parent
            name = getattr(getattr(syntax, "header", None), "nameOrKeyword", None)
            if name is not None:
                yield str(name.valueText)


def unknown(body: Any, depth: int = 0) -> Iterator[str]:
    """Yield the modules inside a module that no file defines."""
    for symbol in symbols(body):
        kind = str(symbol.kind).rpartition(".")[2]
        if kind == "UninstantiatedDef":
            yield str(symbol.definitionName)
        elif kind == "Instance" and depth < _MOST_DEEP:
            yield from unknown(symbol.body, depth + 1)


def _net(expression: Any) -> str:
    symbol = getattr(expression, "symbol", None)
    return "" if symbol is None else str(symbol.name)


def _process(statement: Any, edges: dict[str, Edge], levels: dict[str, Level]) -> None:
    timing = getattr(statement, "timing", None)
    if timing is None:
        return
    events = list(getattr(timing, "events", [timing]))
    found: dict[str, Edge] = {}
    for event in events:
        edge = str(getattr(event, "edge", "")).rpartition(".")[2]
        name = _net(getattr(event, "expr", None))
        if name and edge in ("PosEdge", "NegEdge", "BothEdges"):
            found[name] = {"PosEdge": "posedge", "NegEdge": "negedge"}.get(edge, "both")  # type: ignore[assignment]
    if not found:
        return
    asked = _asked(statement.stmt)
    if asked is not None:
        name, level = asked
        levels.setdefault(name, level)
        if len(found) > 1:  # an asynchronous reset is in the event control too
            found.pop(name, None)
    for name, edge in found.items():
        edges.setdefault(name, edge)


def _asked(statement: Any) -> tuple[str, Level] | None:
    """Return the net of the first condition, and the level at which it holds."""
    for _ in range(8):
        kind = str(statement.kind).rpartition(".")[2]
        if kind == "Block":
            statement = statement.body
        elif kind == "List":
            inner = list(statement.list)
            if not inner:
                return None
            statement = inner[0]
        else:
            break
    if str(statement.kind).rpartition(".")[2] != "Conditional":
        return None
    return _level(statement.conditions[0].expr)


def _level(expression: Any) -> tuple[str, Level] | None:
    negations = 0
    for _ in range(8):
        if hasattr(expression, "op") and hasattr(expression, "operand"):
            negations += str(expression.op).rpartition(".")[2] in ("LogicalNot", "BitwiseNot")
            expression = expression.operand
        elif hasattr(expression, "operand"):  # a conversion
            expression = expression.operand
        elif hasattr(expression, "op") and hasattr(expression, "left"):  # a comparison with 0 or 1
            op = str(expression.op).rpartition(".")[2]
            constant = getattr(expression.right, "constant", None)
            value = None if constant is None else str(constant)
            if op not in ("Equality", "Inequality", "CaseEquality") or value is None:
                return None
            negations += (op != "Inequality") == value.endswith("0")
            expression = expression.left
        else:
            break
    name = _net(expression)
    return (name, "low" if negations % 2 else "high") if name else None
