"""Models straight from transformers (an extra): each from a small configuration."""

from __future__ import annotations

import importlib
from typing import Any

_WIDTH = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
_TEXT = {"vocab_size": 100, "max_position_embeddings": 32}
_ROWS = {"num_attention_heads": 2, "intermediate_size": 32}


def hf() -> Any:
    """Return the package: to import it takes seconds, which nobody spends who does not need it."""
    return importlib.import_module("transformers")


def resnet() -> Any:
    config = hf().ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic"
    )
    return hf().ResNetModel(config)


def mobilenet_v2() -> Any:
    return hf().MobileNetV2Model(hf().MobileNetV2Config(depth_multiplier=0.25))


def regnet() -> Any:
    config = hf().RegNetConfig(
        embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], groups_width=8
    )
    return hf().RegNetModel(config)


def convnext() -> Any:
    config = hf().ConvNextConfig(hidden_sizes=[8, 16], depths=[1, 1], num_stages=2)
    return hf().ConvNextModel(config)


def efficientnet() -> Any:
    config = hf().EfficientNetConfig(width_coefficient=0.25, depth_coefficient=0.25, hidden_dim=320)
    return hf().EfficientNetModel(config)


def vit() -> Any:
    config = hf().ViTConfig(
        hidden_size=16, num_hidden_layers=1, image_size=16, patch_size=8, **_ROWS
    )
    return hf().ViTModel(config)


def swin() -> Any:
    config = hf().SwinConfig(
        image_size=32, patch_size=4, embed_dim=8, depths=[2, 1], num_heads=[1, 2], window_size=4
    )
    return hf().SwinModel(config)


def segformer() -> Any:
    config = hf().SegformerConfig(
        depths=[1, 1], num_encoder_blocks=2, hidden_sizes=[8, 16], sr_ratios=[2, 1],
        num_attention_heads=[1, 2], patch_sizes=[7, 3], strides=[4, 2], mlp_ratios=[2, 2],
        decoder_hidden_size=16,
    )  # fmt: skip
    return hf().SegformerForSemanticSegmentation(config)


def detr() -> Any:
    backbone = hf().ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic",
        out_features=["stage2"],
    )  # fmt: skip
    config = hf().DetrConfig(
        use_timm_backbone=False, backbone_config=backbone, d_model=16, encoder_layers=1,
        decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2,
        encoder_ffn_dim=32, decoder_ffn_dim=32, num_queries=4,
    )  # fmt: skip
    return hf().DetrModel(config).backbone


def bert() -> Any:
    config = hf().BertConfig(intermediate_size=32, **_WIDTH, **_TEXT)
    return hf().BertModel(config)


def distilbert() -> Any:
    config = hf().DistilBertConfig(dim=16, n_layers=1, n_heads=2, hidden_dim=32, **_TEXT)
    return hf().DistilBertModel(config)


def gpt2() -> Any:
    config = hf().GPT2Config(
        n_embd=16, n_layer=1, n_head=2, vocab_size=100, n_positions=32, use_cache=False,
        bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    return hf().GPT2LMHeadModel(config)


def llama() -> Any:
    config = hf().LlamaConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=4, num_key_value_heads=2,
        intermediate_size=32, use_cache=False, **_TEXT,
    )  # fmt: skip
    return hf().LlamaForCausalLM(config)


def whisper() -> Any:
    config = hf().WhisperConfig(
        d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, num_mel_bins=8,
        max_source_positions=10, vocab_size=100, pad_token_id=0, bos_token_id=1, eos_token_id=2,
        decoder_start_token_id=1,
    )  # fmt: skip
    return hf().WhisperModel(config).encoder


def wav2vec2() -> Any:
    config = hf().Wav2Vec2Config(
        hidden_size=16, num_hidden_layers=1, conv_dim=(8, 8), conv_stride=(5, 2),
        conv_kernel=(10, 3), num_feat_extract_layers=2, num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2, **_ROWS,
    )  # fmt: skip
    return hf().Wav2Vec2Model(config).feature_extractor
