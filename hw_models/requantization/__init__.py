"""Accumulators to codes: every rounding and scheme, exactly and fast."""
