from typing import Any

import pytest
from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from mixtures.mixture import Mixture


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"tokens": 10, "weights": {"web": 0}}, "the weights sum to 0"),
        ({"tokens": 10}, "the weights sum to 0"),
        ({"tokens": 10, "weights": {"web": 1}, "epochs": {"web": 1.0}}, '"web" is in both weights and epochs'),
        ({"epochs": {"web": 4.5}}, "epochs.web is 4.5 and max_epochs 4; raise max_epochs"),
        ({"epochs": {"web": 2.0}, "max_epochs": {"web": 1.5}}, "epochs.web is 2 and max_epochs 1.5"),
        ({"epochs": {"web": 0.0}}, "greater than 0"),
        ({"tokens": 10, "weights": {"web": 1}, "temperature": -1.0}, "greater than or equal to 0"),
        ({"tokens": 10, "weights": {"web": float("inf")}}, "finite number"),
        ({"epochs": {"web": float("nan")}}, "finite number"),
        ({"tokens": 10, "weights": {"web": 1}, "missing": "ignore"}, "'error' or 'report'"),
    ],
)
def test_what_is_wrong_whatever_the_sources_hold_is_refused(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as error:
        Mixture.model_validate(keys)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"tokens": 10, "weights": {"wbe": 1}}, 'mixture.weights: unknown source "wbe"; did you mean "web"?'),
        ({"epochs": {"wbe": 1.0}}, 'mixture.epochs: unknown source "wbe"'),
        ({"tokens": 10, "weights": {"web": 1}, "max_epochs": {"wbe": 2.0}}, 'mixture.max_epochs: unknown source "wbe"'),
        ({"weights": {"web": 1}, "epochs": {"books": 1.0}}, "mixture.tokens: give the total; web get a share of it"),
        ({"tokens": 9, "temperature": 1.0, "weights": {"web": 0, "books": 0}}, "no source takes part"),
        ({"temperature": 0.5}, "mixture.tokens: give the total; web, books get a share of it"),
        ({"tokens": 10, "epochs": {"web": 1.0}}, "mixture.tokens: leave it out; every source is given by epochs"),
    ],
)
def test_what_does_not_fit_the_sources_is_refused(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(PydanticCustomError) as error:
        Mixture.model_validate(keys).check(["web", "books"])
    assert said in str(error.value)


def test_a_temperature_takes_all_sources_in_and_a_weight_of_0_leaves_one_out() -> None:
    sources = ["web", "books", "code", "news"]
    warm = Mixture(tokens=10, temperature=0.5, weights={"web": 2, "news": 0}, epochs={"code": 1.0})
    assert warm.weights_of(sources) == {"web": 2, "books": 1}
    assert warm.mixed(sources) == ["web", "books", "code"]
    assert Mixture(tokens=10, weights={"web": 2, "news": 0}).mixed(sources) == ["web"]


def test_caps_are_for_all_or_by_source() -> None:
    weights: dict[str, float] = {"web": 1}
    assert Mixture(tokens=10, weights=weights, max_epochs=2.5).cap("web") == 2.5
    by_source = Mixture(tokens=10, weights=weights, max_epochs={"web": 9.0})
    assert (by_source.cap("web"), by_source.cap("books")) == (9, 4)


def test_another_total_changes_what_shares_depend_on_only_where_epochs_are_given() -> None:
    by_weight, by_epochs = (
        Mixture(tokens=10, weights={"web": 1}),
        Mixture(tokens=10, weights={"a": 1}, epochs={"b": 1.0}),
    )
    larger = {"tokens": 20, "max_epochs": 3.0, "missing": "report", "validation": 0.5}
    assert by_weight.for_shares() == by_weight.model_copy(update=larger).for_shares()
    assert by_epochs.for_shares() != by_epochs.model_copy(update=larger).for_shares()
    for mixture in (by_weight, by_epochs):
        assert Mixture.model_validate(mixture.for_shares()).weights == mixture.weights
