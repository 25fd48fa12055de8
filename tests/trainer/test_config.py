import pytest
from pydantic import ValidationError

from trainer.config import Model, Run, Schedule, Training


@pytest.mark.parametrize(("width", "heads"), [(32, 1), (128, 4), (256, 4), (16, 1)])
def test_heads_unsaid_are_of_64_or_of_32_in_a_narrow_model(width: int, heads: int) -> None:
    assert (Model(width=width).query_heads, Model(width=width).key_heads) == (heads, heads)


def test_the_mlp_has_eight_thirds_of_the_width_in_steps_of_32() -> None:
    assert [Model(width=width).mlp_width for width in (32, 128, 768)] == [96, 352, 2048]
    assert Model(hidden=100).mlp_width == 100


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"width": 64, "heads": 3}, "width 64 over 3 heads: RoPE needs an even whole number per head"),
        ({"width": 60, "heads": 4}, "width 60 over 4 heads"),
        ({"heads": 4, "kv_heads": 3}, "4 heads cannot share 3 kv_heads evenly"),
        ({"layers": 0}, "greater than 0"),
        ({"layer": 2}, 'unknown key "layer"; did you mean "layers"'),
    ],
)
def test_a_model_that_cannot_be_is_refused(given: dict[str, int], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Model.model_validate(given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"kind": "cosine", "decay": 0.5}, "decay is wsd's"),
        ({"kind": "wsd", "warmup": 0.6, "decay": 0.5}, "a warmup of 0.6 and a decay of 0.5 are more than all steps"),
    ],
)
def test_a_schedule_that_does_not_fit_is_refused(given: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Schedule.model_validate(given)


def test_what_is_written_down_is_read_again() -> None:
    for config in (Run(), Run(schedule=Schedule(kind="wsd", decay=0.1), compile=True)):
        assert Run.model_validate(config.model_dump()) == config
    assert set(Training.model_fields) < set(Run.model_fields)
