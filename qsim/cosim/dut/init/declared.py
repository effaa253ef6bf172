"""Ports, interfaces and parameters of an elaborated module, as plain values."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final, Literal

from qsim.cosim.dut.init.module import Interface, Parameter, Part, Port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qsim.cosim.dut.init.module import Direction

_DIRECTIONS: Final[dict[str, Direction]] = {"In": "input", "Out": "output"}


def _kind(symbol: Any) -> str:
    """Return the name of a symbol's kind."""
    return str(symbol.kind).rpartition(".")[2]


def _direction(symbol: Any) -> Direction:
    return _DIRECTIONS.get(str(symbol.direction).rpartition(".")[2], "inout")


def ports_of(body: Any) -> Iterator[Port]:
    """Yield the ports of a module that a binding can name; of interfaces their signals."""
    for port in body.portList:
        if _unbound(port):
            continue
        if _kind(port) == "Port":
            yield _port(port.name, _direction(port), port.type)
        elif _kind(port) == "InterfacePort":
            yield from _signals(port)


def unbound_of(body: Any) -> Iterator[str]:
    """Yield what a binding has no words for: ports, with the reason, and parameters to be set."""
    yield from filter(None, map(_unbound, body.portList))
    for each in body.parameters:
        if not (each.isLocalParam or each.initializer or _kind(each) == "TypeParameter"):
            yield (
                f"parameter {each.name} has no default: set it in [parameters], "
                "and correct the widths that follow from it"
            )


def _unbound(port: Any) -> str:
    """Return why a binding cannot name a port; empty where it can."""
    if _kind(port) == "InterfacePort":
        instance, _ = port.connection or (None, None)
        if port.isGeneric:
            return f"{port.name} is an interface of any type, which a binding cannot name"
        if instance is not None and _kind(instance) == "InstanceArray":
            return f"{port.name} is an array of interfaces, which a binding cannot name"
        return ""
    if _kind(port) != "Port" or not port.name:
        return "a port has no name to connect it by: {a, b} in the list of ports"
    spans, type_ = _dimensions(port.type)
    if len({rises for _, rises in spans}) > 1:
        return f"{port.name} is an array that counts up in one dimension and down in another"
    if not type_.isIntegral and _kind(type_) != "ErrorType":
        return f"{port.name} is a {type_}, which is no vector of bits"
    return ""


def _dimensions(given: Any) -> tuple[list[tuple[int, bool]], Any]:
    """Return the size of each unpacked dimension, whether it counts up, and the element's type."""
    type_, spans = given.canonicalType, []
    while type_.isUnpackedArray and hasattr(type_, "fixedRange"):
        span = type_.fixedRange
        spans.append((abs(span.left - span.right) + 1, bool(span.left <= span.right)))
        type_ = type_.arrayElementType.canonicalType
    return spans, type_


def _signals(port: Any) -> Iterator[Port]:
    _, modport = port.connection or (None, None)
    for signal in modport or ():
        if _kind(signal) == "ModportPort":
            yield _port(f"{port.name}.{signal.name}", _direction(signal), signal.type)


def _port(name: str, direction: Direction, given: Any) -> Port:
    spans, type_ = _dimensions(given)
    sizes = tuple(size for size, _ in spans)
    unpacked = ("ascending" if spans[0][1] else "descending") if spans else ""
    count = math.prod(sizes)
    bits, signed = int(type_.bitWidth), bool(type_.isSigned)
    if _kind(type_) == "PackedArrayType" and not unpacked:
        inner = type_.arrayElementType.canonicalType
        if int(inner.bitWidth) > 1:
            count = bits // int(inner.bitWidth)
            bits, signed = int(inner.bitWidth), bool(inner.isSigned)
    held: Literal["", "ascending", "descending"] = unpacked  # type: ignore[assignment]
    several = sizes if len(sizes) > 1 else ()
    return Port(name, direction, max(bits, 1), signed, count, held, tuple(_parts(type_)), several)


def _parts(type_: Any) -> Iterator[Part]:
    """Yield the members of a packed structure, those inside members with joined names."""
    if _kind(type_) != "PackedStructType":
        return
    for field in type_:
        if _kind(field) != "Field":
            continue
        lsb, inner = int(field.bitOffset), field.type.canonicalType
        deeper = list(_parts(inner))
        for part in deeper:
            yield Part(f"{field.name}_{part.name}", part.bits, part.signed, lsb + part.lsb)
        if not deeper:
            yield Part(field.name, int(inner.bitWidth), bool(inner.isSigned), lsb)


def interfaces_of(body: Any) -> Iterator[Interface]:
    """Yield the ports that are interfaces."""
    for port in body.portList:
        if _kind(port) != "InterfacePort" or port.interfaceDef is None or _unbound(port):
            continue
        instance, _ = port.connection or (None, None)
        clock = "" if instance is None else _clock(instance)
        yield Interface(port.name, port.interfaceDef.name, port.modport or "", clock)


def _clock(instance: Any) -> str:
    names = [each.name for each in instance.body.portList]
    return next((name for name in names if "clk" in name.lower() or "clock" in name.lower()), "")


def parameters_of(body: Any) -> Iterator[Parameter]:
    """Yield the parameters that an instance may set."""
    for each in body.parameters:
        if each.isLocalParam:
            continue
        if _kind(each) == "TypeParameter":
            yield Parameter(each.name, "", "a type, which a binding cannot set")
            continue
        value = None if each.value is None else each.value.value
        text = _toml(value, each.initializer)
        yield Parameter(each.name, text, "" if text else "its default is no constant of TOML")


def _toml(value: Any, initializer: Any) -> str:
    """Return a constant as TOML writes it; empty where it does not."""
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else ""
    if value is None or isinstance(value, (list, bool)) or getattr(value, "hasUnknown", True):
        return ""
    number = int(value)
    source = getattr(initializer, "operand", initializer)
    if source is not None and _kind(source) == "StringLiteral":
        size = (int(value.bitWidth) + 7) // 8
        return json.dumps(number.to_bytes(size, "big").decode("latin-1"))
    if -(1 << 63) <= number < 1 << 64:
        return str(number)
    digits = number & ((1 << int(value.bitWidth)) - 1)
    return f'{{ bits = {int(value.bitWidth)}, hex = "{digits:x}" }}'
