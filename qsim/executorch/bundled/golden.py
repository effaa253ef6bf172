"""Golden sets into bundled programs, and bundled programs into golden sets.

A set of a network's run becomes cases of the network's ``.pte``: its inputs and outputs are codes
that the set's calls read and made. A set without a ``.pte`` becomes a bundle with a program of its
own: one method per case, see :mod:`qsim.executorch.bundled.calls`.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from qsim.errors import QsimError, UsageError
from qsim.executorch.bundled import calls as bundled_calls
from qsim.executorch.bundled import networks as bundled_networks
from qsim.executorch.bundled.case import BundledCase
from qsim.executorch.bundled.file import bundle
from qsim.executorch.pte import TensorSpec
from qsim.golden import GoldenSet, load, require_target, write
from qsim.golden import cases as record_calls

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence

    from qsim.executorch.bundled.networks import Network
    from qsim.executorch.pte import Value
    from qsim.golden import Case
    from qsim.network import ValueSpec
    from qsim.program import Array


def bundle_golden(
    golden: GoldenSet | str | os.PathLike[str],
    program: bytes | None = None,
    *,
    names: Sequence[str] = (),
) -> bytes:
    """Return a golden set as a bundled program.

    Args:
        golden: a set or its folder.
        program: the ``.pte`` of the network whose run the set is: one delegate from integers to
            integers. Its batch may be smaller than the set's, which then gives several cases.
            None makes a program of one method per case of the set, named as the case is.
        names: of cases, for a bundle of these alone; without ``program`` only.

    Raises:
        UsageError: no such case, or names beside a program; the set is of another target, another
            network or several runs; or its batch does not go into the program's.
        ModelError: the program is of another kind.
        FileFormatError: the set or the program is damaged.
    """
    held = golden if isinstance(golden, GoldenSet) else load(golden)
    if program is None:
        return bundled_calls.bundle_calls(held, names)
    if names:
        raise UsageError("a network's run is bundled whole", accepted="no names of cases")
    networks = bundled_networks.read(program)
    if len(networks) != 1:
        raise UsageError(
            f"the program has {len(networks)} methods with inputs", accepted="one, as the set"
        )
    (network,) = networks.values()
    require_target(held, network.lowered.target)
    try:
        cases = _cases(network, bundled_networks.values(network, list(held.cases)))
    except UsageError as error:
        raise UsageError(
            error.message, where=error.where or str(held.directory), accepted=error.accepted
        ) from None
    return bundle(program, cases)


def _cases(network: Network, held: dict[str, Array]) -> list[BundledCase]:
    """Return the run of a set as cases of the program's batch."""
    unread = [name for name in (*network.inputs, *network.outputs) if name not in held]
    if unread:
        raise UsageError(
            f"no call of the set reads {unread[0]!r}",
            accepted="programs that use all of their inputs",
        )
    sides = [
        [_container(held[name], spec) for name, spec in zip(names, specs, strict=True)]
        for names, specs in ((network.inputs, network.takes), (network.outputs, network.returns))
    ]
    size = _chunk([*network.takes, *network.returns], [*sides[0], *sides[1]])
    inputs, outputs = ([torch.split(value, size) for value in side] for side in sides)
    pairs = zip(zip(*inputs, strict=True), zip(*outputs, strict=True), strict=True)
    return [BundledCase(network.name, given, expected) for given, expected in pairs]


def _container(array: Array, spec: Value) -> torch.Tensor:
    """Return codes in the type that the program has them in."""
    tensor = torch.from_numpy(np.ascontiguousarray(array).reshape(array.shape))
    return tensor.to(spec.dtype) if isinstance(spec, TensorSpec) else tensor


def _chunk(specs: list[Value], values: list[torch.Tensor]) -> int:
    """Return how many samples go into one case."""
    counts = {len(value) if value.dim() else 0 for value in values}
    limits = {spec.sizes[0] for spec in specs if isinstance(spec, TensorSpec) and spec.sizes}
    fixed = any(isinstance(spec, TensorSpec) and not spec.dynamic for spec in specs)
    count, limit = max(counts, default=0), min(limits, default=0)
    if len(counts) == 1 == len(limits) and limit and not (fixed and count % limit):
        return limit
    if all(_same_shape(*pair) for pair in zip(specs, values, strict=True)):
        return max(count, 1)
    raise UsageError(
        f"the set is of a batch of {count}, the program of {limit}",
        accepted=f"a set of a multiple of {limit} samples" if limit else "a set of its shapes",
    )


