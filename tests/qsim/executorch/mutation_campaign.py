"""Runs damaged programs in a process of its own, so that a crash is seen; prints counts.

``python -m tests.qsim.executorch.mutation_campaign COUNT SEED KIND...`` prints, for every kind,
a JSON object of counts:

* ``refused``: a QsimError of one line, when the program was read or run;
* ``ran``: it ran to its end;
* ``large``: a mutation of the structure that asks for more than a test should compute.

Anything else ends the process: a traceback, a signal, or, after a minute without progress, the
stacks of all threads.
"""

from __future__ import annotations

import dataclasses
import faulthandler
import json
import random
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # deprecations inside ExecuTorch and torch
    import executorch.exir  # noqa: F401

import torch

from qsim.errors import QsimError
from qsim.executorch import Pte, to_edge
from qsim.executorch.interpreter import Interpreter
from qsim.executorch.pte import Method, TensorSpec
from qsim.graph.capturing import quiet
from qsim.network import reading, store
from qsim.network.document import to_document
from tests.qsim.executorch import pte_nets
from tests.qsim.executorch.edges import network
from tests.qsim.network.test_fuzz import MAX_ELEMENTS, largest, mutate_arrays, mutate_tree

Outcome = Callable[[random.Random], str]


def campaign(kind: str, count: int, seed: int) -> Counter[str]:
    """Return how many mutations of one kind had which outcome."""
    draw = random.Random(seed)  # noqa: S311 - no secret
    outcome = KINDS[kind]()
    seen: Counter[str] = Counter()
    for _ in range(count):
        faulthandler.dump_traceback_later(60, exit=True)
        try:
            seen[outcome(draw)] += 1
        except QsimError as error:
            seen["refused" if "\n" not in str(error) else "several lines"] += 1
    faulthandler.cancel_dump_traceback_later()
    return seen


def mutate(data: bytes, draw: random.Random) -> bytes:
    """Cut a file, or flip one to four of its bits; half of these where the structure is."""
    if draw.random() < 0.2:
        return data[: draw.randrange(len(data))]
    changed = bytearray(data)
    # The plan lies in front of the segments of weights and delegates; its size is in the header.
    end = len(data) if draw.random() < 0.5 else int.from_bytes(data[16:24], "little")
    for _ in range(draw.randint(1, 4)):
        changed[draw.randrange(end)] ^= 1 << draw.randrange(8)
    return bytes(changed)


def run_zeros(pte: Pte, method: str) -> None:
    """Run a method on zeros; inputs that are no tensors as the program fixes them."""
    specs = pte.inputs_of(method)
    inputs = [
        torch.zeros(spec.sizes, dtype=spec.dtype) if isinstance(spec, TensorSpec) else spec
        for spec in specs
    ]
    pte(*inputs, method=method)


def of_bytes(data: bytes) -> Outcome:
    """Damage the bytes of a file, and run what can still be read."""

    def outcome(draw: random.Random) -> str:
        pte = Pte(mutate(data, draw))
        run_zeros(pte, pte.methods[0])
        return "ran"

    return outcome


def delegated(*, quantized_io: bool = False) -> bytes:
    source, _ = network("TwoInputs", "q7")
    with quiet():
        return to_edge(source, quantized_io=quantized_io).to_pte()


def of_structure(data: bytes) -> Outcome:
    """Change what a delegate's bytes say, with a digest that fits again, and run the program."""
    method = Pte(data)._methods["forward"]
    (delegate,) = method.delegates
    document, arrays = to_document(reading.from_bytes(delegate.blob))
    text = json.dumps({"format_version": 1, **document})

    def outcome(draw: random.Random) -> str:
        tree, held = json.loads(text), dict(arrays)
        for _ in range(draw.choice((1, 1, 1, 2, 3))):
            mutate_tree(tree, draw)
        if draw.random() < 0.15:
            mutate_arrays(held, draw)
        blob = store.pack(tree, held)
        if largest(reading.from_bytes(blob)) > MAX_ELEMENTS:
            return "large"
        changed = dataclasses.replace(delegate, blob=blob)
        run_method(dataclasses.replace(method, delegates=(changed,)))
        return "ran"

    return outcome


def run_method(method: Method) -> None:
    specs: Sequence[Any] = [method.values[index] for index in method.inputs]
    inputs = [torch.zeros(spec.sizes, dtype=spec.dtype) for spec in specs]
    Interpreter(method).run(inputs)


def portable() -> bytes:
    torch.manual_seed(0)
    return bytes(pte_nets.program(pte_nets.Dense(), (torch.randn(1, 4),)).buffer)


def functions() -> bytes:
    torch.manual_seed(0)
    return bytes(pte_nets.program(pte_nets.Functions(), (torch.randn(1, 2, 4, 4),)).buffer)


KINDS: dict[str, Callable[[], Outcome]] = {
    "portable": lambda: of_bytes(portable()),
    "functions": lambda: of_bytes(functions()),
    "delegated": lambda: of_bytes(delegated()),
    "integers": lambda: of_bytes(delegated(quantized_io=True)),
    "structure": lambda: of_structure(delegated()),
}

if __name__ == "__main__":
    warnings.simplefilter("error")
    torch.set_num_threads(1)
    found = {kind: campaign(kind, int(sys.argv[1]), int(sys.argv[2])) for kind in sys.argv[3:]}
    sys.stdout.write(json.dumps(found) + "\n")
