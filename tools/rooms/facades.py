"""A package's façade names what others may import; whatever else it holds is its own.

From outside a package, an import may name the package itself, a package in it (which has a façade
of its own), or a sub-module that the contract lists as offered: one that others use whole, as
``nodes.shape(node)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from importlinter import Contract, ContractCheck, fields, output

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grimp import ImportGraph


@dataclass(frozen=True, order=True, slots=True)
class Passing:
    """An import past a façade."""

    importer: str
    imported: str
    facade: str


def packages(graph: ImportGraph, roots: frozenset[str]) -> frozenset[str]:
    """Return the packages below the roots: modules of the graph that hold others."""
    inside = (name for name in graph.modules if name.split(".")[0] in roots and "." in name)
    return frozenset(parent for name in inside if "." in (parent := name.rpartition(".")[0]))


def passings(graph: ImportGraph, roots: frozenset[str], offered: frozenset[str]) -> list[Passing]:
    """Return every import that goes past the façade of a package."""
    rooms = packages(graph, roots)
    return sorted(
        Passing(importer, imported, room)
        for importer in graph.modules
        for imported in graph.find_modules_directly_imported_by(importer)
        for room in _entered(importer, imported, rooms)
        if imported not in rooms and imported not in offered
    )


def _entered(importer: str, imported: str, rooms: frozenset[str]) -> Iterator[str]:
    """Yield the package of a module that is imported from outside: its façade is the one to ask."""
    room = imported.rpartition(".")[0]
    if room in rooms and not f"{importer}.".startswith(f"{room}."):
        yield room


class FacadeContract(Contract):
    """Every import from outside a package names its façade, or a sub-module that is offered."""

    type_name = "facade"

    roots = fields.SetField(subfield=fields.StringField())
    offered = fields.SetField(subfield=fields.StringField(), required=False)

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Look for imports past a façade, and for offers that nobody takes."""
        del verbose
        roots: Any = self.roots
        offered: Any = self.offered or ()
        found = passings(graph, frozenset(roots), frozenset(offered))
        missing = sorted(name for name in offered if name not in graph.modules)
        return ContractCheck(
            kept=not found and not missing, metadata={"passings": found, "missing": missing}
        )

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print each import, with the façade that it goes past."""
        for passing in check.metadata["passings"]:
            output.print_error(
                f"{passing.importer} imports {passing.imported}: past the façade {passing.facade}",
                bold=False,
            )
        for name in check.metadata["missing"]:
            output.print_error(f"{name} is offered, but there is no such module", bold=False)
