import itertools
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mixtures.mixture import Mixture
from mixtures.plan import (
    draw,
    fill,
    largest_total,
    places,
    plan,
    refuse_missing,
    sampled,
    shard_numbers,
    wanted,
)

# Llama 1's seven sources: share of tokens and epochs (arXiv:2302.13971, table 1).
LLAMA = {
    "commoncrawl": (0.67, 1.10),
    "c4": (0.15, 1.06),
    "github": (0.045, 0.64),
    "wikipedia": (0.045, 2.45),
    "books": (0.045, 2.23),
    "arxiv": (0.025, 1.06),
    "stackexchange": (0.02, 1.03),
}


def test_shares_are_shares_of_tokens_and_a_capped_source_says_what_is_missing() -> None:
    plans = plan({"web": 1000, "books": 100}, Mixture(tokens=2000, weights={"web": 3, "books": 1}))
    web, books = plans["web"], plans["books"]
    assert (web.weight, web.share, web.planned, web.epochs, web.repeated, web.missing) == (3, 0.75, 1500, 1.5, 500, 0)
    assert (books.share, books.wanted, books.planned, books.epochs, books.missing) == (0.25, 500, 400, 4.0, 100)


def test_a_source_without_tokens_is_missing_as_a_whole() -> None:
    assert plan({"web": 0}, Mixture(tokens=10, weights={"web": 1}))["web"].missing == 10
    assert plan({"web": 0, "b": 5}, Mixture(tokens=10, temperature=1.0, epochs={"b": 1.0}))["web"].missing == 5


def test_epochs_come_first_and_weights_share_what_is_left() -> None:
    mixture = Mixture(tokens=1000, weights={"web": 3, "code": 1}, epochs={"wikipedia": 2.5})
    plans = plan({"web": 900, "code": 900, "wikipedia": 80}, mixture)
    assert {source: planned.planned for source, planned in plans.items()} == {"web": 600, "code": 200, "wikipedia": 200}
    assert (plans["wikipedia"].weight, plans["wikipedia"].epochs, plans["wikipedia"].share) == (None, 2.5, 0.2)


def test_where_all_is_by_epochs_the_total_follows() -> None:
    plans = plan({"a": 100, "b": 40}, Mixture(epochs={"a": 1.5, "b": 0.25}))
    assert {source: planned.planned for source, planned in plans.items()} == {"a": 150, "b": 10}
    assert sum(planned.share for planned in plans.values()) == pytest.approx(1)


def test_epochs_that_exceed_the_total_are_refused() -> None:
    with pytest.raises(ValueError, match=r"mixture\.epochs ask for 300 tokens and mixture\.tokens is 299"):
        plan({"a": 100, "b": 9}, Mixture(tokens=299, epochs={"a": 3.0}, weights={"b": 1}))
    assert plan({"a": 100, "b": 9}, Mixture(tokens=300, epochs={"a": 3.0}, weights={"b": 1}))["b"].planned == 0


def test_llama_1s_weights_give_its_epochs_and_its_epochs_its_weights() -> None:
    total = 1_400_000_000_000
    unique = {source: round(share * total / epochs) for source, (share, epochs) in LLAMA.items()}
    by_weight = plan(unique, Mixture(tokens=total, weights={source: share for source, (share, _) in LLAMA.items()}))
    by_epochs = plan(unique, Mixture(epochs={source: epochs for source, (_, epochs) in LLAMA.items()}))
    for source, (share, epochs) in LLAMA.items():
        assert by_weight[source].epochs == pytest.approx(epochs, abs=1e-3)
        assert by_epochs[source].share == pytest.approx(share, abs=1e-3)


@pytest.mark.parametrize(("temperature", "shares"), [(0.0, (1, 1)), (0.5, (10, 1)), (1.0, (100, 1))])
def test_temperature_goes_from_equal_shares_to_those_that_are_there(
    temperature: float, shares: tuple[int, int]
) -> None:
    unique = {"web": 100_000, "books": 1_000}
    even = wanted(unique, Mixture(tokens=1100, temperature=temperature))
    assert even["web"] / even["books"] == pytest.approx(shares[0] / shares[1])
    leaning = wanted(unique, Mixture(tokens=1100, temperature=temperature, weights={"books": 3}))
    assert leaning["web"] / leaning["books"] == pytest.approx(shares[0] / shares[1] / 3)


