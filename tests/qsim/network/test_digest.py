"""The digest of a network: what changes it, what does not, and where it is kept."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qsim.errors import FileFormatError
from qsim.golden import load, record, write
from qsim.network import Lowered, Step, reading, store
from qsim.network.document import to_document
from qsim.program import Call, Program
from qsim.target import Target
from tests.qsim.golden.cases import clamp_case, document_of, sign
from tests.qsim.network import nets as net

DIGEST = net.lowered(host=True).digest


def renamed(value: Any, names: dict[str, str]) -> Any:
    """Rename tensors and constants, however deep."""
    if isinstance(value, str):
        return names.get(value, value)
    if isinstance(value, (list, tuple)):
        return type(value)(renamed(item, names) for item in value)
    if isinstance(value, dict):
        return {key: renamed(item, names) for key, item in value.items()}
    return value


def with_other_names() -> Lowered:
    """The same network: every value, layer, call and constant is called something else."""
    old = net.program()
    names = {name: f"t{at}" for at, name in enumerate((*old.tensors, *old.constants))}
    calls = tuple(
        Call(
            f"c{at}",
            f"layer{at}",
            call.primitive,
            renamed(call.inputs, names),
            names[call.output],
            renamed(dict(call.attributes), names),
        )
        for at, call in enumerate(old.calls)
    )
    tensors = {names[k]: dataclasses.replace(v, name=names[k]) for k, v in old.tensors.items()}
    constants = {names[k]: v for k, v in reversed(old.constants.items())}
    program = Program("other", (names["x"],), (names["fc"],), tensors, constants, calls)
    base = net.lowered(host=True)
    outer = {"x": "in", "x.codes": "in.codes", "fc.real": "r", "softmax": "s", "offset": "o"}
    steps = [
        Step(
            step.kind,
            f"step{at}",
            renamed(step.inputs, outer),
            renamed(step.outputs, outer),
            renamed(dict(step.attributes), outer),
        )
        for at, step in enumerate(base.steps)
    ]
    return net.lowered(
        host=True,
        inputs=[dataclasses.replace(base.inputs[0], name="in")],
        steps=steps,
        programs=[program],
        constants={"o": base.constants["offset"]},
        host_operators=(),
        model="another name",
    )


def test_names_and_reasons_do_not_matter() -> None:
    other = with_other_names()
    assert other.digest == DIGEST
    np.testing.assert_array_equal(other(net.reals()), net.lowered(host=True)(net.reals()))


def changed_constant(name: str, at: int) -> Lowered:
    constants = net.constants()
    constants[name] = constants[name].copy()
    constants[name].reshape(-1)[at] ^= 1
    return net.lowered(host=True, programs=[net.program(constants=constants)])


def changed_call(at: int, **changes: Any) -> Lowered:
    calls = list(net.calls())
    attributes = {**calls[at].attributes, **changes}
    calls[at] = dataclasses.replace(calls[at], attributes=attributes)
    return net.lowered(host=True, programs=[net.program(calls=tuple(calls))])


def changed_step(at: int, **changes: Any) -> Lowered:
    steps = list(net.steps(host=True))
    steps[at] = dataclasses.replace(steps[at], attributes={**steps[at].attributes, **changes})
    return net.lowered(host=True, steps=steps)


CHANGES: dict[str, Callable[[], Lowered]] = {
    "a weight's last code": lambda: changed_constant("fc.weight", -1),
    "a bias": lambda: changed_constant("conv.bias", 2),
    "a multiplier": lambda: changed_constant("conv.multiplier", 0),
    "a clamp": lambda: changed_call(3, hi=89),
    "an accumulator": lambda: changed_call(0, accumulator={**net.ACC, "overflow": "saturate"}),
    "a padded value": lambda: changed_call(0, pad_value=0),
    "the input's scale": lambda: changed_step(0, scale=0.051),
    "the output's zero point": lambda: changed_step(2, zero_point=-3),
    "a number of a host operator": lambda: changed_step(4, kwargs={"alpha": 3}),
    "a constant of a host operator": lambda: net.lowered(
        host=True, constants={"offset": np.arange(5, dtype=np.float32) + 1}
    ),
    "the target": lambda: net.lowered(host=True, target=Target.load("tflite-single")),
    "the structure": lambda: net.lowered(host=True, structure={"list": [0]}),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_decides_integers_matters(name: str) -> None:
    assert CHANGES[name]().digest != DIGEST


def test_integer_inputs_and_outputs_are_the_same_network() -> None:
    whole = net.lowered()
    assert whole.quantized_io().digest == whole.digest
    outputs = [dataclasses.replace(whole.outputs[0], name="fc.codes", dtype="int8")]
    assert net.lowered(outputs=outputs, steps=net.steps()[:2]).digest != whole.digest


def pack(network: Lowered, **changes: Any) -> bytes:
    """The file of a network with other values in its document; None takes one out."""
    document, arrays = to_document(network)
    document = {**document, **changes, "format_version": 1}
    return store.pack({k: v for k, v in document.items() if v is not None}, arrays)


def test_a_qsim_file_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "net.qsim"
    network = net.lowered(host=True)
    network.save(path)
    assert reading.load(path).digest == DIGEST
    path.write_bytes(pack(network, network_sha256=None))  # as older versions wrote
    assert reading.load(path).digest == DIGEST
    for held in ("0" * 64, 3, True):
        path.write_bytes(pack(network, network_sha256=held))
        with pytest.raises(FileFormatError, match=f"must have its digest.*accepted: {DIGEST}"):
            reading.load(path)


def test_a_golden_set_keeps_it(tmp_path: Path) -> None:
    network = net.lowered(host=True)
    golden = record(network, net.reals(2), tmp_path / "run")
    assert golden.network == load(tmp_path / "run").network == DIGEST
    document = document_of(tmp_path / "run")
    assert list(document)[4:6] == ["model", "network_sha256"]
    assert write([clamp_case()], tmp_path / "vectors", network.target).network is None
    for held in ("0" * 63, 3, None):
        sign(tmp_path / "run", {**document, "network_sha256": held})
        with pytest.raises(FileFormatError, match="network_sha256 must be a digest"):
            load(tmp_path / "run")
    del document["network_sha256"]  # as older versions wrote
    sign(tmp_path / "run", document)
    assert load(tmp_path / "run").network is None


def test_commands_show_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from qsim.cli import main

    file, page, folder = (str(tmp_path / name) for name in ("net.qsim", "r.html", "set"))
    net.lowered(host=True).save(file)
    for command in (["run", file, "--report", page], ["inspect", file]):
        assert main(command) == 0
        shown = capsys.readouterr().out
        assert f"etwork sha256:{DIGEST[:24]}" in shown
        assert main([*command, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["network_sha256"] == DIGEST
    assert f"Network <code>sha256:{DIGEST}" in Path(page).read_text()
    for command in (["golden", "record", file, "-o", folder], ["golden", "check", folder]):
        assert main(command) == 0
        assert f"Network sha256:{DIGEST[:24]}" in capsys.readouterr().out
    assert main(["golden", "check", folder, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["network_sha256"] == DIGEST
