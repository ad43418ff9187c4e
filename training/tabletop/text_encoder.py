"""The text encoder, taught by captions alone: what it makes of one tells all of its words.

CLIP's own loss does not ask for that: colours and walls tell a batch's pictures apart, and shapes are forgotten, which
no U-Net can draw then. The embedding tells which words a caption has (as SuperClass's images do, Huang et al., 2024),
and the states, which U-Nets read, the last few of them.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModelWithProjection, CLIPTokenizer

from sluice.preprocess.tabletop.words import BEFORE, ON, caption, vocabulary
from sluice.training.tabletop.draws import Draws
from sluice.training.tabletop.recipe import Batch, Part
from sluice.training.tabletop.vocabulary import TOKENS, make_tokenizer

WIDTH = 128
HEADS = 4
LONGEST = 40
"""Tokens of the longest caption. Training cuts there: nothing after a caption's end reaches its embedding."""
WORDINGS = 1000
RECENT = 3


class Taught(nn.Module):
    """The encoder, and the heads that only its training needs."""

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        tokens = encoder.config.vocab_size
        self.encoder = encoder
        self.words = nn.Linear(WIDTH, tokens)
        self.recent = nn.ModuleList(nn.Linear(WIDTH, tokens) for _ in range(RECENT))


class TextEncoder(Part):
    """Trained on captions; every word of them is one token."""

    name = "text_encoder"
    beside = ("tokenizer",)
    share = 48

    @cached_property
    def tokenizer(self) -> CLIPTokenizer:
        return caption_tokenizer()

    @cached_property
    def telling(self) -> Tensor:
        """Which tokens are words that name something to be seen, `(tokens,)` 0 or 1."""
        return telling_tokens(self.tokenizer)

    def network(self, models: Path) -> nn.Module:  # noqa: ARG002
        config = CLIPTextConfig(
            hidden_size=WIDTH,
            intermediate_size=4 * WIDTH,
            num_attention_heads=HEADS,
            num_hidden_layers=3,
            projection_dim=WIDTH,
            vocab_size=len(self.tokenizer),
            max_position_embeddings=TOKENS,
            bos_token_id=self.tokenizer.bos_token_id,
            eos_token_id=self.tokenizer.eos_token_id,
            pad_token_id=self.tokenizer.pad_token_id,
        )
        return Taught(CLIPTextModelWithProjection(config))

    def batch(self, step: int) -> Batch:
        numbers = self.scenes.of_step(step, self.recipe.batch)
        wordings = [caption(self.scenes.scene(number), number % WORDINGS) for number in numbers]
        return {"tokens": tokens_of(self.tokenizer, wordings)[:, :LONGEST]}

    def losses(self, network: Any, batch: Batch, draws: Draws) -> dict[str, Tensor]:  # noqa: ARG002
        tokens = batch["tokens"]
        told = network.encoder(input_ids=tokens)
        words = words_loss(network.words, told.text_embeds, words_in(tokens, self.telling.to(tokens.device)))
        recent = recent_words(network.recent, told.last_hidden_state, tokens, self.tokenizer.eos_token_id)
        return {"loss": words + recent, "words": words, "recent": recent}

    def save(self, network: Any, models: Path) -> None:
        """The encoder with its projection, and the tokenizer."""
        network.encoder.half().save_pretrained(models / self.name)
        self.tokenizer.save_pretrained(models / "tokenizer")


def caption_tokenizer() -> CLIPTokenizer:
    """Every word of the captions is one token, and so are their marks."""
    return make_tokenizer([*vocabulary(), ",", ":"])


def tokens_of(tokenizer: Any, captions: list[str]) -> Tensor:
    """Captions as `(batch, 77)` int64, padded with the end token."""
    padded = tokenizer(captions, padding="max_length", truncation=True, return_tensors="pt")
    tokens: Tensor = padded.input_ids
    return tokens


def telling_tokens(tokenizer: Any) -> Tensor:
    """Those of the vocabulary's words that are not there for grammar alone, `(tokens,)` 0 or 1."""
    grammar = " ".join([*ON, *BEFORE, "a an and of in table wall with face plate figure"]).split()
    telling = torch.zeros(len(tokenizer))
    telling[tokenizer.convert_tokens_to_ids([f"{word}</w>" for word in vocabulary() if word not in grammar])] = 1
    return telling


def words_in(tokens: Tensor, telling: Tensor) -> Tensor:
    """Equal shares of the telling words of each caption, `(batch, vocabulary)`."""
    present = torch.zeros(len(tokens), len(telling), device=tokens.device).scatter_(1, tokens, 1.0) * telling
    return present / present.sum(dim=1, keepdim=True).clamp(min=1)


def words_loss(head: nn.Module, embeds: Tensor, present: Tensor) -> Tensor:
    """How much more than need be embeddings `(batch, width)` leave open which words are `present`, in nats."""
    scores: Tensor = head(embeds).float()
    entropy = torch.special.entr(present).sum(dim=1).mean()
    loss: Tensor = F.cross_entropy(scores, present) - entropy
    return loss


def recent_words(heads: nn.ModuleList, states: Tensor, tokens: Tensor, end: int) -> Tensor:
    """The cross-entropy by which states tell their own token and those before it, up to a caption's first end."""
    inside = (tokens == end).cumsum(dim=1) <= 1
    losses = []
    for back, head in enumerate(heads):
        length = tokens.shape[1] - back
        scores = head(states[:, back:][inside[:, back:]]).float()
        losses.append(F.cross_entropy(scores, tokens[:, :length][inside[:, back:]]))
    return torch.stack(losses).mean()
