import math

import pytest

from trainer.config import Guard
from trainer.guard import DivergedError, Spike, Watch


def fed(action: str, losses: list[float], **more: float) -> tuple[Watch, list[bool]]:
    watch = Watch(Guard.model_validate({"action": action, **more}))
    return watch, [watch.is_spike(loss, 1.0) for loss in losses]


QUIET = [4.0 + 0.1 * (-1) ** n for n in range(40)]


@pytest.mark.parametrize("action", ["stop", "skip", "rollback"])
@pytest.mark.parametrize(("loss", "norm"), [(math.nan, 1.0), (math.inf, 1.0), (4.0, math.nan), (4.0, math.inf)])
def test_what_is_no_finite_number_is_a_spike_from_the_first_step_on(action: str, loss: float, norm: float) -> None:
    assert fed(action, [])[0].is_spike(loss, norm)


def test_a_loss_is_a_spike_by_the_deviations_of_those_before_it() -> None:
    # Mean 4, standard deviation .1.
    watch, seen = fed("skip", QUIET, deviations=5.0)
    assert not any(seen)
    assert watch.is_spike(4.51, 1.0)
    assert not watch.is_spike(4.49, 1.0)
    assert not watch.is_spike(1.0, 1.0), "low losses are welcome"


def test_spikes_do_not_count_for_those_that_follow() -> None:
    watch, _ = fed("skip", QUIET, deviations=5.0)
    assert all(watch.is_spike(9.0, 1.0) for _ in range(30))
    assert 9.0 not in watch.losses


def test_nothing_is_a_spike_before_there_are_enough_and_old_losses_are_forgotten() -> None:
    assert not any(fed("skip", [4.0] * 19 + [100.0])[1])
    watch, seen = fed("skip", [10.0 - n / 100 for n in range(500)], window=20)
    assert not any(seen)
    assert len(watch.losses) == 20


def test_stop_minds_finite_losses_only_and_names_the_step() -> None:
    watch, seen = fed("stop", [*QUIET, 100.0])
    assert not any(seen)
    with pytest.raises(DivergedError, match=r"step 7: loss None, gradient norm 1\.0\. .*guard\.action=skip.*0\.003"):
        watch.add(Spike.of(7, 9, math.nan, 1.0, "stop"), 0.003)


def test_more_spikes_than_the_guard_lets_pass_end_training() -> None:
    watch, _ = fed("skip", [], most=2)
    for step in range(2):
        watch.add(Spike.of(step, step, math.nan, 1.0, "skip"), 0.003)
    with pytest.raises(DivergedError, match=r"spike 3 at step 2 .* one more than guard\.most"):
        watch.add(Spike.of(2, 2, math.nan, 1.0, "skip"), 0.003)


def test_what_a_checkpoint_keeps_is_what_was_there() -> None:
    watch, _ = fed("skip", QUIET)
    watch.add(Spike.of(3, 4, 9.5, 1.5, "skip"), 0.003)
    other = Watch(watch.config)
    other.restore(watch.state())
    assert other == watch
