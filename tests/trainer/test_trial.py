"""A trial as a whole: what it measures, that its mixture matters, and that it says so when it diverged."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mixtures.token_shards import TokenShards
from tests.trainer import planted
from trainer.config import Model, Optimizer, Training
from trainer.trial import Texts, Trial, run_trial

SMALL = Training(
    model=Model(layers=1, width=32, context=16), optimizer=Optimizer(learning_rate=1e-2), steps=40, batch=8
)


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> TokenShards:
    """Two sources that have nothing to do with each other: a chain, and the same with its ids turned round."""
    folder = tmp_path_factory.mktemp("pool")
    chain, turned = planted.markov(300, seed=1), [24 - ids for ids in planted.markov(300, seed=3)]
    held, held_turned = planted.markov(30, seed=2), [24 - ids for ids in planted.markov(30, seed=4)]
    entries = [planted.shard(folder, "chain", chain), planted.shard(folder, "turned", turned)]
    entries += [planted.shard(folder, "chain", held, "validation")]
    entries += [planted.shard(folder, "turned", held_turned, "validation")]
    return TokenShards.open(planted.finish(folder, entries))


def trial(shares: dict[str, float], **changes: object) -> Trial:
    return replace(Trial(SMALL, shares, seed=0, keep=1.0, threads=1, gpu=False, most=100_000), **changes)  # type: ignore[arg-type]


def test_each_source_is_learnt_the_better_the_more_of_it_there_is(pool: TokenShards) -> None:
    texts = Texts((pool,))
    found = [run_trial(pool, texts, trial({"chain": share, "turned": 1 - share})) for share in (0.1, 0.5, 0.9)]
    chain = [result["losses"]["chain"] for result in found]
    turned = [result["losses"]["turned"] for result in found]
    assert chain == sorted(chain, reverse=True)
    assert turned == sorted(turned)
    assert chain[0] - chain[2] > 0.1 < turned[2] - turned[0]
    assert {result["tokens"] for result in found} == {40 * 8 * 16}
    # Two matrices of attention's four and three of SwiGLU's, norms, and the head; the embedding is looked up.
    model, mlp = 4 * 32 * 32, 3 * 32 * 96
    assert found[0]["parameters"] == model + mlp + 3 * 32 + 24 * 32


def test_the_same_trial_gives_the_same_numbers_and_another_seed_gives_others(pool: TokenShards) -> None:
    shares, texts = {"chain": 0.5, "turned": 0.5}, Texts((pool,))
    first = run_trial(pool, texts, trial(shares))
    assert run_trial(pool, texts, trial(shares)) == first
    assert run_trial(pool, texts, trial(shares, seed=1))["losses"] != first["losses"]
    assert run_trial(pool, texts, trial(shares, most=100))["losses"] != first["losses"]


def test_a_trial_that_diverges_is_a_result_that_says_where(pool: TokenShards) -> None:
    wild = SMALL.model_copy(update={"optimizer": Optimizer(learning_rate=1e38)})
    found = run_trial(pool, Texts((pool,)), trial({"chain": 1.0, "turned": 0.0}, config=wild))
    assert found["diverged"].startswith("training diverged at step ")
    assert found["losses"] == {}
    assert np.isfinite(found["tokens"])


def test_a_gpu_that_is_not_there_is_refused(pool: TokenShards, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ValueError, match="gpus: torch finds no GPU here"):
        run_trial(pool, Texts((pool,)), trial({"chain": 1.0}, gpu=True))


def test_progress_comes_after_every_step(pool: TokenShards) -> None:
    heard: list[float] = []
    run_trial(pool, Texts((pool,)), trial({"chain": 1.0}), heard.append)
    assert heard == [pytest.approx((n + 1) / 40) for n in range(40)]


def test_shards_of_texts_alone_are_measured_too(pool: TokenShards, tmp_path: Path) -> None:
    entry = planted.shard(tmp_path, "own", planted.markov(20, seed=9), "validation")
    own = TokenShards.open(planted.finish(tmp_path, [entry]))
    found = run_trial(pool, Texts((pool, own)), trial({"chain": 1.0}))
    assert set(found["losses"]) == {"chain", "turned", "own"}
    assert found["losses"]["own"] == pytest.approx(found["losses"]["chain"], rel=0.1)
