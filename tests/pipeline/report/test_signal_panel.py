"""The panel of rules: its counts are the run's, its histograms hold every document, its data are exact."""

import base64
import zlib
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from numpy.typing import NDArray

from filters import rules
from pipeline.report import signal_panel
from pipeline.report.histogram import CUT, Scale, histogram, scale_of, svg
from pipeline.report.signal_panel import panel
from tests.browser.tunable import RULES, Made, make


@pytest.fixture(scope="module")
def made() -> Made:
    return make({"share": 0.6}, {"share": 0.5})


def _reached(made: Made) -> pa.Table:
    return made.sample.filter(pc.is_null(made.sample["before"]))


def _signals(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [signal for family in found["families"] for signal in family["signals"]]


def test_every_rule_is_there_in_the_recipes_order_with_the_runs_counts(made: Made) -> None:
    found = made.panel()
    rows = [rule for signal in _signals(found) for rule in signal["rules"]]
    assert [row["name"] for row in rows] == rules.rule_names(rules.resolve(RULES))
    for row in rows:
        counts = made.counts["rules"][row["name"]]
        assert [(by, n) for by, n, _ in row["counts"]] == [(by, counts[by]) for by in ("alone", "first", "last")]
        assert row["counts"][0][2] == counts["alone"] / made.counts["reached_rules"]
    assert [family["name"] for family in found["families"]][-2:] == ["perplexity", "reference"]
    assert _signals(found)[-1]["score"]["counts"][1][1] == 11, "dropped by the reference score"
    cuts = [signal["score"]["cuts"] for signal in _signals(found)[-2:]]
    assert cuts == ["none 300; en 301.2", "0.25"], "where the run cut, whatever the sample"


def test_histograms_hold_every_document_and_fail_those_that_the_rules_fail(made: Made) -> None:
    documents = _reached(made)
    families = rules.resolve(RULES)
    failed = rules.judge(families, documents, len(documents), documents["language"]).failed
    bits = {rule: 1 << bit for bit, rule in enumerate(rules.rule_names(families))}
    for signal in _signals(made.panel()):
        assert sum(count for _, _, count, _ in signal["bins"]) + signal["unknown"] == len(documents)
        if signal["rules"]:
            mask = sum(bits[rule["name"]] for rule in signal["rules"])
            assert sum(failing for *_, failing in signal["bins"]) == int((failed & np.uint64(mask) != 0).sum())
    unscored = [signal["unknown"] for signal in _signals(made.panel())[-2:]]
    assert unscored == [documents["perplexity"].null_count, int(np.isnan(documents["reference_score"]).sum())]


def test_a_bound_by_language_is_told_for_each(made: Made) -> None:
    words = _signals(made.panel())[0]["rules"][0]
    assert words["bound"] == "50"
    assert dict(words["languages"]).keys() == {"de", "zh"}, "English's, and those of languages without data, are 50"


def test_the_data_are_the_documents_exact_numbers(made: Made) -> None:
    documents, told = _reached(made), made.panel()["handles"]
    columns = np.frombuffer(zlib.decompress(base64.b64decode(told["data"])), "<f8").reshape(-1, len(documents))
    assert columns[0].tolist() == documents["text_bytes"].to_pylist()
    languages = [told["languages"][int(place)] for place in columns[1]]
    assert languages == documents["language"].fill_null("").to_pylist()
    assert columns[3].tolist() == documents["gopher_quality_words"].to_pylist()
    np.testing.assert_array_equal(columns[-2], documents["perplexity"].to_numpy())
    np.testing.assert_array_equal(columns[-1], documents["reference_score"].to_numpy())
    stands = made.stands()
    assert (told["stands"], told["bytes"]) == (len(stands), pc.sum(stands["text_bytes"]).as_py())


def test_what_is_too_much_for_the_page_is_left_out_by_documents(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = made.panel()
    monkeypatch.setattr(signal_panel, "BUDGET", len(whole["handles"]["data"]) // 3)
    found = made.panel()
    assert len(found["handles"]["data"]) <= signal_panel.BUDGET
    assert 0.2 * whole["documents"] < found["documents"] == found["handles"]["documents"] < 0.5 * whole["documents"]
    assert found["reached"] == whole["reached"]
    for signal in _signals(found):
        assert sum(count for _, _, count, _ in signal["bins"]) + signal["unknown"] == found["documents"]


def test_overlap_is_of_the_rows_documents(made: Made) -> None:
    found = made.panel()["overlap"]
    names = [name for name, _ in found["rules"]]
    assert names == [name for name in rules.rule_names(rules.resolve(RULES)) if made.counts["rules"][name]["alone"]]
    for a, row in zip(names, found["rows"], strict=True):
        for b, (both, share) in zip(names, row, strict=True):
            assert both == made.counts["overlap"][a].get(b, 0)
            assert share == both / made.counts["rules"][a]["alone"]
    assert {(a, b) for a, b, *_ in found["pairs"]} == {
        (a, b) for a in names for b in names if names.index(a) < names.index(b) and b in made.counts["overlap"][a]
    }


def test_a_source_without_rules_and_scores_has_no_panel(made: Made) -> None:
    source = {"rules": [], "perplexity": None, "reference": None}
    bare = made.sample.drop_columns(["perplexity", "reference_score"])
    summary = {**made.summary, "recipe": {"seed": 3, "sources": {"web": source}}}
    assert panel("web", summary, bare) is None


def test_where_no_document_came_to_the_rules_there_is_nothing_to_move(made: Made) -> None:
    found = panel("web", made.summary, made.sample.slice(0, 0))
    assert found is not None
    assert found["handles"] is None
    assert all(signal["bins"] == [] for signal in _signals(found))


def test_the_page_has_every_number_without_script(made: Made) -> None:
    page = made.page()
    for name, counts in made.counts["rules"].items():
        assert f"<tr><td>{name}</td>" in page
        assert f"<td>{counts['alone']}</td><td>{counts['first']}</td><td>{counts['last']}</td>" in page


def _counts(values: NDArray[np.float64], bounds: list[float], whole: bool) -> list[int]:
    shown = histogram(values, np.zeros(len(values), bool), bounds, whole)
    assert shown.counts.sum() == len(values)
    assert (np.diff(shown.edges) > 0).all()
    return [int(count) for count in shown.counts]


def test_small_whole_numbers_have_a_bar_each() -> None:
    assert _counts(np.array([0.0, 0, 1, 4, 4, 4]), [2.0], True) == [2, 1, 0, 0, 3]
    edges = histogram(np.zeros(3), np.zeros(3, bool), [1.0], True).edges
    assert not np.signbit(edges).any(), "no table begins at -0"


def test_the_data_decide_whether_the_scale_is_logarithmic() -> None:
    rng = np.random.default_rng(1)
    assert scale_of(rng.random(1000), [0.5], False).stretch is None
    assert scale_of(np.round(rng.lognormal(6, 1.5, 1000)), [50.0], True).stretch == 1
    few = np.append(np.zeros(900), rng.lognormal(-6, 1, 100))
    assert scale_of(few, [1.0], False).stretch is not None, (
        "zeros have a place, and so have small numbers and the bound"
    )
    assert max(_counts(few[few > 0], [1.0], False)) < 40


@pytest.mark.parametrize("scale", [Scale(3, 90, None, False), Scale(0, 1e5, 1.0, True), Scale(0.2, 1.0, 1e-6, False)])
def test_places_and_values_are_inverse(scale: Scale) -> None:
    values = np.array([scale.low, scale.low + 1e-3, (scale.low + scale.high) / 2, scale.high])
    np.testing.assert_allclose(scale.values(scale.place(values)), values, rtol=1e-9)
    assert scale.place(values)[[0, -1]].tolist() == [0, 1]


@pytest.mark.parametrize("values", [[], [7.0], [7.0, 7.0], [-1.0, 1.0]])
def test_any_values_can_be_drawn(values: list[float]) -> None:
    shown = histogram(np.array(values), np.zeros(len(values), bool), [7.0] if values else [], False)
    assert "nan" not in svg(shown, [7.0], "few")


def test_one_bar_above_all_others_is_cut_and_says_its_number() -> None:
    values = np.append(np.zeros(5000), np.arange(1, 20).repeat(10))
    shown = histogram(values, values > 3, [3.0], True)
    assert shown.limit < 5000 / CUT
    assert ">5,000</text>" in svg(shown, [3.0], "zeros")
