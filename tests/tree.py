"""Where the project's folders are, whatever folder a test stands in."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GOLDEN = ROOT / "golden"
DOCS = ROOT / "docs"
SCALER = ROOT / "rtl_tb" / "examples" / "scaler"
DESIGNS = ROOT / "tests" / "rtl" / "designs"
FAULTS = ROOT / "tests" / "rtl" / "faults"
