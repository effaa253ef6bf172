"""Networks whose sequences may have any length within bounds."""

from __future__ import annotations

from qsim.network.lengths.fitting import fit
from qsim.network.lengths.lengths import Lengths, further, points
from qsim.network.lengths.saved import from_document, to_document
from qsim.network.lengths.sizes import Size

__all__ = ["Lengths", "Size", "fit", "from_document", "further", "points", "to_document"]
