"""The page: every row is a network that was quantized, lowered and run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import qsim
from qsim.report.host_work import HostWork
from qsim.report.words import percent
from tests.qsim.zoo.networks import ZOO, module, samples
from tests.tree import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qsim.network import Lowered

PAGE: Final = ROOT / "docs" / "zoo.md"
HEAD: Final = """\
# The zoo

<!-- Made by `python -m tools.zoo`: edit tests/qsim/zoo, not this page. -->

Architectures of public model code, narrow, with small inputs and seeded weights: written down anew
in `tests/qsim/zoo`, or, where the name ends in Model or LM, taken from transformers. The table says
how much of each runs on `{target}`: the Programs that it became (1: nothing comes between), the
share of its multiply-accumulates on the accelerator, and what stays in torch, with the kind of its
reason ([cli.md](cli.md#qsim-run) has them all).
"""


def text(target: str) -> str:
    """Return the page for one target."""
    rows = "\n".join(_rows(target))
    return (
        f"{HEAD.format(target=target)}\n"
        "| network | sample | programs | MACs on the accelerator | on the host |\n"
        f"|---|---|---|---|---|\n{rows}\n"
    )


def _rows(target: str) -> Iterator[str]:
    contract = qsim.Target.load(target)
    for name, entry in ZOO.items():
        calibration = [samples(name, 4, seed=1)]
        model = qsim.quantize(module(name), samples(name, 2), contract, calibration=calibration)
        network = qsim.lower(model)
        size = "×".join(map(str, entry.shape))
        share, host = _share(network, name), _host(network)
        yield f"| {name} | {size} | {len(network.programs)} | {share} | {host} |"


def _share(network: Lowered, name: str) -> str:
    work = HostWork()
    trace = network.trace(*samples(name, 2, seed=2), host=work.count)
    macs = sum(entry.macs for entry in trace.ledger) * trace.batch
    return percent(macs / (macs + work.total))


def _host(network: Lowered) -> str:
    found: dict[str, int] = {}
    for item in network.host_operators:
        name = f"{item.operator.removeprefix('aten.')} ({item.kind})"
        found[name] = found.get(name, 0) + 1
    return ", ".join(f"{n}{f' ×{count}' if count > 1 else ''}" for n, count in found.items())
