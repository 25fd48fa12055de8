"""The recipe's `scaling`: what is refused before a text is read, and how a planned size is trained."""

from pathlib import Path

import pytest

from corpus.strict import RecipeError
from pipeline.recipe import load
from pipeline.scaling.recipe import Runs

BASE = """
name: test
sources:
  web: {kind: jsonl, paths: in.jsonl}
  books: {kind: jsonl, paths: in.jsonl}
mixture: {tokens: 1_000, weights: {web: 1, books: 1}}
tokens: {tokenizer: {train: 300}}
scaling: {flops: 1e15, target_flops: 1e18}
"""


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    (tmp_path / "recipe.yaml").write_text(BASE)
    return str(tmp_path / "recipe.yaml")


def test_one_target_may_be_given_without_a_list_and_a_mixture_by_name_or_shares(recipe: str) -> None:
    found = load(recipe).scaling
    assert found is not None
    assert (found.target_flops, found.ratios, found.mixture) == ([1e18], [5, 10, 20, 40, 80], "recipe")
    shares = load(recipe, ("scaling.mixture={web: 3, books: 1}", "scaling.target_flops=[1e18, 2e18]")).scaling
    assert shares is not None
    assert (shares.mixture, shares.target_flops) == ({"web": 3, "books": 1}, [1e18, 2e18])


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("scaling={}", "scaling.flops: Field required"),
        ("scaling.flops=0", "scaling.flops: should be greater than 0"),
        ("scaling.ratios=[]", "scaling.ratios"),
        ("scaling.ratios=[5, 10, 5]", "scaling.ratios: one is given twice: 5, 10, 5"),
        ("scaling.draws=10", "scaling.draws: should be greater than or equal to 40"),
        ("scaling.weights={bokos: 1}", 'scaling.weights: unknown source "bokos"; did you mean "books"?'),
        ("scaling.mixture={wbe: 1}", 'scaling.mixture: unknown source "wbe"; did you mean "web"?'),
        ("scaling.mixture={web: 0}", "scaling.mixture: all are 0"),
        ("scaling.mixture={}", "scaling.mixture: all are 0"),
        ("scaling.mixture=best", "scaling.mixture"),
        ("scaling.training.schedule={kind: cosine}", 'unknown key "schedule"'),
        ("scaling.training.model={width: 64}", 'unknown key "model"'),
        ("scaling.training.base_width=100", "scaling.training.base_width: should be a multiple of 32"),
        ("scaling.training.warmup=4.5", "scaling.training.warmup: 4.5 tokens a parameter do not fit before the decay"),
        ("mixture=null", "give both mixture and tokens"),
    ],
)
def test_what_is_wrong_is_said_with_its_key(override: str, said: str, recipe: str) -> None:
    with pytest.raises(RecipeError) as refused:
        load(recipe, (override,))
    assert said in str(refused.value)


def test_it_needs_a_mixture(recipe: str) -> None:
    with pytest.raises(RecipeError, match="scaling needs mixture and tokens"):
        load(recipe, ("mixture=null", "tokens=null"))


def test_it_is_no_part_of_what_the_data_is(recipe: str) -> None:
    assert load(recipe).hash() == load(recipe, ("scaling=null",)).hash()


def test_a_size_is_trained_stable_then_decayed_with_its_rate_carried_over_from_the_base() -> None:
    told = Runs(context=64, batch=16, base_width=64, warmup=2.0)
    training = told.training(layers=4, width=256, base_width=64, steps=500)
    assert (training.schedule.kind, training.schedule.falling, training.steps) == ("wsd", 0.2, 500)
    assert (training.model.width, training.model.base_width, training.model.query_heads) == (256, 64, 8)
    assert told.warmup_steps(100_000) == round(2 * 100_000 / (16 * 64))
    assert told.warmup_steps(10) == 1


def test_a_base_whose_heads_do_not_divide_a_width_is_refused() -> None:
    with pytest.raises(RecipeError, match="base_width: 256 does not do for all sizes: width 224 over 3 heads"):
        Runs().training(layers=7, width=224, base_width=256, steps=500)
