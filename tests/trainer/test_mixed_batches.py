"""Any shares out of one pool: whose rows they are, in which order, and how often each block comes."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixtures.token_shards import TokenShards
from tests.trainer.test_batches import folder
from trainer.mixed_batches import MixedBatches, order

SHARES = st.lists(st.floats(0.001, 1), min_size=1, max_size=8)


@given(SHARES, st.integers(1, 300), st.integers(0, 300))
def test_of_any_number_of_rows_each_source_has_its_share(shares: list[float], rows: int, more: int) -> None:
    sources, numbers = order(shares, rows)
    total = sum(shares)
    counts = np.bincount(sources, minlength=len(shares))
    assert counts.sum() == rows
    for source, (count, share) in enumerate(zip(counts, shares, strict=True)):
        assert abs(count - rows * share / total) <= 1 + len(shares) / 2 * share / total
        assert numbers[sources == source].tolist() == list(range(count))
    longer = order(shares, rows + more)
    assert longer[0][:rows].tolist() == sources.tolist()
    assert longer[1][:rows].tolist() == numbers.tolist()


@pytest.fixture
def pool(tmp_path: Path) -> TokenShards:
    """books has 12 blocks of 8 tokens, code 24 and web 37; ids rise from source to source."""
    return folder(tmp_path, {"books": [10], "code": [12, 8], "web": [30]})


def rows_of(batches: MixedBatches, count: int) -> list[tuple[int, ...]]:
    return [
        (*tuple(inputs.tolist()), int(targets[-1]))
        for number in range(count)
        for inputs, targets in zip(*batches.at(number), strict=True)
    ]


def test_a_batch_holds_whole_blocks_of_its_sources_in_their_shares(pool: TokenShards) -> None:
    shares = {"books": 0.25, "code": 0.25, "web": 0.5}
    batches = MixedBatches(pool, context=8, batch=4, rows=48, shares=shares, keep=1.0, seed=0)
    books = {token for entry in pool.entries("train")[:1] for token in pool.tokens(entry).tolist()} - {0}
    rows = rows_of(batches, 12)
    assert sum(bool(set(row) & books) for row in rows) == 12
    assert batches.epochs == {"books": 1.0, "code": 0.5, "web": 24 / 37}
    assert max(Counter(rows).values()) == 1, "no block twice before the end of an epoch"
    again = MixedBatches(pool, context=8, batch=4, rows=48, shares=shares, keep=1.0, seed=0)
    assert rows_of(again, 12) == rows
    other = MixedBatches(pool, context=8, batch=4, rows=48, shares=shares, keep=1.0, seed=1)
    assert rows_of(other, 12) != rows


def test_what_is_kept_of_a_source_is_repeated_and_nothing_else_is_seen(pool: TokenShards) -> None:
    batches = MixedBatches(pool, context=8, batch=3, rows=36, shares={"books": 1.0, "web": 0.0}, keep=0.25, seed=0)
    seen = Counter(rows_of(batches, 12))
    assert len(seen) == 3, "a quarter of the 12 blocks"
    assert set(seen.values()) == {12}
    assert batches.epochs == {"books": 12.0}
    stream = np.concatenate([pool.tokens(entry) for entry in pool.entries("train") if entry.source == "books"])
    assert set(seen) == {tuple(stream[8 * n : 8 * n + 9].tolist()) for n in range(3)}


def test_the_batch_after_the_last_can_be_read(pool: TokenShards) -> None:
    batches = MixedBatches(pool, context=8, batch=4, rows=4, shares={"web": 1.0}, keep=1.0, seed=0)
    assert batches.at(1)[0].shape == (4, 8)


def test_a_source_that_fills_no_row_is_refused_by_name(pool: TokenShards) -> None:
    with pytest.raises(ValueError, match=r"^books has 100 tokens to train on, and a row takes 128 and one more: lower"):
        MixedBatches(pool, context=128, batch=4, rows=4, shares={"web": 0.5, "books": 0.5}, keep=1.0, seed=0)
