"""What stands around dynamically quantized products: ATen's float32 results, bit for bit."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import torch

import qsim
from hw_models import (
    float_add,
    float_function,
    float_layer_norm,
    float_matmul,
    float_mul,
    float_softmax,
)
from tests.peers.evidence.observed import compared
from tests.peers.pytorch.encoder import Encoder, quantized_by_torch
from tests.peers.pytorch.layers import HAS_VNNI

Array = np.ndarray
VECTORS = torch.backends.cpu.get_cpu_capability()
# ATen's vectors, and MKL's order of sums, are those of x86 with fused multiply-add.
pytestmark = [
    pytest.mark.skipif(VECTORS not in ("AVX512", "AVX2"), reason=f"ATen has {VECTORS} here"),
    pytest.mark.filterwarnings(
        "ignore:torch.quantize_per_tensor, torch.quantize_per_channel and other:UserWarning",
        "ignore:TF32 acceleration on top of oneDNN:UserWarning",
    ),
]
LANES = 16 if VECTORS == "AVX512" else 8
LENGTHS = (1, 7, 128)
MASKED = float(np.finfo(np.float32).min)


def target() -> qsim.Target:
    """Return the target, with the lanes that this processor's softmax has."""
    document = qsim.Target.load("fbgemm-dynamic-whole").to_dict()
    document["floats"]["softmax_lanes"] = LANES
    return qsim.Target.from_dict(document)


def differing(made: Array, wanted: torch.Tensor) -> int:
    """Return how many of two arrays' numbers differ, in any bit."""
    return int((made.view(np.int32) != wanted.contiguous().numpy().view(np.int32)).sum())


def drawn(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32) * 3


@pytest.mark.peer("PyTorch", ["float_softmax"])
@pytest.mark.peer(
    "PyTorch",
    ["float_add", "float_mul", "float_function", "float_layer_norm"],
    ["fbgemm-dynamic-whole"],
)
def test_operators() -> None:
    x, y = drawn(4992), drawn(4992, seed=1)  # whole vectors: GELU's rest is the C library's
    a, b = map(torch.from_numpy, (x, y))
    assert differing(float_add(x, y), a + b) == 0
    assert differing(float_mul(x, y), a * b) == 0
    assert differing(float_function(x, "relu"), a.relu()) == 0
    with torch.backends.mkldnn.flags(enabled=False):  # type: ignore[no-untyped-call]
        assert differing(float_function(x, "gelu"), torch.nn.functional.gelu(a)) == 0
    for size in (1, 2, 7, 15, 16, 17, 31, 32, 33, 100, 128, 130):
        rows = drawn(20, size, seed=size) * 2
        wanted = torch.softmax(torch.from_numpy(rows), -1)
        assert differing(float_softmax(rows, LANES), wanted) == 0, size
    for size in (1, 7, 8, 16, 33, 128, 257, 768, 1100):
        rows, weight, bias = (drawn(*s, seed=size) for s in ((5, size), (size,), (size,)))
        for given in ((weight, bias), (weight, None), (None, None)):
            asked = [None if t is None else torch.from_numpy(t) for t in given]
            wanted = torch.nn.functional.layer_norm(torch.from_numpy(rows), (size,), *asked, 1e-12)
            assert differing(float_layer_norm(rows, *given, eps=1e-12), wanted) == 0, size


@pytest.mark.peer("PyTorch", ["float_matmul"], ["fbgemm-dynamic-whole"])
@pytest.mark.parametrize("size", [(1, 16, 1), (4, 4, 24), (7, 32, 7), (7, 7, 32), (128, 64, 128)])
def test_products_of_activations(size: tuple[int, int, int]) -> None:
    """ATen's own loop below 400 products, MKL's above; the matrix of keys lies transposed."""
    rows, inner, columns = size
    a, b = drawn(3, 2, rows, inner), drawn(3, 2, columns, inner, seed=1).transpose(0, 1, 3, 2)
    wanted = torch.matmul(torch.from_numpy(a), torch.from_numpy(b))
    fused = rows * inner * columns >= 400
    assert differing(float_matmul(a, b, fused=fused), wanted) == 0
    # The other order makes other bits, so that the comparison tells them apart.
    assert differing(float_matmul(a, b, fused=not fused), wanted) > 0