def _same_shape(spec: Value, value: torch.Tensor) -> bool:
    return isinstance(spec, TensorSpec) and spec.sizes == tuple(value.shape)


def write_set(
    program: bytes,
    cases: Sequence[BundledCase],
    directory: str | os.PathLike[str],
    *,
    name: str = "",
    force: bool = False,
) -> GoldenSet:
    """Write the cases of a bundle as a golden set.

    Every case becomes the calls of primitives that its inputs cause in the delegate. What the
    last calls must make is what the bundle expects, so ``qsim golden check`` fails where the
    models make something else of it; the calls before them are computed here. Names are those of
    the calls; where two cases have calls of one name, method and number come before it. Classes,
    layers, model and seed are kept where ``bundle_golden`` wrote the whole set.

    Args:
        program: of methods that are one delegate of ours each, from integers to integers.
        cases: of the program.
        directory: the folder to make.
        name: of the bundle's file, for the set's model and for messages.
        force: replace a golden set that is there.

    Raises:
        UsageError: the folder exists and is no golden set to replace; a case that expects nothing
            or holds what is no code; methods for several targets; no case at all.
        ModelError: the program is of another kind.
        FileFormatError: the program is damaged.
    """
    networks = bundled_networks.read(program)
    targets = {network.lowered.target.hash: network.lowered.target for network in networks.values()}
    if len(targets) != 1 or not cases:
        raise UsageError(
            f"the bundle has {len(cases)} cases, for {len(targets)} targets",
            where=name,
            accepted="cases, for one target",
        )
    about = bundled_calls.read_about(program)
    (target,) = targets.values()
    return write(
        _calls(cases, networks, about, name),
        directory,
        target,
        model=about.model if about else Path(name).stem or cases[0].method,
        seed=about.seed if about else None,
        force=force,
    )


def _calls(
    cases: Sequence[BundledCase],
    networks: dict[str, Network],
    about: bundled_calls.About | None,
    name: str,
) -> Iterator[Case]:
    numbers: Counter[str] = Counter()
    odd = [case.method for case in cases if case.method not in networks]
    if odd:
        raise UsageError(f"it has cases of {odd[0]}, which takes nothing", where=name)
    names = Counter(
        call.name
        for case in cases
        for program in networks[case.method].lowered.programs
        for call in program.calls
    )
    single = len(cases) == 1 or max(names.values(), default=0) == 1
    order = {name: at for at, name in enumerate(about.classes)} if about else {}
    for case in sorted(cases, key=lambda case: order.get(case.method, len(order))):
        where = f"{case.method}: case {numbers[case.method]}"
        prefix = "" if single else f"{case.method}.{numbers[case.method]}."
        numbers[case.method] += 1
        try:
            for call in _recorded(networks[case.method], case):
                classes = about.classes.get(call.name, {}) if about else {}
                yield dataclasses.replace(call, name=f"{prefix}{call.name}", classes=classes)
        except QsimError as error:
            error.where = where
            raise


def _recorded(network: Network, case: BundledCase) -> Iterator[Case]:
    """Yield the calls of one case, the outputs of the network replaced by those expected."""
    if case.expected is None:
        raise UsageError("it expects nothing", accepted="cases with expected outputs")
    codes = {spec.name: spec for spec in (*network.lowered.inputs, *network.lowered.outputs)}
    pairs = zip(network.inputs, case.inputs, strict=True)
    inputs = [_codes(value, codes[name]) for name, value in pairs]
    # An output may be an input too, or there twice: then nothing but this is left to expect.
    expected = dict(zip(network.inputs, inputs, strict=True))
    results = network.results()
    for name, value in zip(network.outputs, case.expected, strict=True):
        wanted = _codes(value, codes[name])
        if not np.array_equal(expected.setdefault(name, wanted), wanted):
            raise UsageError(f"it expects {name!r} to be two things", accepted="one")
    calls = record_calls(network.lowered, tuple(network.arguments(inputs)))
    for call, made in zip(calls, results, strict=True):
        outputs = [expected[name] for name in made if name in expected]
        yield dataclasses.replace(call, expected=outputs[0]) if outputs else call


def _codes(value: torch.Tensor, spec: ValueSpec) -> Array:
    """Return codes in the container of the network, which is narrower than a program's at times."""
    array: Array = value.detach().cpu().numpy()
    if spec.format is not None and not spec.format.fits(array):
        raise UsageError(
            f"{spec.name!r} has a code outside of its format",
            accepted=f"{spec.format.min}..{spec.format.max}",
        )
    return array.astype(spec.dtype)
