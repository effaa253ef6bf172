"""The fields with which the units end whose results are rescaled by ``requantize_core.sv``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from qsim.cosim.jobs.beats import Field
from qsim.cosim.jobs.elementwise import (
    RESCALE_SOURCES,
    code_fields,
    code_width,
    draws,
    no_rtl,
    per_element,
)
from qsim.errors import UsageError

if TYPE_CHECKING:
    from qsim.golden import Case
    from qsim.program import Array
    from qsim.target import Target

SOURCES: Final = (*RESCALE_SOURCES, "requantize_round.sv", "requantize_core.sv")
_OFFSET, _NO_OFFSET = 34, 2  # bits of a converter's offset, and of one that is 0


@dataclass
class Rescaled:
    """Parameters of a module, and fields of its beats, in the order in which they are added."""

    parameters: dict[str, int] = field(default_factory=dict)
    fields: list[Field] = field(default_factory=list)
    values: dict[str, Array | int] = field(default_factory=dict)

    def add(self, name: str, bits: int, value: Array | int, *, signed: bool = True) -> None:
        """Add one field."""
        self.fields.append(Field(name, bits, signed))
        self.values[name] = value

    def finish(
        self,
        case: Case,
        target: Target,
        scheme: Any,
        zero_point: int,
        lanes: int = 1,
        axis: int = 0,
    ) -> None:
        """Add the numbers of a rescale, its offset, the zero point and the limits of the codes.

        Args:
            case: the call, whose output is rescaled to.
            target: states the widths that all calls of a network share.
            scheme: a requantizer.
            zero_point: of the output.
            lanes: results of a beat, each with a random number of its own where it takes one.
            axis: of the channels, where the scheme has numbers for each.

        Raises:
            UsageError: a scheme without RTL.
        """
        from hw_models.schemes import Converter, PowerOfTwo
        from qsim.cosim.jobs import scheme_fields as schemes

        if not isinstance(scheme, schemes.INTEGER_SCHEMES):
            what = f"{case.primitive} with the rescale {type(scheme).__name__}"
            raise UsageError(**no_rtl(case, what), accepted=schemes.ACCEPTED)
        output = case.codes["output"]
        out_w = code_width(max(target.output.bits, output.bits), zero_point)
        offset = schemes.scheme_offset(scheme)
        zi_w = _OFFSET if isinstance(scheme, Converter) else _NO_OFFSET
        numbers = schemes.scheme_parameters(scheme, target)
        self.parameters |= {"OUT_W": out_w, "ZI_W": zi_w} | numbers
        held = schemes.scheme_numbers(scheme)
        self.fields += schemes.scheme_fields(numbers)
        shape = case.expected.shape
        self.values |= {name: per_element(array, axis, shape) for name, array in held.items()}
        self.add("offset", zi_w, per_element(offset, axis, shape))
        self.fields += code_fields(out_w)
        ends = (zero_point, output.min, output.max)
        self.values |= dict(zip(("zero_point", "low", "high"), ends, strict=True))
        if isinstance(scheme, PowerOfTwo) and schemes.draws_numbers(scheme):
            self.fields.append(Field("draw", 64, signed=False, lanes=lanes))
            self.values["draw"] = draws(scheme.seed, case.expected.size)
