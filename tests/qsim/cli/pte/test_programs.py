"""`qsim run` and `qsim inspect` on programs without delegates of qsim, and on bundled ones."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import qsim.executorch
from qsim.cli import main
from qsim.cli.pte.facts import parameters
from qsim.executorch import Pte, bundle, record_case
from qsim.report.evaluate import outputs_digest
from tests.qsim.cli.pte.files import refusal, told
from tests.qsim.executorch import pte_nets as nets


def write(path: Path, module: torch.nn.Module, *inputs: torch.Tensor, **options: Any) -> Path:
    path.write_bytes(nets.program(module, inputs, **options).buffer)
    return path


def npy(folder: Path, **arrays: np.ndarray) -> list[str]:
    """Write arrays; return the options that give them as inputs."""
    words = []
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
        words += ["--inputs", f"{folder}/{name}.npy"]
    return words


def test_inputs_without_a_batch_go_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A matrix and indices: their first sizes differ, so there is one call."""
    path = str(write(tmp_path / "n.pte", nets.Several(), torch.ones(2, 4), torch.tensor([1, 0, 1])))
    x, places = np.arange(8, dtype=np.float32).reshape(2, 4), np.array([0, 1, 1], np.int32)
    found = told(capsys, "run", path, *npy(tmp_path, x=x, places=places))
    outputs = qsim.executorch.load(path)(x, places.astype(np.int64))
    assert found["outputs_sha256"] == outputs_digest([out.numpy() for out in outputs])
    assert (found["samples"], found["calls"]) == (1, 1)
    assert (found["target"], found["layers"], found["delegates"]) == (None, [], [])
    assert found["accuracy"]["hardware"] is None
    calls = {item["operator"]: item["calls"] for item in found["host_operators"]}
    assert calls["aten::cat.out"] == 1
    # Random indices would mean nothing; random rows of the wrong shape are refused.
    assert "input 1: int64 (3) may be an index" in refusal(capsys, "run", path)
    wrong = npy(tmp_path, x=np.ones((4, 4), np.float32), places=places)
    assert "has shape (4, 4) (accepted: input 0: float32 (2, 4))" in refusal(
        capsys, "run", path, *wrong
    )
    assert main(["run", path, *npy(tmp_path, x=x, places=places)]) == 0
    assert "operators run, none in a delegate:" in capsys.readouterr().out
    assert "no delegate of qsim" in refusal(capsys, "run", path, "--target", "tflite")
    assert "no delegate of qsim" in refusal(
        capsys, "run", path, *npy(tmp_path, x=x, places=places), "--trace", f"{tmp_path}/t"
    )
    assert not (tmp_path / "t").exists()


def test_state_lasts_from_batch_to_batch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(write(tmp_path / "n.pte", nets.State(), torch.ones(2)))
    x = np.array([1, 2, 3, 4, 5, 6], np.float32)
    found = told(capsys, "run", path, *npy(tmp_path, x=x))
    pte = qsim.executorch.load(path)
    wanted = np.concatenate([pte(x[at : at + 2]).numpy() for at in (0, 2, 4)])
    assert found["outputs_sha256"] == outputs_digest([wanted])
    assert found["calls"] == 3


