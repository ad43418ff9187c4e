"""A small random Grounding DINO of the real class, in a folder as transformers saves it."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import (
    AutoImageProcessor,
    BertConfig,
    BertTokenizer,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    SwinConfig,
)

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "?", "a", "cat", "dog")


def save_grounding_dino(folder: Path, seed: int = 0) -> Path:
    """Of twelve queries, which knows a cat and a dog; about half of the queries are surer than 0.25 of either."""
    torch.manual_seed(seed)
    folder.mkdir(parents=True, exist_ok=True)
    swin = SwinConfig(
        embed_dim=8,
        depths=[1, 1, 1, 1],
        num_heads=[1, 2, 2, 2],
        window_size=4,
        out_features=["stage2", "stage3", "stage4"],
    )
    bert = BertConfig(
        vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    config = GroundingDinoConfig(
        backbone_config=swin,
        text_config=bert.to_dict(),
        d_model=32,
        encoder_layers=2,
        encoder_ffn_dim=32,
        encoder_attention_heads=2,
        decoder_layers=2,
        decoder_ffn_dim=32,
        decoder_attention_heads=2,
        num_queries=12,
        max_text_len=16,
    )
    GroundingDinoForObjectDetection(config).save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text('{"image_processor_type": "GroundingDinoImageProcessor"}')
    processor = AutoImageProcessor.from_pretrained(
        folder, backend="pil", size={"shortest_edge": 96, "longest_edge": 128}
    )
    processor.save_pretrained(folder)
    return folder
