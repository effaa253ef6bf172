"""``QsimBackend``: what ExecuTorch calls for every region that the partitioner tagged."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from executorch.exir.backend.backend_details import BackendDetails, PreprocessResult

from qsim.executorch.compiling.network_operator import network_of
from qsim.executorch.compiling.preprocess import lower_program
from qsim.executorch.delegates import specs
from qsim.graph import quiet
from qsim.network import to_bytes

if TYPE_CHECKING:
    from executorch.exir.backend.compile_spec_schema import CompileSpec
    from torch.export import ExportedProgram


@final
class QsimBackend(BackendDetails):  # type: ignore[misc]  # executorch carries no types
    """Lowers regions of an edge program to integer Programs."""

    @staticmethod
    def preprocess(
        edge_program: ExportedProgram, compile_specs: list[CompileSpec]
    ) -> PreprocessResult:
        """Return a region as the bytes of a ``.qsim`` file.

        Args:
            edge_program: the region, constants included.
            compile_specs: as ``QsimPartitioner`` writes them: they carry the target.

        Raises:
            FileFormatError: compile specs of another writer or version.
            ModelError: an operator that the target does not compute.
        """
        target = specs.decode({spec.key: spec.value for spec in compile_specs})
        with quiet():
            network = network_of(edge_program) or lower_program(edge_program, target)
            return PreprocessResult(processed_bytes=to_bytes(network))
