"""Which documents a score lets stay: a share of the text, a threshold, GPT-3's draw, or buckets by percentile.

In come scores of which larger is better, none negative, with bytes and ids, batch by batch in the order of ids; out
comes a `Selection`, a few numbers that say of any document whether it stays. What stays true: that depends on scores,
bytes and ids alone, and of equal scores the smaller ids come first, so that a share is met to the document.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from corpus.hashing import keyed
from corpus.strict import Share, Strict

Bucket = Literal["head", "middle", "tail"]
BUCKETS: tuple[Bucket, ...] = get_args(Bucket)
RULES = ("share", "threshold", "pareto", "buckets")
# CCNet's.
PERCENTILES = [30.0, 60.0]

Scores = NDArray[np.float32]
Ids = NDArray[np.uint64]
# Scores, sizes, ids, and the number of the group that each document is compared in.
Scored = Iterable[tuple[Scores, NDArray[np.int64], Ids, NDArray[np.int64]]]


class Keep(Strict):
    """What stays, by one of four rules.

    `share`: the best documents up to this share of all text, in bytes. `threshold`: scores from this on. `pareto`: what
    GPT-3's draw keeps, which is a document whose Pareto variate with this exponent (it took 9) exceeds 1 - score, so
    that some of the worse stay (arXiv:2005.14165, appendix A); the draw is by the document's id. `buckets`: those of
    head, middle and tail to keep, parted at these `percentiles` of documents, the best first (CCNet, arXiv:1911.00359,
    takes 30 and 60).
    """

    share: Share | None = None
    threshold: Annotated[float, Field(allow_inf_nan=False)] | None = None
    pareto: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    buckets: Annotated[list[Bucket], Field(min_length=1)] | None = None
    percentiles: Annotated[list[float], Field(min_length=2, max_length=2)] = Field(default_factory=PERCENTILES.copy)

    @property
    def rule(self) -> str:
        return next(rule for rule in RULES if getattr(self, rule) is not None)

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        given = [rule for rule in RULES if getattr(self, rule) is not None]
        if len(given) != 1:
            raise PydanticCustomError("keep", "give one of: share, threshold, pareto, buckets")
        if self.buckets is None and self.percentiles != PERCENTILES:
            raise PydanticCustomError("keep", "percentiles are for buckets; leave them out")
        low, high = self.percentiles
        if not 0 < low < high < 100:
            raise PydanticCustomError("keep", "percentiles should be two numbers between 0 and 100, in their order")
        return self

    @property
    def shares(self) -> list[float]:
        """The shares at whose ends a crawl has to be cut: of bytes, or of documents for buckets."""
        if self.share is not None:
            return [self.share]
        return [percentile / 100 for percentile in self.percentiles] if self.buckets else []


def as_keep(value: object) -> object:
    """`keep: 0.5` is a share."""
    return {"share": value} if isinstance(value, int | float) and not isinstance(value, bool) else value


KeepRule = Annotated[Keep, BeforeValidator(as_keep)]


@dataclass(frozen=True)
class Cutoff:
    """The last document of a share: those of better scores are in it, and those of its score with no larger id."""

    score: float
    id: int


@dataclass(frozen=True)
class Selection:
    """A rule with what it found in a crawl: for each group of documents that are compared, where its shares end."""

    keep: Keep
    seed: int
    cutoffs: Mapping[str, Sequence[Cutoff]]

    def as_json(self) -> dict[str, Any]:
        ends = {group: [[cutoff.score, cutoff.id] for cutoff in found] for group, found in self.cutoffs.items()}
        return {"keep": self.keep.model_dump(), "seed": self.seed, "cutoffs": ends}

    @classmethod
    def of_json(cls, value: Mapping[str, Any]) -> Self:
        ends = {group: [Cutoff(*end) for end in found] for group, found in value["cutoffs"].items()}
        return cls(Keep.model_validate(value["keep"]), value["seed"], ends)

    def places(self, scores: Scores, ids: Ids, groups: Sequence[str]) -> NDArray[np.int8]:
        """For each document how many of the cuts it lies behind: 0 is head, or what a share, threshold or draw keeps.

        -1 for a document without a score (NaN): there is nothing to judge it by.
        """
        found = np.zeros(len(scores), np.int8)
        if self.keep.threshold is not None:
            found[scores < np.float32(self.keep.threshold)] = 1
        elif self.keep.pareto is not None:
            found[~drawn(scores, ids, self.keep.pareto, self.seed)] = 1
        else:
            names = np.asarray(groups, object)
            for group, ends in self.cutoffs.items():
                here = names == group
                for end in ends:
                    behind = (scores < end.score) | ((scores == end.score) & (ids > np.uint64(end.id)))
                    found += here & behind
        found[np.isnan(scores)] = -1
        return found

    def stays(self, places: NDArray[np.int8]) -> NDArray[np.bool_]:
        """Which documents stay, by `places`."""
        kept = [BUCKETS.index(bucket) for bucket in self.keep.buckets] if self.keep.buckets else [0]
        return np.isin(places, [-1, *kept])


def drawn(scores: Scores, ids: Ids, alpha: float, seed: int) -> NDArray[np.bool_]:
    """GPT-3's draw: whether a Pareto (Lomax) variate, which follows from the id and the seed, exceeds 1 - score."""
    uniform = (keyed(ids, "pareto", seed) >> np.uint64(11)) / float(1 << 53)
    return np.asarray((1 - uniform) ** (-1 / alpha) - 1 > 1 - scores.astype(np.float64))


