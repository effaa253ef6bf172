"""What a call is on RTL: its unit, the beats that go in, and those that must come out.

``job`` makes them of any primitive that has RTL, ``bindable`` of the others too. Modules that are
used by their own names, with ``unit`` and ``job`` of one primitive each: ``add``, ``bias_add``,
``cache_write``, ``concat``, ``correlation``, ``integer_function``, ``lookup``, ``move``, ``mul``,
``norm``, ``pool``, ``requantize``, ``rotary``, ``softmax``, and ``conv_engine`` for whole layers
(it loads Numba). ``scheme_fields`` has the requantizers as RTL takes them.
"""

from __future__ import annotations

from qsim.cosim.jobs.beats import Field, Flags, Layout, Words
from qsim.cosim.jobs.conv_layer import layers
from qsim.cosim.jobs.drawn import vectors
from qsim.cosim.jobs.makers import bindable, has_rtl, job
from qsim.cosim.jobs.ownership import lanes_of, owners, packets
from qsim.cosim.jobs.prepared import Prepared
from qsim.cosim.jobs.unit import Job, Unit

__all__ = [
    "Field",
    "Flags",
    "Job",
    "Layout",
    "Prepared",
    "Unit",
    "Words",
    "bindable",
    "has_rtl",
    "job",
    "lanes_of",
    "layers",
    "owners",
    "packets",
    "vectors",
]
