"""A made-up source whose rules and cutoffs can be moved, and what would stand by the pipeline's own functions."""

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from markupsafe import Markup

from filters import rules
from filters.family import Rule
from filters.keep import Keep
from pipeline import configuration
from pipeline.quality import QUALITIES, Cutoffs, cut
from pipeline.report.page_text import environment
from pipeline.report.signal_panel import panel

DOCUMENTS = 300
EVIL = "<img src=x onerror=alert(1)>"
LANGUAGES = ["en", "de", "zh", None, EVIL]
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>signals</title><link rel="icon" href="data:,">
<style>{% include "report/page.css.j2" %}{% include "report/signals.css.j2" %}</style>
{% import "report/signals.html.j2" as signals %}{{ signals.panel(panel) }}<script>{{ script }}</script></html>"""
# Bounds of several families: of all kinds of signals, on both sides, and by language.
RULES: list[Any] = [
    {"gopher_quality": {"max_words": 400}},
    {"c4": {"min_sentences": 3}},
    {"fineweb": {"max_newline_ratio": 0.3}},
]


@dataclass(frozen=True)
class Made:
    """A run's summary with one source, and the sample of it."""

    summary: dict[str, Any]
    sample: pa.Table
    name: str

    @property
    def recipe(self) -> dict[str, Any]:
        return dict(self.summary["recipe"])

    @property
    def counts(self) -> dict[str, Any]:
        return dict(self.summary["sources"][self.name]["statistics"])

    def panel(self) -> dict[str, Any]:
        found = panel(self.name, self.summary, self.sample)
        assert found is not None
        return found

    def page(self) -> str:
        templates = environment()
        script = Markup(templates.get_template("report/page.js.j2").render())
        return templates.from_string(PAGE).render(panel=self.panel(), script=script)

    def stands(self, assignments: Sequence[str] = ()) -> pa.Table:
        """What stands after all filters with these `--set`."""
        recipe = copy.deepcopy(self.recipe)
        for assignment in assignments:
            configuration.override(recipe, assignment)
        return standing(recipe["sources"][self.name], recipe["seed"], self.sample)


def standing(source: Mapping[str, Any], seed: int, sample: pa.Table) -> pa.Table:
    documents = sample.filter(pc.is_null(sample["before"]))
    verdicts = rules.judge(rules.resolve(source["rules"]), documents, len(documents), documents["language"])
    documents = documents.filter(pa.array(verdicts.failed == 0)).set_column(
        documents.schema.get_field_index("reason"), "reason", pa.nulls(int((verdicts.failed == 0).sum()), pa.string())
    )
    for by in QUALITIES:
        if source[by]:
            batches = documents.combine_chunks().to_batches()
            keep = source[by]["keep"]
            keep = Keep.model_validate(keep if isinstance(keep, dict) else {"share": keep})
            cutoffs = Cutoffs.of({by: cut(by, keep, seed, batches.__iter__).selection})
            reasons = pa.chunked_array([cutoffs.reasons(batch) for batch in batches], pa.string())
            documents = documents.filter(pc.is_null(reasons))
    return documents


