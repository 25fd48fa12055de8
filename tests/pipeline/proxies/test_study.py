"""A recipe's proxies up to trials: what the pool holds, what is proposed, how much of each source a trial sees."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from corpus.strict import RecipeError
from mixtures.token_shards import TokenShards
from pipeline import steps, trials
from pipeline.cluster import Cluster
from pipeline.proxies import analysis as proxies_analysis
from pipeline.proxies import study as proxies
from pipeline.proxies.study import Study
from pipeline.recipe import load
from tests.pipeline.conftest import SOURCES

TINY = "training: {model: {layers: 1, width: 32, context: 16}, steps: 4, batch: 4}, measured_tokens: 500"
MIXTURE = "{tokens: 20_000, weights: {web: 1, books: 1, code: 1}, validation: 0.1}"


@pytest.fixture
def study(three_sources: Path, tmp_path: Path) -> Callable[..., Study]:
    """A study of the three sources in tmp_path/run, its pool filled."""

    def go(*overrides: str, mixture: str = MIXTURE, keys: str = TINY) -> Study:
        path = tmp_path / "recipe.yaml"
        sources = [f"  {name}: {{kind: jsonl, paths: {three_sources}/{name}.jsonl}}" for name in SOURCES]
        tokens = "tokens: {tokenizer: {train: 300}, shard_tokens: 20_000}"
        path.write_text("\n".join(["name: tried", "sources:", *sources, f"mixture: {mixture}", tokens]))
        with path.open("a") as file:
            file.write(f"\nproxies: {{{keys}}}\n")
        with Cluster(0) as cluster:
            return proxies.prepare(
                load(str(path), overrides), str(tmp_path / "run"), cluster, lambda _: None, lambda _: None
            )

    return go


def test_the_pool_has_every_document_once_whatever_its_weight(study: Callable[..., Study]) -> None:
    found = study(mixture="{tokens: 20_000, weights: {web: 1, books: 1, code: 0.001}, validation: 0.1}")
    shards = TokenShards.open(steps.folder(found.root, found.pool.step))
    for source, (documents, _) in SOURCES.items():
        entries = [entry for entry in shards.manifest.shards if entry.source == source]
        assert sum(entry.documents for entry in entries) == documents
        assert found.unique[source] == sum(entry.tokens for entry in entries if entry.split == "train")
        assert {entry.split for entry in entries} == {"train", "validation"}


def test_a_trial_takes_so_little_of_a_source_that_it_repeats_it_as_the_target_run_will(
    study: Callable[..., Study],
) -> None:
    found = study()
    tokens = 4 * 4 * 16
    assert found.keep(found.proxies.training) == tokens / 20_000
    # What the target run takes of a source, over what there is, is what the trial takes over what it keeps.
    share = 0.3
    for source, unique in found.unique.items():
        assert share * tokens / (found.keep(found.proxies.training) * unique) == pytest.approx(share * 20_000 / unique)
        assert found.caps[source] == min(1.0, 4 * unique / 20_000)
    longer = study("proxies.target_tokens=100")
    assert longer.keep(longer.proxies.training) == 1.0


def test_the_mixtures_are_references_the_recipes_own_the_named_and_random_ones(study: Callable[..., Study]) -> None:
    found = study("proxies.mixtures={mine: {web: 3, code: 1}}")
    proposed = proxies.propose(found)
    names = [mixture.name for mixture in proposed]
    assert names[:2] == ["natural", "uniform"]
    assert "mine" in names
    assert sum(name.startswith("dirichlet-") for name in names) == 16, "max(3 per source, 16)"
    uniform = next(mixture for mixture in proposed if mixture.name == "uniform")
    assert uniform.also == ("recipe",), "equal weights, so one trial has both names"
    for mixture in proposed:
        assert sum(mixture.shares.values()) == pytest.approx(1)
        assert all(0 <= share <= found.caps[source] + 1e-12 for source, share in mixture.shares.items())
    assert proxies.propose(found) == proposed
    named_the_same = study("proxies.mixtures={same: {web: 2, books: 2, code: 2}}")
    assert "recipe" not in {mixture.name for mixture in proxies.propose(named_the_same)}


def test_a_trial_is_kept_by_all_that_it_depends_on_and_by_nothing_else(study: Callable[..., Study]) -> None:
    found = study()
    shares = {"web": 0.5, "books": 0.3, "code": 0.2}
    turned = dict(reversed(shares.items()))
    training = found.proxies.training
    first = found.trial("first", training, shares, 0)
    assert found.trial("another name", training, turned, 0).step.key == first.step.key
    assert found.trial("first", training, shares, 1).step.key != first.step.key
    assert found.trial("first", training, {**shares, "web": 0.4, "books": 0.4}, 0).step.key != first.step.key
    assert found.trial("first", found.proxies.larger(), shares, 0).step.key != first.step.key


def test_trials_run_once_and_a_second_call_has_nothing_to_do(study: Callable[..., Study]) -> None:
    found = study("proxies.trials=2")
    planned = proxies.trials_of(found, proxies.propose(found))
    heard: list[trials.Standing] = []
    with Cluster(0) as cluster:
        trials.run(found.root, planned[:3], cluster, found.needs, heard.append)
        assert [len(each.done) for each in heard] == [0, 1, 2, 3]
        before = {each.step.key: steps.timing_of(found.root, each.step) for each in planned[:3]}
        heard.clear()
        trials.run(found.root, planned, cluster, found.needs, heard.append)
    assert heard[0].before == {0, 1, 2}
    assert {each.step.key: steps.timing_of(found.root, each.step) for each in planned[:3]} == before
    lines = proxies.lines(found, planned)
    assert [line["name"] for line in lines] == [each.name for each in planned]
    for line in lines:
        assert set(line["losses"]) == {"web", "books", "code"}
        assert line["objective"] == pytest.approx(np.mean(list(line["losses"].values())))


def test_the_larger_size_is_twice_as_wide_with_its_learning_rate_carried_over(study: Callable[..., Study]) -> None:
    found = study()
    small, large = found.proxies.training.model, found.proxies.larger().model
    assert (large.width, large.base_width, large.layers) == (2 * small.width, small.width, small.layers)
    assert large.width // large.query_heads == small.width // small.query_heads
    own = study("proxies.verify.larger={model: {layers: 3, width: 64, context: 16}, steps: 5}")
    assert own.proxies.larger().model.layers == 3
    seeds = {each.seed for each in proxies.verification_of(found, proxies.propose(found)[:1])}
    assert seeds == {1, 2, 3, 4, 5}, "none that a trial had"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("proxies.mixtures={mine: {wob: 1}}", 'proxies.mixtures.mine: unknown source "wob"; did you mean "web"?'),
        ("proxies.mixtures={mine: {web: 0}}", "proxies.mixtures.mine: all shares are 0"),
        ("proxies.mixtures={recipe: {web: 1}}", 'proxies.mixtures: "recipe" is the name of one that is tried anyway'),
        ("proxies.mixtures={dirichlet-3: {web: 1}}", '"dirichlet-3" is the name of one that is tried anyway'),
        (
            "proxies.targets={weighted: {kind: text, paths: x.jsonl}}",
            '"weighted" is what the weighted sum of all targets is called',
        ),
        (
            "proxies.verify.larger={model: {layers: 1, width: 32, context: 16}, batch: 8}",
            "proxies.verify.larger: 1 x 32 is no larger than 1 x 32 of proxies.training",
        ),
        ("proxies.floor=0.5", "proxies.floor: 0.5 for each of 3 sources is more than 1 in all"),
        ("proxies.trials=0", "proxies.trials: should be greater than 0, not 0"),
        (
            "proxies.mixtures={one: {web: 1, code: 3}, two: {web: 2, code: 6}}",
            "proxies.mixtures: one and two are the same; leave one out",
        ),
        ("mixture.validation=0.0", "mixture.validation: 0 holds nothing out to measure proxies on"),
        ("proxies.training.micro_batch=3", "proxies.training.micro_batch does not divide the batch of 4"),
        ("proxies.weights={wob: 1}", 'proxies.weights: unknown source or target "wob"'),
        ("proxies.weights={web: 0}", "proxies.weights: all are 0"),
        ("proxies.targets={web: {kind: text, paths: x.jsonl}}", '"web" is a source, which is measured anyway'),
        ("proxies.verify.seeds=2", "proxies.verify.seeds: should be greater than or equal to 3, not 2"),
        (
            "proxies.targets={own: {kind: text, paths: nothing-here.jsonl}}",
            "proxies.targets.own.paths: no file matches",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_its_key(study: Callable[..., Study], override: str, message: str) -> None:
    with pytest.raises(RecipeError) as refused:
        study(override)
    assert message in str(refused.value)


def test_a_mixture_of_one_source_leaves_nothing_to_choose(study: Callable[..., Study]) -> None:
    with pytest.raises(RecipeError, match="the mixture has one source, web: there is nothing to choose"):
        proxies.propose(study("mixture.weights={web: 1}"))


def test_a_source_without_held_out_text_is_named(study: Callable[..., Study]) -> None:
    with pytest.raises(
        ValueError, match="no document is held out, so that no proxy can be measured on it: raise mixture"
    ):
        study(mixture=MIXTURE.replace("0.1", "0.0001"))


def test_a_target_run_that_no_caps_allow_is_refused(study: Callable[..., Study]) -> None:
    found = study("proxies.target_tokens=100_000_000")
    with pytest.raises(ValueError, match="100,000,000 tokens cannot be had within max_epochs: all sources are too few"):
        proxies.propose(found)


def test_a_diverged_trial_has_no_objective() -> None:
    assert proxies.objective({"diverged": "step 3: loss nan", "losses": {}}, {"web": 1.0}) is None
    weights = {"web": 0.25, "books": 0.75, "code": 0.0}
    line = {"diverged": None, "losses": {"web": 2.0, "books": 1.0, "code": 9.0}}
    assert proxies.objective(line, weights) == 1.25


def test_another_name_total_or_cap_trains_nothing_anew(study: Callable[..., Study]) -> None:
    found = study("proxies.target_tokens=20_000")
    keys = [each.step.key for each in proxies.trials_of(found, proxies.propose(found))]
    for change in ("name=other", "mixture.tokens=19_000", "mixture.missing=report"):
        changed = study("proxies.target_tokens=20_000", change)
        assert [each.step.key for each in proxies.trials_of(changed, proxies.propose(changed))] == keys, change


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "proxies.trials=1",
            "4 different mixtures within floor and caps, and a law of 3 sources with intervals takes 5",
        ),
        ("proxies.floor=0.33333", "different mixtures within floor and caps"),
        ("proxies.training.model.context=100_000", "tokens to train on, and a row of 1 x 32, 4 steps takes 100,000"),
    ],
)
def test_what_trials_cannot_tell_is_refused_before_any_is_trained(
    study: Callable[..., Study], override: str, message: str
) -> None:
    found = study(override)
    with pytest.raises(ValueError, match=message):
        proxies.propose(found)


def test_laws_that_know_nothing_of_unseen_trials_are_warned_of() -> None:
    def said(rmse: float, rank: float) -> list[str]:
        return proxies_analysis.unfounded({"weighted": {"rmse": rmse, "spread": 0.1, "rank_correlation": rank}})

    assert said(0.05, 0.8) == []
    (words,) = said(0.12, 0.3)
    assert words.startswith("the laws miss trials that they have not seen by 0.12, and the trials differ by 0.1 (rank")
    assert len(said(0.05, -0.1)) == 1


def test_two_trials_of_one_step_are_run_once(study: Callable[..., Study]) -> None:
    found = study()
    (first, *_) = proxies.trials_of(found, proxies.propose(found))
    twice = [first, replace(first, name="the same by another name")]
    heard: list[trials.Standing] = []
    with Cluster(0) as cluster:
        trials.run(found.root, twice, cluster, found.needs, heard.append)
    assert heard[-1].done == {0, 1}
    assert len(heard) == 2, "none done, then both"