sources = st.dictionaries(
    st.sampled_from("abcdef"),
    st.tuples(st.integers(0, 10_000), st.floats(0, 9), st.floats(0.01, 4), st.sampled_from(["weight", "epochs"])),
    min_size=1,
)


def mixture_of(drawn: dict[str, tuple[int, float, float, str]], **keys: Any) -> Mixture:
    return Mixture(
        weights={source: weight for source, (_, weight, _, how) in drawn.items() if how == "weight"},
        epochs={source: epochs for source, (_, _, epochs, how) in drawn.items() if how == "epochs"},
        **keys,
    )


@given(sources, st.integers(1, 100_000), st.none() | st.floats(0, 1.5), st.floats(4, 6))
def test_a_plan_has_the_total_the_shares_and_no_more_than_the_caps(
    drawn: dict[str, tuple[int, float, float, str]], tokens: int, temperature: float | None, cap: float
) -> None:
    assume(any(weight > 0 or how == "epochs" for _, weight, _, how in drawn.values()))
    mixture = mixture_of(drawn, tokens=tokens, temperature=temperature, max_epochs=cap)
    unique = {source: drawn[source][0] for source in mixture.mixed(drawn)}
    by_epochs = {source: mixture.epochs[source] * unique[source] for source in mixture.epochs}
    assume(sum(map(round, by_epochs.values())) <= tokens)
    plans = plan(unique, mixture)
    assert list(plans) == list(unique)
    if mixture.weights_of(unique):
        assert abs(sum(planned.wanted for planned in plans.values()) - tokens) <= len(plans)
    for source, planned in plans.items():
        assert planned.planned <= round(cap * unique[source])
        assert planned.missing >= 0
        if source in by_epochs:
            assert planned.planned == round(by_epochs[source]), "a source by epochs is never short"
        elif planned.missing:
            assert planned.planned == round(cap * unique[source]), "what is missing is what the cap takes"


@given(sources, st.integers(1, 1_000_000), st.none() | st.floats(0, 1.5))
def test_the_largest_total_works_and_the_next_one_does_not(
    drawn: dict[str, tuple[int, float, float, str]], tokens: int, temperature: float | None
) -> None:
    assume(any(weight > 0 or how == "epochs" for _, weight, _, how in drawn.values()))
    mixture = mixture_of(drawn, tokens=tokens, temperature=temperature)
    unique = {source: drawn[source][0] for source in mixture.mixed(drawn)}
    assume(sum(round(mixture.epochs[source] * unique[source]) for source in mixture.epochs) <= tokens)
    assume(any(planned.missing for planned in plan(unique, mixture).values()))
    largest = largest_total(unique, mixture)

    def missing(total: int) -> int:
        plans = plan(unique, mixture.model_copy(update={"tokens": total}))
        return sum(planned.missing for planned in plans.values())

    assert largest < tokens
    assert missing(largest + 1) > 0
    if largest:
        assert missing(largest) == 0


def test_a_short_source_is_an_error_that_says_what_would_work() -> None:
    mixture = Mixture(tokens=4000, weights={"web": 1, "books": 1, "code": 2}, max_epochs={"books": 2.0, "code": 1.0})
    plans = plan({"web": 2000, "books": 300, "code": 500}, mixture)
    with pytest.raises(ValueError, match="asks for more than there is") as error:
        refuse_missing(plans, mixture)
    said = str(error.value)
    assert "books has 300 unique tokens, which 2 epochs make 600; 1,000 are wanted" in said
    assert "code has 500 unique tokens, which 1 epochs make 500; 2,000 are wanted" in said
    assert "web has" not in said
    assert "largest mixture.tokens that works with these weights and caps is 1,001:" in said, "code's half, rounded"
    assert "raise mixture.max_epochs" in said
    refuse_missing(plans, mixture.model_copy(update={"missing": "report"}))


