"""What a person reads: tables for a terminal, one self-contained HTML file for a review."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from qsim.report.classes import Vote as Vote
    from qsim.report.classes import winners_of as winners_of
    from qsim.report.evaluate import Array as Array
    from qsim.report.evaluate import Arrays as Arrays
    from qsim.report.evaluate import Batch as Batch
    from qsim.report.evaluate import Evaluator as Evaluator
    from qsim.report.evaluate import as_arrays as as_arrays
    from qsim.report.evaluate import group_layers as group_layers
    from qsim.report.evaluate import join as join
    from qsim.report.evaluate import outputs_digest as outputs_digest
    from qsim.report.host_words import host_parts as host_parts
    from qsim.report.html import render_html as render_html
    from qsim.report.noise import powers as powers
    from qsim.report.outputs import decibels as decibels
    from qsim.report.placement import Share as Share
    from qsim.report.placement import by_reason as by_reason
    from qsim.report.result import Evaluation as Evaluation
    from qsim.report.result import Layer as Layer
    from qsim.report.table import delegate_layers as delegate_layers
    from qsim.report.table import headline as headline
    from qsim.report.table import run_report as run_report
    from qsim.report.table import short_hash as short_hash
    from qsim.report.timing import Timing as Timing
    from qsim.report.words import NONE as NONE
    from qsim.report.words import compact as compact
    from qsim.report.words import count as count
    from qsim.report.words import plural as plural
    from qsim.report.words import tail as tail

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "classes": ["Vote", "winners_of"],
        "evaluate": [
            "Array",
            "Arrays",
            "Batch",
            "Evaluator",
            "as_arrays",
            "group_layers",
            "join",
            "outputs_digest",
        ],
        "host_words": ["host_parts"],
        "html": ["render_html"],
        "noise": ["powers"],
        "outputs": ["decibels"],
        "placement": ["Share", "by_reason"],
        "result": ["Evaluation", "Layer"],
        "table": ["delegate_layers", "headline", "run_report", "short_hash"],
        "timing": ["Timing"],
        "words": ["NONE", "compact", "count", "plural", "tail"],
    },
)
