"""A small version of `benchmarks/mixture_truth.py`: from proposals to a verdict where the truth is known."""

from benchmarks.mixture_truth import NEAR, Setting, measure


def test_the_planted_best_mixture_is_found_and_accepted() -> None:
    row = measure(Setting(4, 4, 0.002, 0.05, draws=10, resamples=20))
    assert row[f"within {NEAR}"] >= 0.9
    assert row["gain there"] > 0.01
    assert row["gain covered"] >= 0.7
    assert row["accepted"] >= 0.6


def test_nothing_planted_is_not_accepted_and_no_gain_is_promised() -> None:
    row = measure(Setting(4, 4, 0.003, 0.05, draws=10, resamples=20, effect=False))
    assert row["accepted"] <= 0.1
    assert row["gain covered"] >= 0.7


def test_noise_takes_the_choice_away_from_the_best() -> None:
    quiet, loud = (measure(Setting(4, 4, noise, 0.05, draws=8, resamples=0)) for noise in (0.0005, 0.02))
    median = "largest error of a share, median"
    assert quiet[median] < 0.005 < 0.015 < loud[median]