@pytest.mark.peer(
    "PyTorch FBGEMM",
    ["linear", "dequantize_sums", "float_softmax", "float_layer_norm", "float_function",
     "float_add", "float_mul", "float_matmul"],
    ["fbgemm-dynamic-whole"],
)  # fmt: skip
@pytest.mark.parametrize("engine", ["fbgemm"], indirect=True)
@pytest.mark.parametrize("reduced", [True, False], ids=["reduce-range", "full-range"])
def test_a_whole_encoder(engine: str, reduced: bool) -> None:
    """Sequences of 1, 7 and 128, batches of 1 and 3: not one bit differs before the last tanh."""
    if not (HAS_VNNI or reduced):
        pytest.skip("FBGEMM saturates pairs of products on this processor")
    torch.manual_seed(0)
    model = Encoder().eval()
    inputs = []
    for length in LENGTHS:
        mask = np.zeros((3, 1, 1, length), np.float32)
        mask[1, ..., -(length // 3) or length :] = MASKED
        inputs += [drawn(3, length, 32, seed=length), mask]
    config = {"default": {"activation_bits": 7 if reduced else 8}}
    example = tuple(map(torch.from_numpy, inputs))
    chosen = target()
    lowered = qsim.lower(qsim.quantize(model, example, chosen, config=config))
    assert not lowered.host_operators
    (program,) = lowered.programs
    compared(program, chosen)
    peer = quantized_by_torch(model, program, reduced)
    for batch in (3, 1):
        given = [array[:batch] for array in inputs]
        with torch.no_grad(), torch.backends.mkldnn.flags(enabled=False):  # type: ignore[no-untyped-call]
            wanted = peer(*map(torch.from_numpy, given))
        made = lowered(*given)
        for number, (ours, theirs) in enumerate(zip(made, wanted, strict=True)):
            if number % 3 < 2:
                assert differing(ours, theirs) == 0, number
                continue
            # tanh is rounded correctly here; MKL's is next to it now and then.
            apart = ours.view(np.int32).astype(np.int64) - theirs.numpy().view(np.int32)
            assert np.abs(apart).max() <= 1


@pytest.mark.soak
@pytest.mark.skipif(
    importlib.util.find_spec("transformers") is None, reason="transformers is not installed"
)
@pytest.mark.parametrize("engine", ["fbgemm"], indirect=True)
def test_bert_of_transformers(engine: str) -> None:
    """Embeddings, encoder and pooler's product; the look-up of words alone is on the host."""
    from transformers import BertConfig, BertModel

    class Bert(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            config = BertConfig(
                vocab_size=100, hidden_size=64, num_hidden_layers=2, num_attention_heads=2,
                intermediate_size=128, attn_implementation="eager",
            )  # fmt: skip
            self.bert = BertModel(config, add_pooling_layer=False)

        def forward(self, words: torch.Tensor) -> torch.Tensor:
            made: torch.Tensor = self.bert(words).last_hidden_state
            return made

    torch.manual_seed(0)
    model, words = Bert().eval(), torch.randint(0, 100, (3, 7))
    config = {"default": {"activation_bits": 7}}
    lowered = qsim.lower(qsim.quantize(model, words, target(), config=config))
    assert [item.operator for item in lowered.host_operators] == ["aten.embedding.default"]
    (program,) = lowered.programs
    peer = quantized_by_torch(model, program, reduced=True)
    for batch in (3, 1):
        with torch.no_grad(), torch.backends.mkldnn.flags(enabled=False):  # type: ignore[no-untyped-call]
            wanted = peer(words[:batch])
        assert differing(np.asarray(lowered(words[:batch].numpy())), wanted) == 0