def test_a_source_of_which_nothing_is_left_has_no_total_that_works() -> None:
    mixture = Mixture(tokens=40, weights={"web": 1, "books": 1})
    with pytest.raises(
        ValueError, match=r"Nothing is left of books to train on, so no total works \(.*\): give weight 0"
    ):
        refuse_missing(plan({"web": 20, "books": 0}, mixture), mixture)


def first_fit(lengths: list[int], tokens: int) -> list[int]:
    """What `fill` does, one document after the other."""
    taken, left = [], tokens
    for place, length in enumerate(lengths):
        if length <= left:
            taken.append(place)
            left -= length
    others = sorted((length, place) for place, length in enumerate(lengths) if place not in taken)
    if others and others[0][0] - left < left:
        taken.append(others[0][1])
    return sorted(taken)


@given(st.lists(st.integers(1, 50), max_size=60), st.integers(0, 1600))
def test_filling_takes_each_that_fits_and_one_more_where_that_is_nearer(lengths: list[int], tokens: int) -> None:
    assert fill(np.array(lengths, np.int64), tokens).tolist() == first_fit(lengths, tokens)


@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=60),
    st.floats(0.01, 5.0),
    st.integers(0, 3),
)
def test_every_document_is_used_as_often_as_planned(lengths: list[int], epochs: float, seed: int) -> None:
    ids, sizes = np.arange(len(lengths), dtype=np.uint64), np.array(lengths, np.int64)
    tokens = round(epochs * sizes.sum())
    uses = draw(ids, sizes, tokens, "web", seed)
    counts = Counter(uses.tolist())
    whole = tokens // int(sizes.sum())
    assert all(counts[i] in (whole, whole + 1) for i in range(len(lengths)))
    assert abs(int(sizes[uses].sum()) - tokens) <= max(lengths) / 2
    for epoch in range(whole):
        assert sorted(uses[epoch * len(lengths) : (epoch + 1) * len(lengths)]) == list(range(len(lengths)))


def test_a_draw_of_many_documents_has_the_tokens_asked_for_to_the_last() -> None:
    rng = np.random.default_rng(0)
    lengths = np.maximum(5, rng.lognormal(6, 1.2, 20_000).astype(np.int64))
    ids = np.arange(len(lengths), dtype=np.uint64)
    for epochs in (0.1, 0.64, 1.0, 2.45):
        tokens = round(epochs * lengths.sum())
        assert abs(int(lengths[draw(ids, lengths, tokens, "web", 0)].sum()) - tokens) < lengths.min()


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


@given(st.lists(st.lists(st.integers(1, 50), min_size=1, max_size=60), min_size=1, max_size=4))
def test_any_stretch_of_the_interleaved_documents_has_the_sources_in_their_shares(drawn: list[list[int]]) -> None:
    tables = [np.array(lengths, np.int64) for lengths in drawn]
    place = np.concatenate([places(lengths) for lengths in tables])
    assert ((place > 0) & (place < 1)).all()
    source = np.repeat(np.arange(len(tables)), [len(lengths) for lengths in tables])
    tokens = np.concatenate(tables)
    order = np.argsort(place, kind="stable")
    totals = [int(lengths.sum()) for lengths in tables]
    for own, total in enumerate(totals):
        assert np.flatnonzero(source[order] == own).size == len(tables[own])
        for end in range(len(order)):
            seen = int(tokens[order[: end + 1]][source[order[: end + 1]] == own].sum())
            # Half a document at the end of what came, and half of the one that comes next.
            assert abs(seen / total - place[order[end]]) * total <= 50
    for lengths in tables:
        assert all(a < b for a, b in itertools.pairwise(places(lengths)))


def test_nothing_has_no_places() -> None:
    assert places(np.empty(0, np.int64)).size == 0


def test_no_temperature_is_too_hot_or_too_cold_for_numbers() -> None:
    unique = {"web": 10**12, "books": 10**9, "code": 0}
    hot = plan(unique, Mixture(tokens=10**6, temperature=300.0, missing="report"))
    assert (hot["web"].wanted, hot["books"].wanted, hot["code"].wanted) == (10**6, 0, 0)
    half = plan(unique, Mixture(tokens=10**6, temperature=0.5, missing="report"))
    assert half["web"].wanted / half["books"].wanted == pytest.approx(1000**0.5, rel=1e-3)
