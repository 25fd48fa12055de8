from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixtures.plan import draw, plan, sampled, shard_numbers


def test_shares_are_shares_of_tokens_and_a_capped_source_says_what_is_missing() -> None:
    plans = plan({"web": 1000, "books": 100}, 2000, {"web": 3, "books": 1}, max_epochs=4)
    assert (plans["web"].planned, plans["web"].epochs, plans["web"].missing) == (1500, 1.5, 0)
    assert (plans["books"].planned, plans["books"].epochs, plans["books"].missing) == (400, 4.0, 100)


def test_a_source_without_tokens_is_missing_as_a_whole() -> None:
    assert plan({"web": 0}, 10, {"web": 1}, 4)["web"].missing == 10


@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=60),
    st.floats(0.01, 5.0),
    st.integers(0, 3),
)
def test_every_document_is_used_as_often_as_planned(lengths: list[int], epochs: float, seed: int) -> None:
    ids, sizes = np.arange(len(lengths), dtype=np.uint64), np.array(lengths, np.int64)
    wanted = round(epochs * sizes.sum())
    uses = draw(ids, sizes, wanted, "web", seed)
    counts = Counter(uses.tolist())
    whole = wanted // int(sizes.sum())
    assert all(counts[i] in (whole, whole + 1) for i in range(len(lengths)))
    assert abs(int(sizes[uses].sum()) - wanted) <= max(lengths) / 2
    for epoch in range(whole):
        assert sorted(uses[epoch * len(lengths) : (epoch + 1) * len(lengths)]) == list(range(len(lengths)))


def test_each_epoch_has_its_own_order_and_a_seed_its_own_draw() -> None:
    ids, lengths = np.arange(100, dtype=np.uint64), np.ones(100, np.int64)
    two = draw(ids, lengths, 200, "web", 0)
    assert two[:100].tolist() != two[100:].tolist()
    assert draw(ids, lengths, 200, "web", 0).tolist() == two.tolist()
    assert draw(ids, lengths, 200, "web", 1).tolist() != two.tolist()
    assert draw(ids, lengths, 200, "books", 0).tolist() != two.tolist()


def test_the_draw_goes_by_id_and_not_by_position() -> None:
    ids, lengths = np.arange(100, dtype=np.uint64), np.ones(100, np.int64)
    backwards = draw(ids[::-1], lengths, 40, "web", 0)
    assert set(ids[::-1][backwards].tolist()) == set(ids[draw(ids, lengths, 40, "web", 0)].tolist())


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 1.0])
def test_a_sample_has_its_share_and_a_larger_one_contains_it(share: float) -> None:
    hashes = np.random.default_rng(0).integers(0, 1 << 63, 20_000, np.uint64) * np.uint64(2)
    chosen = sampled(hashes, share)
    assert abs(chosen.mean() - share) < 0.01
    assert not (chosen & ~sampled(hashes, min(1.0, share * 1.5))).any()


def test_no_document_is_split_and_shards_are_as_long_as_asked() -> None:
    lengths = np.full(100, 30, np.int64)
    numbers = shard_numbers(lengths, 300)
    assert Counter(numbers.tolist()) == dict.fromkeys(range(10), 10)
    assert shard_numbers(np.array([1000, 5, 5]), 300).tolist() == [0, 3, 3]
