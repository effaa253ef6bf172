"""The module that the benches drive, around somebody else's design.

It has the ports of every ``dut``: gathers beats into the design's lanes, drives its ports and its
handshake, and turns what comes out into beats again. A design that cannot wait gets no operation
whose result would not fit the buffer behind it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, assert_never

from qsim.cosim.dut.binding import Stream, require_unit
from qsim.cosim.dut.ports import require_ports
from qsim.cosim.simulators import RTL_TB, Design
from qsim.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from qsim.cosim.dut.binding import Binding, Dut, Order
    from qsim.cosim.jobs import Unit

# What the wrapper instantiates.
HELPERS: Final = tuple(
    RTL_TB / "dut" / name for name in ("dut_fifo.sv", "dut_gather.sv", "dut_scatter.sv")
)
_LOG_DEPTH: Final = 8  # base 2: 256 results in flight, more than the longest latency


def design(dut: Dut, unit: Unit) -> Design:
    """Return somebody else's module as the benches build it.

    Raises:
        UsageError: the design does not fit the unit, or leaves an input open.
    """
    require_ports(dut)
    return Design(
        wrapper(dut, unit),
        (*HELPERS, *dut.sources),
        unit.inputs.width,
        unit.outputs.width,
        dut.include,
        dut.defines,
        Path(dut.where).resolve().parent,
    )


def wrapper(dut: Dut, unit: Unit) -> str:
    """Return the SystemVerilog text of module ``dut`` around the design.

    Raises:
        UsageError: the design does not fit the unit (see ``require_unit``).
    """
    require_unit(dut, unit)
    parts = [_head(dut, unit), *_issue(dut), *_drive(dut, unit), *_instance(dut, unit)]
    parts += _results(dut, unit)
    return "\n".join([*parts, "endmodule", ""])


def _head(dut: Dut, unit: Unit) -> str:
    produces = "1'b1"
    if dut.reduces:
        produces = "g_last"
    elif unit.primitive == "lookup":  # writing the table makes no result
        produces = f"!g_data[{unit.inputs.offsets()['load']}]"
    return f"""\
// Around {dut.top}; made from its binding.
module qsim_tb_dut (
    input  logic clk,
    input  logic rst,
    input  logic s_axis_tvalid,
    output logic s_axis_tready,
    input  logic [{unit.inputs.width - 1}:0] s_axis_tdata,
    input  logic s_axis_tlast,
    output logic m_axis_tvalid,
    input  logic m_axis_tready,
    output logic [{unit.outputs.width - 1}:0] m_axis_tdata,
    output logic m_axis_tlast
);
  localparam int S_W = {unit.inputs.width};
  localparam int M_W = {unit.outputs.width};
  localparam int LANES = {dut.lanes};
  localparam int COUNT_W = 8;
  localparam int LOG_DEPTH = {_LOG_DEPTH};
  logic g_valid, g_ready, g_last, r_valid, r_ready, issue, tag_empty, tag_full;
  logic [LANES*S_W-1:0] g_data;
  logic [LANES*M_W-1:0] r_data;
  logic [COUNT_W-1:0] g_count;
  logic [COUNT_W:0] tag;
  wire produces = {produces};

  qsim_tb_gather #(.W(S_W), .LANES(LANES), .COUNT_W(COUNT_W)) gather (
      .clk, .rst, .s_valid(s_axis_tvalid), .s_ready(s_axis_tready), .s_data(s_axis_tdata),
      .s_last(s_axis_tlast), .g_valid, .g_ready, .g_data, .g_count, .g_last);

  // What is known of a result before it comes: how many beats, and tlast.
  qsim_tb_fifo #(.W(COUNT_W + 1), .LOG_DEPTH(LOG_DEPTH)) tags (
      .clk, .rst, .push(issue && produces), .data({{g_last, g_count}}), .pop(r_valid && r_ready),
      .head(tag), .empty(tag_empty), .full(tag_full));

  // A result that nothing asked for is passed on: the bench says so.
  qsim_tb_scatter #(.W(M_W), .LANES(LANES), .COUNT_W(COUNT_W)) scatter (
      .clk, .rst, .r_valid, .r_ready, .r_data,
      .r_count(tag_empty ? COUNT_W'(1) : tag[COUNT_W-1:0]), .r_last(!tag_empty && tag[COUNT_W]),
      .m_valid(m_axis_tvalid), .m_ready(m_axis_tready), .m_data(m_axis_tdata),
      .m_last(m_axis_tlast));
