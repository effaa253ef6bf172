"""Whole models of transformers on integer-transformer: one Program, no float between its codes."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

import qsim
from tests.qsim.program.reading import primitives
from tests.qsim.program.reference import interpret
from tests.qsim.zoo.networks import module, samples

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("transformers") is None, reason="transformers is not installed"
)
UNITS = qsim.Target.load("integer-transformer")
# Signal over noise against float32, in dB, that the drawn weights reach at least.
LEAST = {"GPT2LMHeadModel": 25, "LlamaForCausalLM": 25, "BertModel": 25, "ViTModel": 15}
WORDS = ("GPT2LMHeadModel", "LlamaForCausalLM")
LATE = ("GPT2LMHeadModel", "ViTModel", "LlamaForCausalLM, masked")
CASES = [
    pytest.param(case, marks=[pytest.mark.soak] if case in LATE else [])
    for case in (*LEAST, *(f"{name}, masked" for name in WORDS))
]


def _inputs(case: str) -> dict[str, torch.Tensor]:
    name, _, masked = case.partition(", ")
    given = samples(name, 2)
    if name == "ViTModel":
        return {"pixel_values": given[0]}
    mask = torch.ones(2, 8, dtype=torch.int64)
    mask[1, -3:] = 0
    more = {"attention_mask": mask} if masked or len(given) > 1 else {}
    return {"input_ids": given[0], **more}


def _follows_the_definitions(lowered: qsim.Lowered, words: torch.Tensor) -> None:
    (program,) = lowered.programs
    assert {"embedding", "rms_norm", "rotary", "softmax"} <= set(primitives(lowered))
    trace = lowered.trace(words)
    for key, value in interpret(program, [words.numpy()])[0].items():
        if key not in program.inputs:
            np.testing.assert_array_equal(trace.tensors[key], value)


@pytest.mark.parametrize("case", CASES)
def test_a_model_is_one_program_without_floats(case: str, tmp_path: Path) -> None:
    name, given = case.partition(",")[0], _inputs(case)
    model = module(name)
    lowered = qsim.lower(qsim.quantize(model, given, UNITS))
    assert (lowered.host_operators, len(lowered.programs)) == ((), 1)
    kinds = [step.kind for step in lowered.steps]
    assert set(kinds) <= {"quantize", "program", "dequantize"}
    found = lowered(**given)
    trace = lowered.trace(*given.values())
    with torch.no_grad():
        right = model(**given)
    for at, (key, made) in enumerate(found.items()):
        np.testing.assert_array_equal(made, trace.outputs[at])
        error = (made - right[key]).pow(2).mean()
        noise = 10 * torch.log10(right[key].pow(2).mean() / error)
        assert noise > LEAST[name], (key, noise)
    singles = [lowered(**{k: v[i : i + 1] for k, v in given.items()}) for i in range(2)]
    for key, made in found.items():
        np.testing.assert_array_equal(torch.cat([one[key] for one in singles]), made)
    lowered.save(tmp_path / "it.qsim")
    for key, made in qsim.load(tmp_path / "it.qsim")(**given).items():
        np.testing.assert_array_equal(made, found[key])
    if name not in WORDS:
        return
    if case == "LlamaForCausalLM":
        _follows_the_definitions(lowered, given["input_ids"][:1])
    wrong = {key: value.clone() for key, value in given.items()}
    wrong["input_ids"][1, 2] = 100
    with pytest.raises(qsim.InputError, match=r"not 100 at index \(1, 2\) \(accepted: 0\.\.99\)$"):
        lowered(**wrong)
