"""The Gaussian process agrees where the runs bear the choice out, and says so where they do not."""

import numpy as np
import pytest
from numpy.typing import NDArray

from mixtures.interval import Interval
from mixtures.second_opinion import SecondOpinion, second_opinion

Array = NDArray[np.float64]
NATURAL = np.array([0.6, 0.3, 0.1])
GOAL = np.array([0.3, 0.4, 0.3])


def runs(noise: float) -> tuple[Array, Array]:
    """Losses that grow with the distance from the goal, which no log-linear law is like."""
    random = np.random.default_rng(0)
    shares = random.dirichlet([2.0, 2.0, 1.5], 30)
    return shares, loss(shares) + noise * random.normal(size=30)


def loss(shares: Array) -> Array:
    return np.asarray(2 + ((shares - GOAL) ** 2).sum(axis=-1))


def gains(shares: Array, losses: Array, chosen: Array) -> dict[str, Interval]:
    """Laws that know the truth."""
    best = shares[np.argmin(losses)]
    return {
        name: promise(float(loss(chosen) - loss(other)))
        for name, other in {"natural": NATURAL, "best observed": best}.items()
    }


def promise(gain: float, doubt: float = 0.0) -> Interval:
    return Interval(gain, gain - doubt, gain + doubt)


def asked(noise: float, chosen: Array, promised: Interval | None = None) -> SecondOpinion:
    made = runs(noise)
    laws = gains(*made, chosen) if promised is None else {"natural": promised, "best observed": promised}
    return second_opinion(*made, chosen, NATURAL, laws)


def test_agrees_with_a_good_choice_and_knows_its_loss() -> None:
    opinion = asked(0.005, GOAL)
    assert not opinion.disagrees
    assert opinion.chosen.loss == pytest.approx(float(loss(GOAL)), abs=0.01)
    assert abs(opinion.natural.loss - float(loss(NATURAL))) < 3 * opinion.natural.error + 0.01
    difference = opinion.chosen.loss - opinion.natural.loss
    law = gains(*runs(0.005), GOAL)["natural"].value
    assert f"{difference:+.4f} against natural (laws: {law:+.4f}; apart by chance: " in opinion.why


def test_disagrees_where_laws_promise_a_gain_of_what_is_worse_than_natural() -> None:
    assert asked(0.005, np.array([0.02, 0.08, 0.9]), promised=promise(-0.05)).disagrees


def test_disagrees_where_laws_promise_a_gain_of_what_is_worse_than_the_best_run_alone() -> None:
    opinion = asked(0.001, np.array([0.5, 0.35, 0.15]), promised=promise(-0.02))
    assert opinion.disagrees
    assert opinion.best.loss < opinion.chosen.loss < opinion.natural.loss


def test_laws_that_are_unsure_themselves_are_not_contradicted() -> None:
    chosen = np.array([0.02, 0.08, 0.9])
    assert asked(0.005, chosen, promise(-0.05, doubt=0.1)).disagrees
    assert not asked(0.005, chosen, promise(-0.05, doubt=2.0)).disagrees


@pytest.mark.parametrize("chosen", [[0.5, 0.35, 0.15], [0.02, 0.08, 0.9]])
def test_a_choice_that_laws_know_to_be_worse_is_none_to_disagree_about(chosen: list[float]) -> None:
    """As when nearness to natural was paid for with loss."""
    opinion = asked(0.001, np.array(chosen))
    assert opinion.best.loss < opinion.chosen.loss
    assert not opinion.disagrees


def test_a_smaller_gain_than_promised_is_still_one() -> None:
    opinion = asked(0.001, GOAL, promised=promise(-1.0))
    assert opinion.chosen.loss < min(opinion.natural.loss, opinion.best.loss)
    assert not opinion.disagrees


def test_knows_less_where_no_run_was() -> None:
    near, far = (asked(0.005, mixture) for mixture in (GOAL, np.array([0.0, 0.0, 1.0])))
    assert far.chosen.error > 2 * near.chosen.error


def test_pure_noise_raises_few_alarms() -> None:
    random = np.random.default_rng(1)
    flags = 0
    for _ in range(4):
        losses = 2 + 0.01 * random.normal(size=30)
        nothing = {"natural": promise(0.0), "best observed": promise(0.0)}
        flags += second_opinion(runs(0)[0], losses, random.dirichlet(np.ones(3)), NATURAL, nothing).disagrees
    assert flags <= 1


def test_losses_that_are_all_the_same() -> None:
    with pytest.raises(ValueError, match="the objective is 2 in every run"):
        second_opinion(runs(0)[0], np.full(30, 2.0), GOAL, NATURAL, {})
