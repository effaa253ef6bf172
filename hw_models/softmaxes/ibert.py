"""I-BERT's softmax (algorithm 2 of arXiv 2101.01321): no table, no float.

See ``hw_models.integer.exponential`` for the exponential and ``hw_models.softmax`` for the whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

from hw_models._arguments import require_name, require_scale, show
from hw_models.compiled import kernel
from hw_models.errors import ContractError
from hw_models.integer.digits import compiled_length
from hw_models.integer.exponential import Exponential, compiled_exponential

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hw_models.formats import FixedFormat

QuotientRounding: TypeAlias = Literal["floor", "half_up"]
TERM_BITS: Final = 16
MAX_BIT: Final = 32  # of what the sum divides


@dataclass(frozen=True, slots=True)
class IbertSoftmax:
    """I-BERT's exponential, a sum of integers and one quotient a row: up to 16 bits in and out.

    Attributes:
        exponential: of the input's scale times beta.
        rounding: of the last shift: ``floor`` as I-BERT does, or ``half_up``.
    """

    exponential: Exponential
    rounding: QuotientRounding = "floor"

    def __post_init__(self) -> None:
        if not isinstance(self.exponential, Exponential):
            raise ContractError(
                f"IbertSoftmax.exponential must be an Exponential, not {show(self.exponential)} "
                "(accepted: hw_models.Exponential.from_scale(scale))"
            )
        require_name(self.rounding, "IbertSoftmax.rounding", get_args(QuotientRounding))

    @classmethod
    def from_scale(
        cls, input_scale: float, beta: float = 1.0, rounding: QuotientRounding = "floor"
    ) -> IbertSoftmax:
        """Derive the constants of ``beta * input_scale``, 2**-40..16."""
        scale = require_scale(beta, "beta") * require_scale(input_scale, "input_scale")
        return cls(Exponential.from_scale(scale), rounding)

    @property
    def term_shift(self) -> int:
        """How far an exponential is shifted right, so that 16 bits hold it."""
        return max(self.exponential.one.bit_length() - TERM_BITS, 0)

    def term(self, difference: int) -> int:
        """Return the exponential of a difference: 16 bits."""
        value: int = self.exponential.reference(difference) >> self.term_shift
        return value

    def reference(self, row: Sequence[int], output: FixedFormat) -> list[int]:
        """Compute a row: the definition."""
        terms = [self.term(code - max(row)) for code in row]
        factor = (1 << MAX_BIT) // sum(terms)
        return [self.share(term, factor, output) for term in terms]

    def share(self, term: Any, factor: Any, output: FixedFormat) -> Any:
        """Return the probability of a term before the clamp, of the quotient of the row's sum."""
        places = MAX_BIT - output.bits
        return output.min + ((term * factor + self.nudge(output)) >> places)

    def nudge(self, output: FixedFormat) -> int:
        """Return what is added before the last shift."""
        return 1 << (MAX_BIT - output.bits - 1) if self.rounding == "half_up" else 0


@kernel
def divided(x: Any, y: Any, sums: Any, terms: Any, low: Any, bits: Any, nudge: Any) -> Any:
    """``IbertSoftmax``, as the kernels of ``hw_models.softmaxes.kernels``."""
    for r in range(x.shape[0]):
        top = x[r].max()
        total = 0
        for j in range(x.shape[1]):
            total += terms[top - x[r, j]]
        sums[r] = total
        if compiled_length(total) > 31:
            return r
        factor = (1 << MAX_BIT) // total
        for j in range(x.shape[1]):
            product = terms[top - x[r, j]] * factor + nudge
            y[r, j] = low + (product >> (MAX_BIT - bits))
    return -1


@kernel
def exponentials(terms: Any, ln2: Any, b: Any, one: Any, left_shift: Any, drop: Any) -> None:
    """Fill the table of ``IbertSoftmax.term`` of every difference, 0 first."""
    for d in range(terms.size):
        terms[d] = compiled_exponential(-d, ln2, b, one, left_shift) >> drop
