"""Which packages of others a package of ours may import."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from importlinter import Contract, ContractCheck, fields, output

if TYPE_CHECKING:
    from grimp import ImportGraph


def strangers(graph: ImportGraph, root: str, allowed: frozenset[str]) -> list[tuple[str, str]]:
    """Return (importer, package) for every import of a package that is not allowed."""
    known = allowed | sys.stdlib_module_names | {root}
    return sorted(
        (importer, imported)
        for importer in graph.modules
        if importer.split(".")[0] == root
        for imported in graph.find_modules_directly_imported_by(importer)
        if imported.split(".")[0] not in known
    )


class ExternalsContract(Contract):
    """A root package imports the listed packages and the standard library, and no others."""

    type_name = "externals"

    root = fields.StringField()
    allowed = fields.SetField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Look for imports of packages that are not listed."""
        del verbose
        allowed: Any = self.allowed
        found = strangers(graph, str(self.root), frozenset(allowed))
        return ContractCheck(kept=not found, metadata={"strangers": found})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print each import."""
        for importer, imported in check.metadata["strangers"]:
            output.print_error(f"{importer} imports {imported}", bold=False)