"""


def _streams(dut: Dut) -> dict[Stream, list[str]]:
    """Return the input handshakes of the design, with the operands that belong to each."""
    streams: dict[Stream, list[str]] = {}
    for name, binding in dut.operands.items():
        streams.setdefault(binding.stream if binding.stream != Stream() else dut.input, []).append(
            name
        )
    return streams or {dut.input: []}


def _issue(dut: Dut) -> Iterator[str]:
    """When an operation enters the design, and on which of its handshakes."""
    if dut.handshake != "axi_stream":
        yield "  assign g_ready = !tag_full;"
        yield "  assign issue = g_valid && g_ready;"
        if dut.input.valid:
            yield "  wire in_0 = issue;"
        return
    streams = list(_streams(dut))
    accepted = []
    for index, _ in enumerate(streams):
        yield f"  logic ready_{index}, done_{index};"
        yield f"  wire in_{index} = g_valid && !tag_full && !done_{index};"
        accepted.append(f"(done_{index} || ready_{index})")
        yield "  always_ff @(posedge clk)"
        yield f"    if (rst || issue) done_{index} <= 1'b0;"
        yield f"    else if (in_{index} && ready_{index}) done_{index} <= 1'b1;"
    yield f"  assign g_ready = !tag_full && {' && '.join(accepted)};"
    yield "  assign issue = g_valid && g_ready;"


def _port_widths(bindings: Mapping[str, Binding], lanes: Mapping[str, int]) -> dict[str, int]:
    """Return every port of the bindings with the number of bits that they need of it."""
    widths: dict[str, int] = {}
    for name, binding in bindings.items():
        each = 1 if len(binding.ports) > 1 else lanes[name]
        for port in binding.ports:
            top = binding.lsb + (each - 1) * binding.stride + binding.bits
            widths[port] = max(widths.get(port, 0), top)
    return widths


def _rises(order: Order) -> bool:
    match order:
        case "first_lowest":
            return True
        case "first_highest":
            return False
        case _:
            assert_never(order)


def _reset(dut: Dut) -> str:
    match dut.reset_active:
        case "high":
            return "rst"
        case "low":
            return "!rst"
        case _:
            assert_never(dut.reset_active)


def _places(dut: Dut, binding: Binding, lanes: int) -> Iterator[tuple[int, str, int]]:
    """Yield (operation * lanes + lane, port, lowest bit) of every value of a field."""
    total = lanes * dut.lanes
    rising = _rises(dut.lane_order)
    for position in range(total):
        index = position if rising else total - 1 - position
        if len(binding.ports) > 1:
            yield index, binding.ports[position], binding.lsb
        else:
            yield index, binding.ports[0], binding.lsb + position * binding.stride


def _drive(dut: Dut, unit: Unit) -> Iterator[str]:
    """Operands from the gathered beats to the design's ports."""
    offsets, fields = unit.inputs.offsets(), {f.name: f for f in unit.inputs.fields}
    ports: dict[str, list[tuple[int, int, str]]] = {}
    for name, binding in dut.operands.items():
        field = fields[name]
        for index, port, lsb in _places(dut, binding, field.lanes):
            operation, lane = divmod(index, field.lanes)
            start = operation * unit.inputs.width + offsets[name] + lane * field.bits
            value = _resized("g_data", start, field.bits, binding.bits, signed=field.signed)
            ports.setdefault(port, []).append((lsb, binding.bits, value))
    for port, parts in ports.items():
        width = max(lsb + bits for lsb, bits, _ in parts)
        yield f"  wire [{width - 1}:0] p_{port} = {_joined(dut, port, parts)};"


