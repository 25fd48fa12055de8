import copy
import hashlib
import math
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from scipy import stats

from pipeline.proxies.report import render, wilson
from pipeline.proxies.schema import Result, Trial

SOURCES = ["web", "wikipedia", "books", "arxiv", "stackexchange", "github"]
NATURAL = dict(zip(SOURCES, [0.117, 0.443, 0.131, 0.057, 0.038, 0.214], strict=True))
EVIL = "<script>alert(1)</script>{{ 7 * 7 }}\" onload='x'"


class Elements(HTMLParser):
    """The page's elements, whatever could load or run something, its text, and what its boxes and points say."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.risks: list[str] = []
        self.text = ""
        self.attributes: list[tuple[str, dict[str, str]]] = []
        self.feed(page)
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.append((tag, {name: value or "" for name, value in attrs}))
        self.risks += [name for name, _ in attrs if name in {"src", "href", "xlink:href"} or name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.text += data + " "


def trial(name: str, shares: dict[str, float], losses: list[float], seed: int = 0, **more: Any) -> Trial:
    row: dict[str, Any] = {
        "trial": hashlib.sha256(name.encode()).hexdigest()[:12],
        "name": name,
        "shares": shares,
        "seed": seed,
        "parameters": 15_203_840,
        "tokens": 20_000_000,
        "targets": dict(zip(SOURCES, losses, strict=True)),
        "accuracy": {},
        "final_loss": 3.21,
        "diverged": None,
        "objective": sum(losses) / len(losses),
        "seconds": 812.4,
        **more,
    }
    return row  # type: ignore[return-value]


def made_up() -> Result:
    """What a whole run of 24 trials, one of them diverged, might come to."""
    rng = np.random.default_rng(7)
    slopes = rng.normal(0.2, 0.15, (6, 6)) - 0.9 * np.eye(6)
    floors = np.array([1.05, 0.95, 1.1, 0.9, 1.0, 0.7])
    trials = []
    for number in range(23):
        shares = rng.dirichlet(8 * np.array(list(NATURAL.values())))
        losses = floors + np.exp(slopes @ shares - 0.6) + rng.normal(0, 0.004, 6)
        trials.append(
            trial(f"dirichlet-{number:02d}", dict(zip(SOURCES, map(float, shares), strict=True)), losses.tolist())
        )
    diverged = trial("dirichlet-23", NATURAL, [1.0] * 6, diverged="step 312: the loss is nan", objective=None)
    diverged["targets"] = {}
    observed = {target: [t["targets"][target] for t in trials] for target in SOURCES}
    predicted = {
        target: [v + float(e) for v, e in zip(vs, rng.normal(0, 0.01, 23), strict=True)]
        for target, vs in observed.items()
    }
    chosen = dict(zip(SOURCES, [0.2, 0.3, 0.16, 0.09, 0.07, 0.18], strict=True))
    cloze = {"sciq": {"right": 214.5, "items": 500, "chance": 0.25, "cut": 1204}}
    return {
        "verdict": {
            "accepted": True,
            "words": "better than natural at both sizes",
            "comparisons": [
                {
                    "size": "4 x 128",
                    "baseline": "natural",
                    "mean": -0.021,
                    "low": -0.029,
                    "high": -0.013,
                    "seeds": 3,
                    "word": "better",
                },
                {
                    "size": "4 x 128",
                    "baseline": "uniform",
                    "mean": 0.004,
                    "low": -0.006,
                    "high": 0.014,
                    "seeds": 3,
                    "word": "not told apart",
                },
                {
                    "size": "6 x 256",
                    "baseline": "natural",
                    "mean": -0.018,
                    "low": -0.025,
                    "high": -0.011,
                    "seeds": 3,
                    "word": "better",
                },
                {
                    "size": "6 x 256",
                    "baseline": "uniform",
                    "mean": None,
                    "low": None,
                    "high": None,
                    "seeds": 2,
                    "word": "not told apart",
                    "reason": "2 seeds with both runs (1 diverged or missing), and 3 are needed; run more seeds",
                },
            ],
        },
        "sources": SOURCES,
        "natural": NATURAL,
        "chosen": {
            "best_observed": "dirichlet-04",
            "gain": {"natural": (-0.0121, -0.0204, -0.0038), "best observed": (0.0, -0.00412, 0.0000123)},
            "shares": chosen,
            "intervals": {source: [share - 0.03, share + 0.04] for source, share in chosen.items()},
            "epochs": {source: 1.2 * chosen[source] / NATURAL[source] for source in SOURCES},
            "predicted": 1.4212,
            "predicted_interval": [1.4123, 1.4301],
            "kl": 0.081,
        },
        "references": {
            "natural": NATURAL,
            "uniform": dict.fromkeys(SOURCES, 1 / 6),
            "temperature": dict(zip(SOURCES, [0.15, 0.29, 0.16, 0.1, 0.09, 0.21], strict=True)),
        },
        "caps": {source: min(1.0, 4 * share) for source, share in NATURAL.items()},
        "targets": SOURCES,
        "weights": dict.fromkeys(SOURCES, 1.0),
        "units": dict.fromkeys(SOURCES, "bits per byte"),
        "trials": [*trials, diverged],
        "verification": [trial("natural", NATURAL, [1.5] * 6, seed, accuracy=cloze) for seed in range(3)],
        "laws": {
            target: {"floor": float(floors[n]), "slopes": dict(zip(SOURCES, slopes[n].tolist(), strict=True))}
            for n, target in enumerate(SOURCES)
        },
        "cross_validation": {
            target: {
                "rmse": 0.0102,
                "spread": 0.055,
                "rank_correlation": 0.97,
                "observed": observed[target],
                "predicted": predicted[target],
            }
            for target in SOURCES
        },
        "second_opinion": {"disagrees": True, "words": "it expects natural to be 0.012 better than the chosen mixture"},
        "ablations": [
            {
                "name": "web without c4",
                "mean": -0.004,
                "low": -0.011,
                "high": 0.003,
                "word": "not told apart",
                "tokens": 1_957_421,
            }
        ],
        "warnings": ["diverged and left out: dirichlet-23 (step 312: the loss is nan)"],
        "config": {"seed": 0, "model": {"layers": 4, "width": 128}},
    }


def test_the_page_loads_nothing_and_the_same_result_gives_the_same_bytes() -> None:
    page = render(made_up())
    assert page == render(copy.deepcopy(made_up()))
    found = Elements(page)
    assert found.risks == []
    assert not {"script", "link", "img", "iframe"} & set(found.tags)
    assert "url(" not in page
    assert "@import" not in page


def test_the_verdict_comes_first_and_every_number_is_there() -> None:
    result = made_up()
    text = Elements(render(result)).text
    assert text.index("The chosen mixture is better than natural at both sizes.") < text.index("Shares")
    assert result["chosen"] is not None
    for source, share in result["chosen"]["shares"].items():
        low, high = result["chosen"]["intervals"][source]
        assert (
            f"{100 * share:.1f} % {100 * low:.1f} % – {100 * high:.1f} % {result['chosen']['epochs'][source]:.2f}"
            in text
        )
    for one in result["trials"]:
        if one["diverged"]:
            assert f"{one['name']} {one['trial']} 0 diverged, left out: {one['diverged']}" in text
        else:
            numbers = " ".join(f"{loss:.4f}" for loss in one["targets"].values())
            assert f"{one['name']} {one['trial']} 0 {one['objective']:.4f} {numbers}" in text
    assert "-0.0210 [-0.0290, -0.0130] 3 better" in text
    assert "2 seeds with both runs (1 diverged or missing), and 3 are needed; run more seeds 2 not told apart" in text
    assert "A Gaussian process disagrees : it expects natural" in text
    assert "web without c4 -0.00400 [-0.0110, +0.00300] 1,957,421 not told apart" in text
    assert "width: 128" in text
    assert "wikipedia bits per byte 0.0102 0.0550 0.19 0.97" in text


def test_trials_come_in_the_order_of_their_objective_with_diverged_ones_last() -> None:
    result = made_up()
    names = re.findall(r"<td>(dirichlet-\d\d)</td><td class=\"left\">", render(result))
    done = [one for one in result["trials"] if one["objective"] is not None]
    assert names == [one["name"] for one in sorted(done, key=lambda one: one["objective"] or 0)] + ["dirichlet-23"]


def test_what_a_user_named_is_text_and_never_markup() -> None:
    result = made_up()
    one = result["trials"][0]
    one["name"] = EVIL
    result["targets"] = [EVIL, *SOURCES[1:]]
    for each in [*result["trials"], *result["verification"]]:
        if each["targets"]:
            each["targets"] = {EVIL: each["targets"]["web"], **each["targets"]}
    result["weights"][EVIL], result["units"][EVIL] = 1.0, EVIL
    assert result["cross_validation"] is not None
    result["cross_validation"] = {EVIL: result["cross_validation"]["web"]}
    result["warnings"], result["config"] = [EVIL], {"name": EVIL}
    found = Elements(render(result))
    assert "script" not in found.tags
    assert found.risks == []
    assert "{{ 7 * 7 }}" in found.text
    assert " 49 " not in found.text


def test_an_interval_is_drawn_where_it_lies_and_zero_is_where_signs_change() -> None:
    result = made_up()
    assert result["verdict"] is not None
    result["verdict"]["comparisons"] = result["verdict"]["comparisons"][:2]
    result["ablations"] = []
    found = Elements(render(result))
    # Shares have bars, of whole numbers of their own; ranges of the forest come after marks.
    forest = [a["style"] for tag, a in found.attributes if tag == "i" and a.get("class") in {"mark", "range", "at"}][
        -6:
    ]
    places = [[float(n) for n in re.findall(r"[\d.]+", style)] for style in forest]
    # Ends are -.029 and .014, and 5 % of the distance between them beyond.
    low, width = -0.029 - 0.05 * 0.043, 1.1 * 0.043

    def place(value: float) -> float:
        return 100 * (value - low) / width

    expected = [[place(0)], [place(-0.029), place(-0.013) - place(-0.029)], [place(-0.021)]]
    expected += [[place(0)], [place(-0.006), place(0.014) - place(-0.006)], [place(0.004)]]
    for found_places, right in zip(places, expected, strict=True):
        assert found_places == pytest.approx(right, abs=0.02)


def test_slopes_are_shown_beside_their_mean_so_that_a_common_number_changes_nothing() -> None:
    result, shifted = made_up(), made_up()
    assert shifted["laws"] is not None
    law = shifted["laws"]["web"]
    law["slopes"] = {source: slope + 5.0 for source, slope in law["slopes"].items()}
    heat = re.compile(r"background:rgb\(var\((--\w+)\) / [\d.]+\)\">([+-][\d.]+)")
    cells = heat.findall(render(result))
    assert len(cells) == 36
    assert cells == heat.findall(render(shifted))
    assert all((colour == "--good") == (number.startswith("-")) for colour, number in cells)


def test_seeds_that_answer_the_same_questions_do_not_narrow_the_interval() -> None:
    low, high = wilson(0.429, 500)
    ours = stats.binomtest(429, 1000).proportion_ci(method="wilson")
    assert wilson(0.429, 1000) == pytest.approx((ours.low, ours.high), abs=1e-6)
    text = Elements(render(made_up())).text
    assert f"sciq 15,203,840 natural 3 500 42.9 % {100 * low:.1f} % – {100 * high:.1f} % 25.0 %" in text
    assert wilson(0.0, 10)[0] == 0.0
    assert wilson(1.0, 10)[1] == pytest.approx(1.0)


def test_of_a_verified_mixture_only_the_seeds_of_the_verification_are_counted() -> None:
    result = made_up()
    answers: Any = {"sciq": {"right": 500, "items": 500, "chance": 0.25, "cut": 0}}
    result["trials"].append(trial("natural", NATURAL, [1.5] * 6, 9, accuracy=answers))
    text = Elements(render(result)).text
    assert "natural 3 500 42.9 %" in text
    assert "sciq: 1,204 answers were asked for after the end of their query" in text
    result["verification"] = []
    text = Elements(render(result)).text
    assert "natural 1 500 100.0 %" in text
    assert "after the end of their query" not in text


def test_what_is_expected_of_chosen_is_said_against_natural_and_the_best_observed_trial() -> None:
    result = made_up()
    assert result["verdict"] is not None
    result["verdict"]["comparisons"][1]["baseline"] = "best observed"
    text = Elements(render(result)).text
    assert (
        "Expected against natural: -0.0121 [-0.0204, -0.00380]; against the best observed trial, dirichlet-04: "
        "0 [-0.00412, +1.23e-05]."
    ) in text
    assert "best observed (dirichlet-04)" in text


def test_natural_is_a_column_once_and_units_are_no_part_of_a_column() -> None:
    result = made_up()
    result["units"]["web"] = "bits per byte of the right answer"
    found = Elements(render(result)).text
    heads = [
        re.findall(r"<th[^>]*>(.*?)</th>", row)
        for row in re.findall(r"<tr><th>.*</tr>", render(result))
        if "<td" not in row
    ]
    assert heads[0].count("natural") == 1
    assert all(len(head) < 40 for row in heads for head in row if "span" not in head)
    others = ", ".join(SOURCES[1:])
    assert f"Targets as measured, in bits per byte of the right answer (web); bits per byte ({others})." in found


@pytest.mark.parametrize("chosen", [True, False])
def test_what_was_not_done_has_no_section(chosen: bool) -> None:
    result = made_up()
    result["verdict"] = result["laws"] = result["cross_validation"] = result["second_opinion"] = None
    result["ablations"] = result["verification"] = result["warnings"] = []
    if not chosen:
        result["chosen"] = None
    text = Elements(render(result)).text
    for section in (
        "Verification",
        "How well the laws",
        "Which source",
        "Second opinion",
        "Rule families",
        "To look at",
        "Multiple choice",
    ):
        assert section not in text
    assert ("whether it is better than the natural one, nobody has measured" in text) == chosen
    assert ("23 trials are done, and no law is fitted" in text) == (not chosen)


def test_no_better_than_natural_is_said_and_not_green() -> None:
    result = made_up()
    assert result["verdict"] is not None
    result["verdict"] |= {"accepted": False, "words": "no better than natural: -0.0010 [-0.0040, +0.0020] at 4 x 128"}
    page = render(result)
    assert '<p class="verdict no">The chosen mixture is no better than natural' in page


def test_a_result_that_lacks_something_is_no_page() -> None:
    result = made_up()
    del result["trials"][0]["seconds"]  # type: ignore[misc]
    with pytest.raises(Exception, match="seconds"):
        render(result)


def test_numbers_are_finite_in_every_plot() -> None:
    page = render(made_up())
    numbers = [float(n) for n in re.findall(r'(?:cx|cy|x1|x2|y1|y2)="([^"]+)"', page)]
    assert numbers
    assert all(math.isfinite(n) for n in numbers)
    assert page.count("<circle") == 6 * 23