def test_methods_are_chosen_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x = torch.randn(2, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside ExecuTorch and torch
        from executorch.exir import to_edge

        methods = {"first": nets.Dense().eval(), "second": nets.Dense().eval()}
        exported = {name: torch.export.export(module, (x,)) for name, module in methods.items()}
        stated = {"scale": 0.5, "places": torch.tensor([1, 2]), "second_input0_scale": 0.25}
        data = to_edge(exported, constant_methods=stated).to_executorch().buffer
    path = tmp_path / "n.pte"
    path.write_bytes(data)
    given = npy(tmp_path, x=x.numpy())
    assert "has several methods (accepted: --method first or " in refusal(
        capsys, "run", str(path), *given
    )
    for name in methods:
        found = told(capsys, "run", str(path), *given, "--method", name)
        wanted = Pte(data)(x, method=name)
        assert found["outputs_sha256"] == outputs_digest([out.numpy() for out in wanted])
        assert found["method"] == name
    scale = told(capsys, "run", str(path), "--method", "scale")
    assert scale["outputs_sha256"] == outputs_digest([np.array([0.5])])
    shown = told(capsys, "inspect", str(path))
    assert sorted(method["name"] for method in shown["methods"]) == ["first", "second"]
    assert shown["constant_methods"] == {"scale": 0.5, "places": [1, 2]}
    scales = [method["inputs"][0]["scale"] for method in shown["methods"]]
    assert sorted(scales, key=str) == [0.25, None]
    assert parameters(Pte(data).plans, "first") == {}
    assert main(["inspect", str(path)]) == 0
    assert "constant method" in capsys.readouterr().out


def test_constants_outside_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x = torch.randn(3, 4)
    manager = nets.program(nets.Dense(), (x,), external_constants=True)
    (data,) = manager._tensor_data.values()
    (tmp_path / "n.pte").write_bytes(manager.buffer)
    (tmp_path / "n.ptd").write_bytes(bytes(data))
    program, given = str(tmp_path / "n.pte"), npy(tmp_path, x=x.numpy())
    found = told(capsys, "run", program, *given, "--data", f"{tmp_path}/n.ptd")
    wanted = qsim.executorch.load(program, tmp_path / "n.ptd")(x)
    assert found["outputs_sha256"] == outputs_digest([out.numpy() for out in wanted])
    assert "keeps its data outside the file" in refusal(capsys, "run", program, *given)
    shown = told(capsys, "inspect", program)
    assert sorted(shown["external_data"]) == ["linear.bias", "linear.weight"]
    assert shown["methods"][0]["external_bytes"] == 4 * (12 + 3)
    assert shown["methods"][0]["constants_bytes"] == 0


class Sum(torch.nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return torch.sin(x + y) * 2


def test_another_vendors_delegate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from executorch.exir.backend.backend_details import BackendDetails, PreprocessResult
    from executorch.exir.backend.partitioner import DelegationSpec, Partitioner, PartitionResult

    class CliBackend(BackendDetails):  # type: ignore[misc]
        @staticmethod
        def preprocess(program: Any, specs: Any) -> Any:
            return PreprocessResult(b"add")

    class CliPartitioner(Partitioner):  # type: ignore[misc]
        def partition(self, program: Any) -> Any:
            for node in program.graph.nodes:
                if "add" in str(node.target):
                    node.meta["delegation_tag"] = "part"
            return PartitionResult(program, {"part": DelegationSpec("CliBackend", [])})

    path = write(
        tmp_path / "n.pte", Sum(), torch.ones(3), torch.ones(3), partitioner=[CliPartitioner()]
    )
    err = refusal(capsys, "run", str(path))
    assert "a part of it is for backend 'CliBackend', which has no Python model" in err
    shown = told(capsys, "inspect", str(path))["methods"][0]["delegates"]
    assert [(part["backend"], part["bytes"], part["target"]) for part in shown] == [
        ("CliBackend", 3, None)
    ]
    qsim.executorch.register("CliBackend", lambda blob, inputs, specs: inputs[0] + inputs[1])
    try:
        found = told(capsys, "run", str(path))
        assert found["delegates"][0]["macs"] is None
        assert found["target"] is None
        assert main(["run", str(path)]) == 0
        assert "0 CliBackend" in capsys.readouterr().out
    finally:
        qsim.executorch.register("CliBackend", None)


def test_a_bundle_runs_its_cases(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = bytes(nets.program(nets.Dense(), (torch.ones(2, 4),)).buffer)
    cases = [record_case(Pte(data), torch.randn(2, 4)) for _ in range(3)]
    (tmp_path / "good.bpte").write_bytes(bundle(data, cases))
    found = told(capsys, "run", f"{tmp_path}/good.bpte")
    assert [(case["index"], case["equal"]) for case in found["cases"]] == [
        (0, True),
        (1, True),
        (2, True),
    ]
    assert found["samples"] == 3
    assert found["source"] == "3 test cases of the file"
    joined = [np.concatenate([case.expected[at].numpy() for case in cases]) for at in (0, 1)]
    assert found["outputs_sha256"] == outputs_digest(joined)

    wrong = cases[1].expected[0].clone()
    wrong[1, 2] += 1
    bad = [cases[0], type(cases[1])("forward", cases[1].inputs, (wrong, cases[1].expected[1]))]
    (tmp_path / "bad.bpte").write_bytes(bundle(data, bad))
    found = told(capsys, "run", f"{tmp_path}/bad.bpte", status=1)
    assert [case["equal"] for case in found["cases"]] == [True, False]
    assert found["cases"][1]["differences"][0]["index"] == [1, 2]
    assert main(["run", f"{tmp_path}/bad.bpte"]) == 1
    out = capsys.readouterr().out
    assert "1 of 2 cases equal in every bit." in out
    assert "output 0: first difference at [1, 2]" in " ".join(out.split())
    assert told(capsys, "run", f"{tmp_path}/bad.bpte", "--samples", "1")["samples"] == 1
    # Samples of one's own take the place of the cases.
    own = told(capsys, "run", f"{tmp_path}/bad.bpte", *npy(tmp_path, x=np.ones((4, 4), np.float32)))
    assert (own["cases"], own["calls"]) == (None, 2)
    assert told(capsys, "inspect", f"{tmp_path}/bad.bpte")["methods"][0]["cases"] == 2
    assert "--batch with --inputs" in refusal(capsys, "run", f"{tmp_path}/bad.bpte", "--batch", "1")
    (tmp_path / "none.bpte").write_bytes(bundle(data, []))
    assert "it has no test case" in refusal(capsys, "run", f"{tmp_path}/none.bpte")
