"""The tokenizer: CLIP's byte-pair encoding, with merges that make every word of the captions one token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPTokenizer

START, END = "<|startoftext|>", "<|endoftext|>"
TOKENS = 77


def make_tokenizer(words: Sequence[str]) -> CLIPTokenizer:
    """A tokenizer of 77 tokens in which these words are whole; others fall into the bytes they are made of."""
    letters = sorted(ByteLevel.alphabet())
    merges = _merges(words)
    pieces = [*letters, *(f"{letter}</w>" for letter in letters), *("".join(pair) for pair in merges), START, END]
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=TOKENS)


def _merges(words: Sequence[str]) -> list[tuple[str, str]]:
    """Merges, by rank, after which each word is one piece.

    Each word adds what the earlier merges leave open. Later merges rank lower, so that no earlier word comes apart.
    """
    ranks: dict[tuple[str, str], int] = {}
    for word in words:
        while len(pieces := _pieces(word, ranks)) > 1:
            ranks[pieces[0], pieces[1]] = len(ranks)
    return list(ranks)


def _pieces(word: str, ranks: Mapping[tuple[str, str], int]) -> list[str]:
    """A word cut by byte-pair encoding: the pair of the lowest rank is merged first."""
    pieces = [*word[:-1], f"{word[-1]}</w>"]
    while pairs := [pair for pair in pairwise(pieces) if pair in ranks]:
        best = min(pairs, key=ranks.__getitem__)
        at = next(i for i, pair in enumerate(pairwise(pieces)) if pair == best)
        pieces[at : at + 2] = ["".join(best)]
    return pieces