def select(scored: Callable[[], Scored], keep: Keep, seed: int, groups: Sequence[str]) -> Selection:
    """The selection that `keep` makes of all documents; a document's group is a number in `groups`.

    The batches are gone through three times a share, and what is held is a count for each half of a score's 32 bits.
    """

    def counted() -> Scored:
        """As buckets are of documents, and a share is one of their bytes."""
        for scores, sizes, ids, group in scored():
            yield scores, np.ones_like(sizes) if keep.buckets else sizes, ids, group

    ends = [_cutoffs(counted, share, len(groups)) for share in keep.shares]
    by_group = {group: [found[number] for found in ends] for number, group in enumerate(groups)}
    return Selection(keep, seed, by_group if ends else {})


def _cutoffs(scored: Callable[[], Scored], share: float, groups: int) -> list[Cutoff]:
    """Where the best `share` of all sizes ends, in each group.

    The document that straddles it is in it, so that a share of 1 is all and a small crawl keeps something.
    """
    half = np.uint32(16)
    high = _sizes_by(scored, groups, lambda bits, _: (bits >> half, np.ones(len(bits), bool)))
    wanted = share * high.sum(axis=1)
    found = [_straddling(high[group], 0.0, wanted[group]) for group in range(groups)]
    top = np.array([value for value, _ in found], np.uint32)
    low = _sizes_by(scored, groups, lambda bits, group: (bits & np.uint32(0xFFFF), bits >> half == top[group]))
    found = [_straddling(low[group], found[group][1], wanted[group]) for group in range(groups)]
    bottom = np.array([value for value, _ in found], np.uint32)
    scores = (top << half | bottom).view(np.float32)
    last, above = np.zeros(groups, np.uint64), [above for _, above in found]
    for batch, sizes, ids, group in scored():
        for number in np.unique(group[batch == scores[group]]).tolist():
            here = (group == number) & (batch == scores[number])
            before = above[number] + np.cumsum(sizes[here]) - sizes[here]
            last[number] = max(last[number], ids[here][before < wanted[number]].max(initial=0))
            above[number] += float(sizes[here].sum())
    return [Cutoff(float(score), int(end)) for score, end in zip(scores, last, strict=True)]


Chosen = Callable[[NDArray[np.uint32], NDArray[np.int64]], tuple[NDArray[np.uint32], NDArray[np.bool_]]]


def _sizes_by(scored: Callable[[], Scored], groups: int, choose: Chosen) -> NDArray[np.float64]:
    """(groups, 65,536) sizes by 16 bits of the score, which say its order because no score is negative."""
    total = np.zeros((groups, 1 << 16))
    for scores, sizes, _, group in scored():
        value, counted = choose(np.ascontiguousarray(scores).view(np.uint32), group)
        place = (group[counted] << 16) + value[counted]
        total += np.bincount(place, sizes[counted], groups << 16).reshape(groups, 1 << 16)
    return total


def _straddling(by: NDArray[np.float64], above: float, wanted: float) -> tuple[int, float]:
    """The lowest value with any size before the wanted share is full, and the size above that value."""
    values = np.flatnonzero(by)[::-1]
    if not len(values):
        return 0, above
    before = above + np.cumsum(by[values]) - by[values]
    place = int(np.flatnonzero(before < wanted)[-1]) if wanted > above else 0
    return int(values[place]), float(before[place])
