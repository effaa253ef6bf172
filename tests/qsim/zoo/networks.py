"""The zoo: architectures of public model code, narrow, with seeded weights.

Most are written down anew; models of the library ``transformers`` are taken as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from tests.qsim.zoo import classifiers, images, library, mobile, others


@dataclass(frozen=True)
class Entry:
    """One architecture.

    Attributes:
        make: returns the module; its weights are drawn after a fixed seed.
        shape: of one sample.
        convolutional: at least 99 % of its multiply-accumulates belong on the accelerator.
        words: its input is integers below this number; 0 where it is real numbers.
        mask: of a second input, of ones and, in every other sample, zeros at its end.
    """

    make: Callable[[], nn.Module]
    shape: tuple[int, ...]
    convolutional: bool = True
    words: int = 0
    mask: tuple[int, ...] = ()


_RGB: Final = (3, 32, 32)
ZOO: Final[dict[str, Entry]] = {
    "vgg": Entry(classifiers.vgg, _RGB),
    "alexnet": Entry(classifiers.alexnet, _RGB),
    "squeezenet": Entry(classifiers.squeezenet, _RGB),
    "googlenet": Entry(classifiers.googlenet, _RGB),
    "inception_v3": Entry(classifiers.inception_v3, _RGB),
    "densenet": Entry(classifiers.densenet, _RGB),
    "resnext": Entry(classifiers.resnext, _RGB),
    "resnet_d": Entry(others.resnet_d, _RGB),
    "senet": Entry(classifiers.senet, _RGB),
    "xception": Entry(classifiers.xception, _RGB),
    "repvgg": Entry(classifiers.repvgg, _RGB),
    "convmixer": Entry(classifiers.convmixer, _RGB),
    "mnasnet": Entry(mobile.mnasnet, _RGB),
    "efficientnet_lite": Entry(mobile.efficientnet_lite, _RGB),
    "mobilenet_v3": Entry(mobile.mobilenet_v3, _RGB),
    "shufflenet_v2": Entry(mobile.shufflenet_v2, _RGB),
    "ghostnet": Entry(mobile.ghostnet, _RGB),
    "ds_cnn": Entry(mobile.ds_cnn, (1, 25, 10)),
    "unet": Entry(images.UNet, (3, 16, 16)),
    "fcn": Entry(images.Fcn, (3, 24, 24)),
    "deeplab": Entry(images.DeepLab, (3, 24, 24)),
    "hrnet": Entry(images.HighResolution, (3, 24, 24)),
    "hourglass": Entry(images.Hourglass, (3, 32, 32)),
    "espcn": Entry(images.espcn, (1, 12, 12)),
    "srcnn": Entry(images.srcnn, (1, 12, 12)),
    "fsrcnn": Entry(images.fsrcnn, (1, 10, 10)),
    "autoencoder": Entry(images.autoencoder, (1, 16, 16)),
    "vae_decoder": Entry(images.vae_decoder, (8,)),
    "dcgan": Entry(images.dcgan, (16, 1, 1)),
    "yolo_tiny": Entry(others.Yolo, _RGB),
    "ssd": Entry(others.Ssd, (3, 24, 24)),
    "tcn": Entry(others.tcn, (2, 24)),
    "wavenet": Entry(others.WaveNet, (1, 24)),
    "audio_resnet": Entry(others.audio_resnet, (1, 128)),
    "panns": Entry(others.Panns, (1, 20, 16)),
    "c3d": Entry(others.c3d, (3, 4, 8, 8)),
    "temporal_shift": Entry(others.Shift, (4, 3, 16, 16)),
    "pointnet": Entry(others.PointNet, (3, 20)),
    "crnn": Entry(others.Crnn, (1, 16, 16), convolutional=False),
    "lstm_tagger": Entry(others.Tagger, (7,), convolutional=False, words=20),
    "mlp_mixer": Entry(others.Mixer, _RGB, convolutional=False),
    "ResNetModel": Entry(library.resnet, (3, 16, 16)),
    "MobileNetV2Model": Entry(library.mobilenet_v2, _RGB),
    "RegNetModel": Entry(library.regnet, _RGB),
    "ConvNextModel": Entry(library.convnext, _RGB),
    "EfficientNetModel": Entry(library.efficientnet, _RGB),
    "DetrModel": Entry(library.detr, _RGB, mask=(32, 32)),
    "Wav2Vec2Model": Entry(library.wav2vec2, (200,)),
    "ViTModel": Entry(library.vit, (3, 16, 16), convolutional=False),
    "SwinModel": Entry(library.swin, _RGB, convolutional=False),
    "SegformerModel": Entry(library.segformer, _RGB, convolutional=False),
    "WhisperModel": Entry(library.whisper, (8, 20), convolutional=False),
    "BertModel": Entry(library.bert, (8,), convolutional=False, words=100, mask=(8,)),
    "DistilBertModel": Entry(library.distilbert, (8,), convolutional=False, words=100),
    "GPT2LMHeadModel": Entry(library.gpt2, (8,), convolutional=False, words=100),
    "LlamaForCausalLM": Entry(library.llama, (8,), convolutional=False, words=100),
}


def module(name: str) -> nn.Module:
    """Return a network in eval mode, its weights and running statistics drawn from its name."""
    seed = sum(name.encode())
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = ZOO[name].make().eval()
        for part in made.modules():
            if isinstance(part, nn.modules.batchnorm._BatchNorm):
                part.running_mean.normal_(std=0.2)  # type: ignore[union-attr]
                part.running_var.uniform_(0.5, 1.5)  # type: ignore[union-attr]
    return made


def samples(name: str, size: int, seed: int = 0) -> tuple[Tensor, ...]:
    """Return a batch of inputs."""
    drawn = torch.Generator().manual_seed(seed)
    entry = ZOO[name]
    if not entry.words:
        first = torch.randn(size, *entry.shape, generator=drawn)
    else:
        first = torch.randint(0, entry.words, (size, *entry.shape), generator=drawn)
    if not entry.mask:
        return (first,)
    mask = torch.ones(size, *entry.mask, dtype=torch.int64 if entry.words else torch.bool)
    mask[1::2, ..., -3:] = 0
    return first, mask