def _joined(dut: Dut, port: str, parts: list[tuple[int, int, str]]) -> str:
    """Return the concatenation of (lowest bit, bits, value), zeros between them."""
    words, end = [], 0
    for lsb, bits, value in sorted(parts):
        if lsb < end:
            raise UsageError(
                f"two operands share bit {lsb} of port {port!r}",
                where=f"{dut.where}: [operands]",
                accepted="fields side by side",
            )
        if lsb > end:
            words.append(f"{lsb - end}'b0")
        words.append(value)
        end = lsb + bits
    return "{" + ", ".join(reversed(words)) + "}"


def _resized(vector: str, start: int, have: int, want: int, *, signed: bool) -> str:
    """Return the ``have`` bits of a vector from start on, as ``want`` bits."""
    part = f"{vector}[{start}+:{min(have, want)}]"
    if want <= have:
        return part
    fill = f"{vector}[{start + have - 1}]" if signed else "1'b0"
    return f"{{{{{want - have}{{{fill}}}}}, {part}}}"


def _instance(dut: Dut, unit: Unit) -> Iterator[str]:
    """The design, with every port that its binding names."""
    ports = {dut.clock: "clk"}
    if dut.reset:
        ports[dut.reset] = _reset(dut)
    for index, stream in enumerate(_streams(dut)):
        ports |= {stream.valid: f"in_{index}", stream.ready: f"ready_{index}"}
        ports |= {stream.last: "g_last"}
    output = dut.output
    ports |= {output.valid: "out_valid", output.ready: "out_ready"}
    names = list(dict.fromkeys(p for b in dut.operands.values() for p in b.ports))
    ports |= {port: f"p_{port}" for port in names}
    lanes = {field.name: field.lanes * dut.lanes for field in unit.outputs.fields}
    for port, width in _port_widths(dut.results, lanes).items():
        yield f"  wire [{width - 1}:0] p_{port};"
        ports[port] = f"p_{port}"
    if output.valid:
        yield "  wire out_valid;"
    if output.ready:
        yield "  wire out_ready;"
    values = ", ".join(f".{name}({value})" for name, value in dut.parameters.items())
    yield f"  {dut.top} {f'#({values}) ' if values else ''}theirs ("
    yield ",\n".join(f"      .{port}({net})" for port, net in ports.items() if port)
    yield "  );"


def _results(dut: Dut, unit: Unit) -> Iterator[str]:
    """From the design's result ports to groups of results, buffered where it cannot wait."""
    offsets = unit.outputs.offsets()
    parts = []
    for field in unit.outputs.fields:
        binding = dut.results[field.name]
        for index, port, lsb in _places(dut, binding, field.lanes):
            operation, lane = divmod(index, field.lanes)
            start = operation * unit.outputs.width + offsets[field.name] + lane * field.bits
            value = _resized(f"p_{port}", lsb, binding.bits, field.bits, signed=binding.signed)
            parts.append((start, field.bits, value))
    yield f"  wire [LANES*M_W-1:0] out_data = {_joined(dut, 'out_data', parts)};"
    match dut.handshake:
        case "axi_stream":
            yield "  assign r_valid = out_valid;"
            yield "  assign out_ready = r_ready;"
            yield "  assign r_data = out_data;"
            return
        case "fixed_latency":
            yield f"  localparam int LATENCY = {dut.latency};"
            yield "  logic [LATENCY:0] asked;"
            yield "  assign asked[0] = issue && produces;"
            if dut.latency:
                shifted = "asked[LATENCY:1] <= rst ? '0 : asked[LATENCY-1:0];"
                yield f"  always_ff @(posedge clk) {shifted}"
            yield "  wire out_valid = asked[LATENCY];"
        case "valid_only":
            pass  # out_valid is the design's own port
        case _:
            assert_never(dut.handshake)
    yield """\
  logic empty, full;
  qsim_tb_fifo #(.W(LANES * M_W), .LOG_DEPTH(LOG_DEPTH)) results (
      .clk, .rst, .push(out_valid), .data(out_data), .pop(r_ready), .head(r_data), .empty, .full);
  assign r_valid = !empty;"""
