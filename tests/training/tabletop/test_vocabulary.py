"""That the captions' words are tokens, and other words are not lost."""

from __future__ import annotations

from pathlib import Path

from transformers import CLIPTokenizer

from sluice.preprocess.tabletop.draw import draw_scene
from sluice.preprocess.tabletop.words import captions, vocabulary
from sluice.training.tabletop.text_encoder import LONGEST
from sluice.training.tabletop.vocabulary import TOKENS, make_tokenizer

WORDS = [*vocabulary(), ",", ":"]


def test_every_word_is_one_token_also_when_read_back(tmp_path: Path) -> None:
    make_tokenizer(WORDS).save_pretrained(tmp_path)
    read = CLIPTokenizer.from_pretrained(tmp_path)
    assert all(len(read(word).input_ids) == 3 for word in WORDS)
    assert len({read(word).input_ids[1] for word in WORDS}) == len(WORDS)


def test_captions_are_their_words_between_start_and_end() -> None:
    tokenizer = make_tokenizer(WORDS)
    for index in range(100):
        for caption in captions(draw_scene(0, index)):
            tokens = tokenizer(caption).input_ids
            words = caption.replace(",", " ,").replace(":", " :").split()
            assert tokenizer.decode(tokens[1:-1]).split() == words
            assert (tokens[0], tokens[-1]) == (tokenizer.bos_token_id, tokenizer.eos_token_id)
            assert len(tokens) == len(words) + 2 <= LONGEST


def test_a_word_that_is_a_part_of_others_stays_whole() -> None:
    tokenizer = make_tokenizer(["star", "start", "tar", "stare", "arts", "art"])
    assert [len(tokenizer(word).input_ids) for word in ("star", "start", "tar", "stare", "arts", "art")] == [3] * 6


def test_an_unknown_word_falls_into_known_pieces() -> None:
    tokenizer = make_tokenizer(WORDS)
    assert tokenizer.decode(tokenizer("zeppelin").input_ids[1:-1]) == "zeppelin"
    assert len(tokenizer(["a red star"], padding="max_length").input_ids[0]) == TOKENS
