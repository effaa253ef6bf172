"""The built-in models: what `qsim models` lists, without importing torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Builtin:
    """One line of the list.

    Attributes:
        name: what ``qsim run`` takes.
        description: one line.
        parameters: number of trainable numbers.
        factory: ``module:function`` that makes the Model.
        extra: the optional packages that it needs, by their name in pyproject.toml; or nothing.
    """

    name: str
    description: str
    parameters: int
    factory: str
    extra: str = ""


_BUILTINS: Final = (
    Builtin(
        "digits",
        "residual CNN trained on scikit-learn's handwritten digits, 1x8x8, 10 classes",
        19_706,
        "qsim.models.digits:digits",
        extra="models",
    ),
    Builtin(
        "resnet8",
        "MLPerf Tiny image classification topology, 3x32x32, 10 classes, seeded weights",
        77_946,
        "qsim.models.resnet8:resnet8",
    ),
    Builtin(
        "mobilenet_v1",
        "MLPerf Tiny visual wake words topology, width 0.25, 3x96x96, 2 classes, seeded weights",
        213_586,
        "qsim.models.mobilenet_v1:mobilenet_v1",
    ),
    Builtin(
        "ds_cnn",
        "MLPerf Tiny keyword spotting topology, 1x49x10, 12 classes, seeded weights",
        23_180,
        "qsim.models.ds_cnn:ds_cnn",
    ),
    Builtin(
        "autoencoder",
        "MLPerf Tiny anomaly detection topology, 640 values in and out, seeded weights",
        266_896,
        "qsim.models.autoencoder:autoencoder",
    ),
    Builtin(
        "resnet18",
        "ImageNet residual network of 18 layers, 3x224x224, 1000 classes, seeded weights",
        11_689_512,
        "qsim.models.resnet18:resnet18",
    ),
    Builtin(
        "mobilenet_v2",
        "ImageNet inverted residuals, width 1.0, 3x224x224, 1000 classes, seeded weights",
        3_504_872,
        "qsim.models.mobilenet_v2:mobilenet_v2",
    ),
    Builtin(
        "bert-tiny",
        "BERT of transformers: 2 blocks, 128 wide, 1000 words, 32 tokens, seeded weights",
        557_952,
        "qsim.models.language:bert_tiny",
        extra="transformers",
    ),
    Builtin(
        "gpt2-tiny",
        "GPT-2 of transformers: 2 blocks, 128 wide, 1000 words, 32 tokens, seeded weights",
        541_184,
        "qsim.models.language:gpt2_tiny",
        extra="transformers",
    ),
    Builtin(
        "llama-tiny",
        "Llama of transformers: 2 blocks, 128 wide, 1000 words, 32 tokens, seeded weights",
        625_280,
        "qsim.models.language:llama_tiny",
        extra="transformers",
    ),
    Builtin(
        "minilm",
        "sentence embeddings of all-MiniLM-L6-v2, trained: 6 blocks of BERT, 384 wide, 32 tokens",
        22_565_376,
        "qsim.models.minilm:minilm",
        extra="minilm",
    ),
)


def builtin() -> tuple[Builtin, ...]:
    """Return the built-in models in the order of the list."""
    return _BUILTINS
