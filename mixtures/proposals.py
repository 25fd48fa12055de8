"""Which mixtures to train proxies on: the ones anybody would try, the user's own, and random ones around the natural.

What goes in: unique tokens by source, how often each may be repeated, the user's mixtures. What comes out: named
shares of tokens. What stays true: each share is between the floor and the source's cap, shares sum to 1, no two
mixtures are the same, and the same input gives the same mixtures whatever the order of its keys.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from corpus.strict import unknown

# Shares that differ by less are the same mixture: no run tells them apart.
SAME = 1e-6
TINY = 1e-12
# Of sums of shares.
ROUNDING = 1e-9
# What the names of random mixtures begin with.
RANDOM = "dirichlet-"
# mT5's and XLM-R's way between the natural mixture (1) and a uniform one (0).
TEMPERATURE = 0.5
# Dirichlet parameters sum to so many, drawn log-uniformly: from nearly one source a mixture to nearly the centre.
CONCENTRATION = (1.0, 20.0)
# Draws to choose each proposal from.
POOL = 16


@dataclass(frozen=True, slots=True)
class Proposal:
    """A mixture to train on: shares of tokens by source, sources in alphabetical order.

    `also` names mixtures that came to the same shares and have no trial of their own.
    """

    name: str
    shares: dict[str, float]
    also: tuple[str, ...] = ()


def default_count(sources: int) -> int:
    """Random mixtures for a law of each target: three a source, at least 16."""
    return max(3 * sources, 16)


def share_caps(
    unique: Mapping[str, int], max_epochs: Mapping[str, float], tokens: int, floor: float
) -> dict[str, float]:
    """The largest share of `tokens` that each source can have: all of its unique tokens, `max_epochs` times.

    Raises `ValueError`, with the largest total that works, where all of them together are too few, or where one is too
    small for the floor.
    """
    _refuse_empty(unique)
    most = {source: max_epochs[source] * unique[source] for source in sorted(unique)}
    largest = min([sum(most.values()), *(tokens_of / floor for tokens_of in most.values() if floor > 0)])
    if tokens > largest:
        small = [
            f"{source} ({tokens_of / tokens:.4g})" for source, tokens_of in most.items() if tokens_of < floor * tokens
        ]
        why = (
            f"the floor of {floor:g} is above what {', '.join(small)} can have" if small else "all sources are too few"
        )
        raise ValueError(
            f"{tokens:,} tokens cannot be had within max_epochs: {why}. The largest total that works is "
            f"{int(largest):,}: lower the total to that, raise max_epochs{', or lower the floor' if small else ''}"
        )
    return {source: min(1.0, tokens_of / tokens) for source, tokens_of in most.items()}


def within(shares: Mapping[str, float], floor: float, caps: Mapping[str, float]) -> dict[str, float]:
    """The mixture nearest to `shares` (any positive numbers) with floor <= share <= cap, by KL(it || shares).

    Shares that meet no bound keep their ratios. Raises `ValueError` where no mixture is within the bounds, or none that
    leaves out what `shares` leaves out.
    """
    sources = sorted(shares)
    values, upper = _array(shares, sources), _array(caps, sources)
    check_bounds(sources, floor, upper)
    if not (np.isfinite(values).all() and (values >= 0).all() and values.sum() > 0):
        raise ValueError(f"shares have to be finite, not negative, and sum to more than 0: {dict(shares)}")
    if upper[values > 0].sum() + floor * (values == 0).sum() < 1 - ROUNDING:
        nothing = [source for source in sources if shares[source] == 0]
        raise ValueError(
            f"the caps of the sources in the mixture sum to less than 1: give {', '.join(nothing)} a share above 0"
        )
    return _named(sources, project(values, floor, upper))


def check_bounds(sources: Sequence[str], floor: float, caps: NDArray[np.float64]) -> None:
    """Raises `ValueError` where no shares of `sources` are at least `floor`, at most `caps` and sum to 1."""
    if not 0 <= floor * len(sources) <= 1 + ROUNDING:
        raise ValueError(
            f"a floor of {floor:g} for each of {len(sources)} sources is none that shares of 1 in all can have: "
            f"at most {1 / len(sources):.4g}, at least 0"
        )
    low = [f"{source} ({cap:.4g})" for source, cap in zip(sources, caps, strict=True) if cap < floor]
    if low:
        raise ValueError(f"the floor of {floor:g} is above the cap of {', '.join(low)}: lower it")
    if caps.sum() < 1 - ROUNDING:
        raise ValueError(f"the caps sum to {caps.sum():.4g}: no shares of 1 in all are below them; lower the total")


def project(values: NDArray[np.float64], floor: float, caps: NDArray[np.float64]) -> NDArray[np.float64]:
    """`values` (not negative) scaled by one factor and cut to [floor, caps], the factor being such that they sum to 1.

    That is the projection by Kullback-Leibler divergence. The sum is a piecewise linear function of the factor, which
    bends where a value meets a bound, so the factor is found exactly. The bounds have to leave room for it.
    """
    positive = values > 0
    bends = np.sort(np.concatenate([floor / values[positive], caps[positive] / values[positive]]))
    sums = np.clip(bends[:, None] * values, floor, caps).sum(axis=1)
    last = int(np.searchsorted(sums, 1.0))
    if last == len(bends):  # all at their caps, which sum to 1 but for rounding
        return np.asarray(caps / caps.sum())
    before = bends[last - 1] if last else 0.0
    scaled = (before + bends[last]) / 2 * values
    free = (scaled > floor) & (scaled < caps)
    if not free.any():
        return np.asarray(np.clip(bends[last] * values, floor, caps))
    fixed = np.where(free, 0.0, np.clip(scaled, floor, caps)).sum()
    return np.asarray(np.clip((1 - fixed) / values[free].sum() * values, floor, caps))


def reference_mixtures(
    unique: Mapping[str, int], caps: Mapping[str, float], floor: float, temperature: float = TEMPERATURE
) -> list[Proposal]:
    """Natural (the shares of the unique tokens), uniform, and unique tokens ** temperature, each within the bounds."""
    _refuse_empty(unique)
    total = sum(unique.values())
    asked = {
        "natural": {source: count / total for source, count in unique.items()},
        "uniform": dict.fromkeys(unique, 1.0),
        "temperature": {source: (count / total) ** temperature for source, count in unique.items()},
    }
    return [Proposal(name, within(shares, floor, caps)) for name, shares in asked.items()]


def named_mixtures(named: Mapping[str, Mapping[str, float]], caps: Mapping[str, float], floor: float) -> list[Proposal]:
    """The user's own, by name, brought within the bounds; a source that is not said gets the floor.

    Raises `ValueError` for a source that is not there, for shares that are no mixture, and for two that are the same.
    """
    found: list[Proposal] = []
    for name, weights in named.items():
        for source in weights:
            if source not in caps:
                raise ValueError(f"mixture {name}: {unknown(source, caps, 'source')}")
        try:
            shares = within({source: weights.get(source, 0.0) for source in caps}, floor, caps)
        except ValueError as error:
            raise ValueError(f"mixture {name}: {error}") from error
        for other in found:
            if _same(shares, other.shares):
                raise ValueError(f"mixtures {other.name} and {name} are the same within floor and caps; leave one out")
        found.append(Proposal(name, shares))
    return found


def propose(
    natural: Mapping[str, float],
    caps: Mapping[str, float],
    *,
    count: int,
    floor: float,
    seed: int,
    given: Sequence[Proposal] = (),
) -> list[Proposal]:
    """`count` Dirichlet mixtures around `natural` ** TEMPERATURE, within the bounds, beside the `given` ones."""
    sources = sorted(natural)
    upper = _array(caps, sources)
    check_bounds(sources, floor, upper)
    centre = _array(natural, sources) ** TEMPERATURE
    random = np.random.default_rng(seed)
    low, high = np.log(CONCENTRATION)
    concentrations = np.exp(random.uniform(low, high, POOL * count))
    draws = [random.dirichlet(each * centre / centre.sum()) for each in concentrations]
    # So small a share has no row in any run, and a bound over it is no number.
    pool = np.array([project(np.where(draw < TINY, 0.0, draw), floor, upper) for draw in draws])
    start = np.array([_array(proposal.shares, sources) for proposal in given]).reshape(-1, len(sources))
    digits = max(2, len(str(count - 1)))
    return [
        Proposal(f"{RANDOM}{number:0{digits}}", _named(sources, pool[row]))
        for number, row in enumerate(spread(pool, count, start))
    ]


def spread(pool: NDArray[np.float64], count: int, start: NDArray[np.float64]) -> list[int]:
    """`count` rows of `pool` that tell a linear function of the shares best, beside the rows of `start`.

    One after the other the row whose prediction is least certain, which raises the determinant of the information
    matrix most (D-optimal design; Dykstra 1971). No mixture twice, so there are fewer where `pool` has fewer.
    """
    information = np.eye(pool.shape[1]) * SAME + start.T @ start
    new = np.array([not _among(row, start) for row in pool], bool)
    chosen: list[int] = []
    while len(chosen) < count and new.any():
        variances = np.einsum("ij,jk,ik->i", pool, np.linalg.inv(information), pool)
        row = int(np.argmax(np.where(new, variances, -np.inf)))
        information += np.outer(pool[row], pool[row])
        chosen.append(row)
        new &= np.abs(pool - pool[row]).max(axis=1) >= SAME
    return chosen


def proposals(
    unique: Mapping[str, int],
    caps: Mapping[str, float],
    named: Mapping[str, Mapping[str, float]],
    *,
    count: int,
    floor: float,
    seed: int,
    temperature: float = TEMPERATURE,
) -> list[Proposal]:
    """All mixtures to train on: natural, uniform, temperature, the named ones in their order, `count` random ones.

    One that is the same as an earlier one is left out, and the earlier one's `also` says so.
    """
    references = reference_mixtures(unique, caps, floor, temperature)
    own = named_mixtures(named, caps, floor)
    reserved = {proposal.name for proposal in references}
    for proposal in own:
        if proposal.name in reserved or proposal.name == "chosen" or proposal.name.startswith(RANDOM):
            raise ValueError(f"mixture {proposal.name}: the name is taken by one that is proposed anyway; rename yours")
    kept: list[Proposal] = []
    total = sum(unique.values())
    natural = {source: count_of / total for source, count_of in unique.items()}
    for proposal in [*references, *own]:
        _add(kept, proposal)
    for proposal in propose(natural, caps, count=count, floor=floor, seed=seed, given=list(kept)):
        _add(kept, proposal)
    return kept


def _add(kept: list[Proposal], new: Proposal) -> None:
    for place, old in enumerate(kept):
        if _same(old.shares, new.shares):
            kept[place] = replace(old, also=(*old.also, new.name))
            return
    kept.append(new)


def _same(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    return all(abs(one[source] - other[source]) < SAME for source in one)


def _among(row: NDArray[np.float64], rows: NDArray[np.float64]) -> bool:
    return bool((np.abs(rows - row).max(axis=1) < SAME).any())


def _refuse_empty(unique: Mapping[str, int]) -> None:
    if empty := [source for source in sorted(unique) if unique[source] <= 0]:
        raise ValueError(f"no tokens of {', '.join(empty)}: there is no share to propose; leave it out of the mixture")


def _array(values: Mapping[str, float], sources: Sequence[str]) -> NDArray[np.float64]:
    return np.array([values[source] for source in sources], np.float64)


def _named(sources: Sequence[str], shares: NDArray[np.float64]) -> dict[str, float]:
    return dict(zip(sources, map(float, shares), strict=True))