def make(perplexity: Mapping[str, Any], reference: Mapping[str, Any], name: str = "web") -> Made:
    """A source with these two `keep`; many values are equal to each other and to bounds, scores are missing."""
    rng = np.random.default_rng(5)
    n = DOCUMENTS
    columns: dict[str, Any] = {
        "id": np.sort(rng.choice(3, n)).astype(np.uint64) << np.uint64(32) | np.arange(n).astype(np.uint64),
        "language": pa.array(rng.choice(np.array(LANGUAGES, object), n, p=[0.5, 0.2, 0.15, 0.1, 0.05]).tolist()),
        "language_score": rng.random(n).astype(np.float32),
    }
    for family in rules.resolve(RULES):
        for rule in family.rules:
            columns[family.column(rule.signal)] = _values(rng, family.signals[rule.signal] is int, rule)
    columns["before"] = pa.array(np.where(rng.random(n) < 0.1, "language_not_wanted", None).tolist(), pa.string())
    columns["reason"] = pa.nulls(n, pa.string())
    columns["text_bytes"] = rng.integers(0, 9000, n)
    columns["perplexity"] = pa.array(rng.choice([120.5, 300.0, 301.25, 800.0], n) + rng.integers(0, 3, n) * 0.3)
    columns["perplexity"] = pc.if_else(pa.array(rng.random(n) < 0.1), None, columns["perplexity"])
    scores = rng.choice(np.array([0.1, 0.25, 0.7, 0.9, np.nan], np.float32), n)
    columns["reference_score"] = np.where(rng.random(n) < 0.5, rng.random(n, np.float32), scores).astype(np.float32)
    source = {"rules": RULES, "perplexity": {"keep": perplexity}, "reference": {"keep": reference}}
    made = Made({"recipe": {"seed": 3, "sources": {name: source}}, "seed": 3, "sources": {}}, pa.table(columns), name)
    return _counted(made)


def _values(rng: np.random.Generator, whole: bool, rule: Rule) -> np.ndarray[Any, Any]:
    """Values of which most are on the right side of a bound, and many right at it."""
    bound, sign = rule.bound or 0, 1 if rule.side == "min" else -1
    if whole:
        right = bound + sign * np.minimum(rng.integers(0, 350, DOCUMENTS), bound if sign < 0 else 350)
        return np.where(rng.random(DOCUMENTS) < 0.05, bound - sign, right).astype(np.int64)
    right = bound * (1 + sign * 0.2 * rng.random(DOCUMENTS))
    near = bound * rng.choice([1, 1, 1, 1, 0.9999, 1.0001, 0.5, 1.3], DOCUMENTS)
    return np.where(rng.random(DOCUMENTS) < 0.1, near, right).astype(np.float64)


def _counted(made: Made) -> Made:
    """With the counts of a run and what it kept: three quarters of what stands."""
    documents = made.sample.filter(pc.is_null(made.sample["before"]))
    families = rules.resolve(RULES)
    names = rules.rule_names(families)
    failed = rules.judge(families, documents, len(documents), documents["language"]).failed.tolist()
    fails = {name: {row for row, bits in enumerate(failed) if bits >> bit & 1} for bit, name in enumerate(names)}
    first = [next((name for name in names if row in fails[name]), None) for row in range(len(documents))]
    stands = made.stands()
    kept = pc.is_in(made.sample["id"], value_set=stands["id"].slice(0, 3 * len(stands) // 4))
    reason = pc.if_else(kept, pa.scalar(None, pa.string()), "near_duplicate")
    sample = made.sample.set_column(made.sample.schema.get_field_index("reason"), "reason", reason)
    counts = {
        "reached_rules": len(documents),
        "rules": {
            name: {"alone": len(rows), "first": first.count(name), "last": sum(failed[r] == 1 << bit for r in rows)}
            for bit, (name, rows) in enumerate(fails.items())
        },
        "overlap": {a: {b: len(fails[a] & fails[b]) for b in names if fails[a] & fails[b]} for a in names},
    }
    stage = {"stage": "reference", "documents": len(stands), "text_bytes": pc.sum(stands["text_bytes"]).as_py()}
    source = {
        "read": DOCUMENTS + 2,
        "unreadable": [{}, {}],
        "kept": pc.sum(kept).as_py(),
        "dropped": {"reference_low_score": 11, "near_duplicate": 5},
        "statistics": counts,
        "cutoffs": {"perplexity": {"": [300.0], "en": [301.25]}, "reference": {"": [0.25]}},
        "funnel": [{"stage": "reading", "documents": DOCUMENTS, "text_bytes": 1}, stage, {"stage": "near duplicates"}],
    }
    # As it is read back from a file, keys in another order.
    summary = json.loads(json.dumps({**made.summary, "sources": {made.name: source}}, sort_keys=True))
    return Made(summary, sample, made.name)
