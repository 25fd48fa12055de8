"""How much of each source goes into the mixture, and which documents, in which order.

What goes in: unique tokens per source and the recipe's mixture. What comes out: tokens and epochs per source, then
documents in the order of the shards. What stays true: shares are shares of tokens (not of documents); a document is
used as often as its source has whole epochs, or once more; the same seed gives the same draw.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from corpus.hashing import keyed
from mixtures.mixture import Mixture


@dataclass(frozen=True)
class SourcePlan:
    """Tokens of one source: what is asked of it, what there is once, and what it gives, which the cap may limit.

    `weight` is the one asked for, None for a source that is given by epochs; `share` is that of all tokens wanted.
    """

    weight: float | None
    share: float
    unique: int
    cap: float
    wanted: int
    planned: int

    @property
    def missing(self) -> int:
        return self.wanted - self.planned

    @property
    def repeated(self) -> int:
        return max(0, self.planned - self.unique)

    @property
    def epochs(self) -> float:
        return self.planned / self.unique if self.unique else 0.0


def wanted(unique: Mapping[str, int], mixture: Mixture) -> dict[str, float]:
    """Tokens to have of each source in `unique`, whatever its cap: by epochs, or what these leave by weight.

    Of a mixture without a total only their shares mean something.
    """
    by_epochs = {source: round(epochs * unique[source]) for source, epochs in mixture.epochs.items()}
    rest = max(0, (mixture.tokens or 1) - sum(by_epochs.values()))
    weights = mixture.weights_of(unique)
    # Sources that are all empty have their shares too, so that these are missing.
    if mixture.temperature is not None and (most := max((unique[source] for source in weights), default=0)):
        # Of the largest, because powers of tokens can be too large for any number.
        weights = {
            source: weight * (unique[source] / most) ** mixture.temperature for source, weight in weights.items()
        }
    total = sum(weights.values())
    return {source: by_epochs[source] if source in by_epochs else rest * weights[source] / total for source in unique}


def plan(unique: Mapping[str, int], mixture: Mixture) -> dict[str, SourcePlan]:
    """What each source of `unique`, its unique tokens by source, gives to the mixture.

    A source that would exceed its cap gives what it has, and the rest is missing: made up from others it would change
    the mixture behind the user's back. Raises `ValueError` where epochs alone exceed `mixture.tokens`.
    """
    asked = wanted(unique, mixture)
    by_epochs = sum(round(asked[source]) for source in mixture.epochs)
    if mixture.tokens is not None and by_epochs > mixture.tokens:
        raise ValueError(
            f"mixture.epochs ask for {by_epochs:,} tokens and mixture.tokens is {mixture.tokens:,}; raise it to what "
            "is to be shared by weights besides, or lower the epochs"
        )
    weights = mixture.weights_of(unique)
    total = sum(asked.values())
    plans = {}
    for source, tokens in asked.items():
        share = tokens / total if total else 0.0
        cap, there = mixture.cap(source), unique[source]
        planned = min(round(tokens), round(cap * there))
        plans[source] = SourcePlan(weights.get(source), share, there, cap, round(tokens), planned)
    return plans


def refuse_missing(plans: Mapping[str, SourcePlan], mixture: Mixture) -> None:
    """Raises `ValueError` if a source has too few tokens, unless the mixture says to report it."""
    short = {source: planned for source, planned in plans.items() if planned.missing}
    if not short or mixture.missing == "report":
        return
    each = [
        f"{source} has {planned.unique:,} unique tokens, which {planned.cap:g} epochs make {planned.planned:,}; "
        f"{planned.wanted:,} are wanted"
        for source, planned in short.items()
    ]
    if empty := [source for source, planned in short.items() if not planned.unique]:
        remedy = f"Nothing is left of {', '.join(empty)} to train on, so no total works (what mixture.validation holds "
        remedy += "out does not count): give weight 0 to what is empty"
    else:
        largest = largest_total({source: planned.unique for source, planned in plans.items()}, mixture)
        remedy = f"The largest mixture.tokens that works with these weights and caps is {largest:,}: lower it to that"
        remedy += ", raise mixture.max_epochs"
    remedy += ", or set mixture.missing to report to take what there is"
    raise ValueError("\n  ".join(["the mixture asks for more than there is:", *each, remedy]))


def largest_total(unique: Mapping[str, int], mixture: Mixture) -> int:
    """The largest `mixture.tokens` of which nothing is missing, for one of which something is."""
    assert mixture.tokens is not None

    def is_there(tokens: int) -> bool:
        plans = plan(unique, mixture.model_copy(update={"tokens": tokens}))
        return not any(planned.missing for planned in plans.values())

    # What a source is to give grows with the total and with nothing else.
    low, high = sum(round(epochs * unique[source]) for source, epochs in mixture.epochs.items()), mixture.tokens
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if is_there(middle) else (low, middle)
    return low


def sampled(hashes: NDArray[np.uint64], share: float) -> NDArray[np.bool_]:
    """Which of uniform 64-bit `hashes` are in a sample of `share` of them; a document is in it or not for good."""
    return hashes < np.uint64(int(share * 2.0**64)) if share < 1 else np.ones(len(hashes), bool)


def held_out(ids: NDArray[np.uint64], seed: int, share: float) -> NDArray[np.bool_]:
    """Which documents are kept out of training, by id, so that they are out of it whatever the mixture."""
    return sampled(keyed(ids, "held out", seed), share)


def draw(ids: NDArray[np.uint64], lengths: NDArray[np.int64], tokens: int, source: str, seed: int) -> NDArray[np.int64]:
    """Indices of documents, in order, whose lengths (all above 0) sum to `tokens` as nearly as `fill` gets.

    Every epoch is all documents in another order; of the last one comes what fills the rest.
    """
    unique = int(lengths.sum())
    if not unique:
        return np.empty(0, np.int64)
    epochs, rest = divmod(tokens, unique)
    orders = [np.argsort(keyed(ids, "epoch", seed, source, epoch), kind="stable") for epoch in range(epochs + 1)]
    orders[-1] = orders[-1][fill(lengths[orders[-1]], rest)]
    return np.concatenate(orders)


def fill(lengths: NDArray[np.int64], tokens: int) -> NDArray[np.int64]:
    """Which of `lengths` to take for `tokens` in all, ascending: each in turn that still fits, until none does.

    Then the shortest that is left, if the sum is nearer with it. Each round takes those up to the first that does not
    fit, and lets go of all that are longer than what is left.
    """
    open_places = np.arange(len(lengths))
    taken: list[NDArray[np.int64]] = []
    left = tokens
    while len(open_places := open_places[lengths[open_places] <= left]):
        ends = np.cumsum(lengths[open_places])
        count = int(np.searchsorted(ends, left, side="right"))
        taken.append(open_places[:count])
        left -= int(ends[count - 1])
        open_places = open_places[count:]
    chosen = np.zeros(len(lengths), bool)
    chosen[np.concatenate([*taken, np.empty(0, np.int64)])] = True
    others = np.flatnonzero(~chosen)
    if len(others):
        shortest = others[np.argmin(lengths[others])]
        chosen[shortest] = lengths[shortest] - left < left
    return np.flatnonzero(chosen)


def shard_numbers(lengths: NDArray[np.int64], shard_tokens: int) -> NDArray[np.int64]:
    """The shard of each document in order: by where it starts, so that none is split and shards are near equal."""
    starts = np.cumsum(lengths) - lengths
    return np.asarray(starts // shard_tokens, np.int64)


def places(lengths: NDArray[np.int64]) -> NDArray[np.float64]:
    """Where in its source's tokens, all of which are 1, the middle of each document lies.

    Documents of all sources in the order of their places are interleaved by the sources' shares, and any slice of that
    order has a slice of each source, each at the same place: no document returns before the others of its source came.
    """
    ends = np.cumsum(lengths)
    return (ends - lengths / 2) / ends[-1] if len(ends) else np.empty(0)
