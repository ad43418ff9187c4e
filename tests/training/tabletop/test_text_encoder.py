"""That the losses of the text encoder read the words that they say."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sluice.training.tabletop.recipe import Recipe
from sluice.training.tabletop.scenes import Scenes
from sluice.training.tabletop.text_encoder import TextEncoder, recent_words, tokens_of, words_in, words_loss

PART = TextEncoder(Scenes(), Recipe(steps=1, batch=2, learning_rate=1e-3))
END = PART.tokenizer.eos_token_id


def test_what_is_seen_is_told_and_grammar_is_not() -> None:
    told = {PART.tokenizer.decode([k]).strip() for k in PART.telling.nonzero()[:, 0].tolist()}
    assert {"red", "star", "striped", "walnut", "pen", "left", "smiling"} <= told
    assert not {"a", "and", "on", "before", "table"} & told
    assert PART.telling.sum() == len(told)


def test_the_words_of_a_caption_share_one() -> None:
    present = words_in(tokens_of(PART.tokenizer, ["a red star and a red cube", "a ball"]), PART.telling)
    told = [
        {PART.tokenizer.decode([k]).strip(): value for k, value in enumerate(row.tolist()) if value} for row in present
    ]
    assert told == [pytest.approx({"red": 1 / 3, "star": 1 / 3, "cube": 1 / 3}), {"ball": 1.0}]


def test_states_tell_their_own_word_and_those_before_up_to_the_first_end() -> None:
    tokens = tokens_of(PART.tokenizer, ["a red star", "a ball"])[:, :10]
    width = len(PART.tokenizer)
    spelled = F.one_hot(tokens, width).float() * 100
    before = torch.cat([torch.zeros(2, 1, width), spelled[:, :-1]], dim=1)
    states = torch.cat([spelled, before], dim=2)
    heads = nn.ModuleList(nn.Linear(2 * width, width, bias=False) for _ in range(2))
    for back, head in enumerate(heads):
        head.weight.data = torch.eye(2 * width)[back * width : (back + 1) * width]
    assert recent_words(heads, states, tokens, END) < 1e-6
    after_the_end = states.clone()
    after_the_end[0, 6:], after_the_end[1, 5:] = 0, 0
    assert recent_words(heads, after_the_end, tokens, END) < 1e-6
    forgotten = states.clone()
    forgotten[0, 3] = 0
    assert recent_words(heads, forgotten, tokens, END) > 0.1


def test_words_that_are_told_leave_nothing_open() -> None:
    present = words_in(tokens_of(PART.tokenizer, ["a red star", "a blue cube"]), PART.telling)
    perfect = (present.clamp(min=1e-30)).log()
    assert words_loss(nn.Identity(), perfect, present).abs() < 1e-5
    assert words_loss(nn.Identity(), torch.zeros_like(perfect), present) > 1
