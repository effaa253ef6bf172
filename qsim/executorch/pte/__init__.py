"""A ``.pte`` or ``.ptd`` as plain values, checked whole before anything runs.

``flatbuffers`` beneath is used whole: the format of such files and of other vendors' delegates.
"""

from __future__ import annotations

from qsim.executorch.pte.constants import PARAMETERS, constant_of, is_parameter, parameter_stems
from qsim.executorch.pte.container import read_bytes, read_pte
from qsim.executorch.pte.method import (
    Delegate,
    DelegateCall,
    FreeCall,
    Indices,
    Instruction,
    JumpFalseCall,
    KernelCall,
    Method,
    MoveCall,
    TensorSpec,
    Value,
    usual,
)
from qsim.executorch.pte.program import read_methods
from qsim.executorch.pte.schemas import NUMBERS, dtype_names, numbered_dtypes, schema_of
from qsim.executorch.pte.signature import Signature, signatures
from qsim.executorch.pte.tensors import MAX_RANK

__all__ = [
    "MAX_RANK",
    "NUMBERS",
    "PARAMETERS",
    "Delegate",
    "DelegateCall",
    "FreeCall",
    "Indices",
    "Instruction",
    "JumpFalseCall",
    "KernelCall",
    "Method",
    "MoveCall",
    "Signature",
    "TensorSpec",
    "Value",
    "constant_of",
    "dtype_names",
    "is_parameter",
    "numbered_dtypes",
    "parameter_stems",
    "read_bytes",
    "read_methods",
    "read_pte",
    "schema_of",
    "signatures",
    "usual",
]
