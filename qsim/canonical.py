"""JSON text that depends on the value alone: what is hashed, and what files hold."""

from __future__ import annotations

import json
from typing import Any


def text(value: Any) -> str:
    """Return a JSON value with sorted keys, without spaces, in ASCII.

    Raises:
        ValueError: it holds an infinity or a NaN.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
