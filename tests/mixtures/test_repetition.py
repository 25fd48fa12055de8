import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixtures.repetition import TOKENS_DECAY, effective, needed

counts = st.floats(1e3, 1e13)
epochs = st.floats(0.01, 60)


def test_repetition_is_worth_what_the_paper_says() -> None:
    """Muennighoff et al. 2023, section 3.1: a first pass in full; at R* repetitions 1 - 1/e of fresh tokens; never
    more than 1 + R* times the unique ones."""
    assert effective([50.0, 100.0], 100.0).tolist() == [50.0, 100.0]
    assert effective(100 * (1 + TOKENS_DECAY), 100) == pytest.approx(100 + 100 * TOKENS_DECAY * (1 - np.exp(-1)))
    assert effective(400, 100) == pytest.approx(373, abs=0.5)
    assert effective(1e9, 100) == pytest.approx(1638.7756)


@given(unique=counts, epochs=epochs)
def test_needed_is_the_inverse(unique: float, epochs: float) -> None:
    assert needed(effective(unique * epochs, unique), unique) == pytest.approx(unique * epochs, rel=1e-9)


@given(unique=counts, epochs=epochs, more=st.floats(1.001, 3))
def test_more_tokens_are_worth_more_and_never_more_than_they_are(unique: float, epochs: float, more: float) -> None:
    less, most = effective([unique * epochs, unique * epochs * more], unique)
    assert less < most
    assert most <= unique * epochs * more
    assert less >= min(unique, unique * epochs)


def test_no_number_of_tokens_is_worth_more_than_repetition_can_give() -> None:
    assert np.isinf(needed(17 * 100, 100))


@pytest.mark.parametrize("wrong", [0.0, -1.0, np.nan, np.inf])
def test_what_is_no_positive_number_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match=f"^unique tokens: {wrong:g} is no positive number"):
        effective([5.0, 5.0], [1.0, wrong])
    with pytest.raises(ValueError, match=r"^tokens: "):
        effective(wrong, 1.0)
