"""Several lengths of one size: each as if it had been trained alone, and what becomes of those after a divergence."""

from dataclasses import replace

import pytest

from mixtures.token_shards import TokenShards
from tests.trainer import planted
from trainer import horizon_trial
from trainer.config import Model, Optimizer, Schedule, Training
from trainer.guard import DivergedError
from trainer.horizon_trial import run_horizons
from trainer.horizons import at_horizon
from trainer.loop import Loop
from trainer.trial import Measured, Texts, Trial, measure, run_trial

SMALL = Training(
    model=Model(layers=1, width=32, context=16),
    optimizer=Optimizer(learning_rate=1e-2),
    schedule=Schedule(kind="wsd"),
    steps=40,
    batch=4,
)
LENGTHS = [10, 20, 40]
TRIAL = Trial(SMALL, {"chain": 0.5, "turned": 0.5}, seed=0, keep=1.0, threads=1, gpu=False, most=500)


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> TokenShards:
    folder = tmp_path_factory.mktemp("pool")
    turned = [24 - ids for ids in planted.markov(100, seed=3)]
    entries = [planted.shard(folder, "chain", planted.markov(100, seed=1)), planted.shard(folder, "turned", turned)]
    held = planted.markov(20, seed=2)
    entries += [planted.shard(folder, source, held, "validation") for source in ("chain", "turned")]
    return TokenShards.open(planted.finish(folder, entries))


def test_each_length_has_the_numbers_of_a_trial_of_that_length_alone(pool: TokenShards) -> None:
    found = run_horizons(pool, Texts((pool,)), TRIAL, LENGTHS, warmup_steps=3)
    for steps, horizon in zip(LENGTHS, found["horizons"], strict=True):
        alone = run_trial(pool, Texts((pool,)), replace(TRIAL, config=at_horizon(SMALL, steps, 3)))
        assert horizon == {
            "steps": steps,
            **{k: alone[k] for k in ("tokens", "losses", "final_loss", "answers", "diverged")},
        }
        assert (found["parameters"], found["flops_per_token"]) == (alone["parameters"], alone["flops_per_token"])
    assert found["horizons"][0]["losses"]["chain"] > found["horizons"][2]["losses"]["chain"]


def test_lengths_after_a_divergence_say_so_and_those_before_stay(
    pool: TokenShards, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails_at_20(loop: Loop, texts: Texts, most: int) -> Measured:
        if loop.step == 20:
            raise DivergedError("step 20: the losses on held-out text are nan")
        return measure(loop, texts, most)

    monkeypatch.setattr(horizon_trial, "measure", fails_at_20)
    first, second, third = run_horizons(pool, Texts((pool,)), TRIAL, LENGTHS, warmup_steps=3)["horizons"]
    assert first["diverged"] is None
    assert first["losses"].keys() == {"chain", "turned"}
    assert second["losses"] == third["losses"] == {}
    assert second["diverged"] == third["diverged"]
    assert "step 20: the losses" in second["diverged"]
    assert (second["tokens"], third["steps"]) == (20 * 4 * 16, 40)


def test_a_run_that_diverges_before_its_first_length_has_no_losses(pool: TokenShards) -> None:
    wild = replace(TRIAL, config=SMALL.model_copy(update={"optimizer": Optimizer(learning_rate=1e38)}))
    found = run_horizons(pool, Texts((pool,)), wild, LENGTHS, warmup_steps=3)
    assert [horizon["losses"] for horizon in found["horizons"]] == [{}, {}, {}]
    assert all("diverged at step" in horizon["diverged"] for horizon in found["horizons"])
    assert found["parameters"] > 0


def test_progress_never_falls_and_ends_at_1(pool: TokenShards) -> None:
    heard: list[float] = []
    run_horizons(pool, Texts((pool,)), TRIAL, LENGTHS, 3, heard.append)
    assert heard == sorted(heard)
    assert 0 < heard[0] < 0.05
    # Fewer than the steps of the stable part and of three decays would be work that nobody heard of.
    assert heard[-1] == 1.0
    assert len(heard) >= 32 + 2 + 4 + 8


def test_lengths_too_short_for_their_warm_up_are_refused(pool: TokenShards) -> None:
    with pytest.raises(ValueError, match="a horizon of 10 steps does not hold a warm-up of 9"):
        run_horizons(pool, Texts((pool,)), TRIAL, LENGTHS, warmup_steps=9)
