"""Pieces merged by the kernel against tiktoken, which merges the longer ones."""

import json
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.merges import LONGEST
from mixtures import byte_level
from mixtures.hard_texts import HARD
from mixtures.json_tokenizer import train
from mixtures.merger import Merger

ALIKE = byte_level.read(json.loads(train(iter(HARD), 900, "<|endoftext|>").to_str()))


@pytest.fixture(scope="module")
def merger() -> Merger:
    return Merger(ALIKE)


def merged(merger: Merger, pieces: list[str]) -> list[list[int]]:
    data = np.frombuffer("".join(pieces).encode(), np.uint8)
    bounds = np.cumsum([0, *(len(piece.encode()) for piece in pieces)])
    ids, counts = merger(data, bounds, np.arange(len(pieces)))
    assert len(ids) == counts.sum()
    return [part.tolist() for part in np.split(ids, np.cumsum(counts)[:-1])]


def by_tiktoken(merger: Merger, pieces: list[str]) -> list[list[int]]:
    whole: Any = merger._whole
    return [whole.encode_ordinary(piece) for piece in pieces]


@given(st.lists(st.text(st.sampled_from("abcé日 \n=!'"), min_size=1, max_size=60) | st.text(min_size=1), min_size=1))
def test_ids_are_tiktokens(merger: Merger, pieces: list[str]) -> None:
    pieces = [piece.replace("\U0010ffff", "") or "x" for piece in pieces]
    assert merged(merger, pieces) == by_tiktoken(merger, pieces)


def test_short_and_long_pieces_in_any_order(merger: Merger) -> None:
    draw = random.Random(0)
    sizes = [1, 2, LONGEST - 1, LONGEST, LONGEST + 1, 3 * LONGEST, 5]
    pieces = ["".join(draw.choices("aab=", k=size)) for size in sizes * 3]
    draw.shuffle(pieces)
    assert merged(merger, pieces) == by_tiktoken(merger, pieces)


def test_only_the_chosen_pieces_are_merged(merger: Merger) -> None:
    data, bounds = np.frombuffer(b"abcabc===", np.uint8), np.array([0, 3, 6, 9])
    ids, counts = merger(data, bounds, np.array([2, 0]))
    wanted = by_tiktoken(merger, ["===", "abc"])
    assert ids.tolist() == [*wanted[0], *wanted[1]]
    assert counts.tolist() == list(map(len, wanted))
