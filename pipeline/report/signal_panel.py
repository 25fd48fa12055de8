"""The panel of a source's rules in the report: what each drops, its signal as a histogram, and how rules overlap.

In come the run's summary and a sample of the source; out comes what report/signals.html.j2 shows and report/page.js.j2
lets a reader change. What stays true: counts of rules are the run's, of all documents; histograms are of the sample,
and say so where that is not the whole.
"""

from collections.abc import Mapping, Sequence
from itertools import count, groupby
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.quality import reasons_of
from pipeline.report import tuned
from pipeline.report.handles import fewer, handles, packed, step
from pipeline.report.histogram import Histogram, histogram, svg
from pipeline.report.tuned import Bounded, Scored, Signal

# Characters of all sources' values in the page.
BUDGET = 2_500_000
# Rules in the matrix; no screen shows more.
MATRIX = 24
# Languages whose bound is told beside English's.
LANGUAGES = 8


def panel(name: str, summary: Mapping[str, Any], sample: pa.Table) -> dict[str, Any] | None:
    """What is shown of source `name`; `sample` is `statistics.sample`. None for a source without rules and scores."""
    documents = tuned.reached(sample)
    signals = tuned.signals(name, summary, documents)
    if not signals:
        return None
    most, data = BUDGET // len(summary["sources"]), packed(documents, signals, summary["seed"])
    while len(data) > most and len(documents):
        documents = fewer(documents, int(0.97 * len(documents) * most / len(data)), summary["seed"])
        signals = tuned.signals(name, summary, documents)
        data = packed(documents, signals, summary["seed"])
    source = summary["sources"][name]
    shown = [_histogram(signal) for signal in signals]
    moved = {**handles(documents, signals, shown, data), **_outcome(name, source, signals)}
    return {
        "families": _families(signals, shown, source, moved["languages"]),
        "documents": len(documents),
        "reached": source["statistics"]["reached_rules"],
        "overlap": _overlap(
            [bounded.rule.name for signal in signals for bounded in signal.rules], source["statistics"]
        ),
        "handles": moved if len(documents) else None,
    }


def _families(
    signals: Sequence[Signal], shown: Sequence[Histogram], source: Mapping[str, Any], languages: Sequence[str]
) -> list[dict[str, Any]]:
    numbered = zip(count(), signals, shown, strict=False)
    return [
        {"name": family, "signals": [_signal(*one, source, languages) for one in of_family]}
        for family, of_family in groupby(numbered, key=lambda one: one[1].family)
    ]


def _outcome(name: str, source: Mapping[str, Any], signals: Sequence[Signal]) -> dict[str, Any]:
    """The run's own numbers, of all documents: what was read, came to the rules, stands after all filters, is kept."""
    names = {signal.family for signal in signals}
    last = max(place for place, stage in enumerate(source["funnel"]) if stage["stage"] in names)
    stage = source["funnel"][last]
    return {
        "source": name,
        "read": source["read"] - len(source["unreadable"]),
        "reached": source["statistics"]["reached_rules"],
        "stands": stage["documents"],
        "bytes": stage["text_bytes"],
        # None where nothing is removed after the filters.
        "kept": source["kept"] if last + 1 < len(source["funnel"]) else None,
    }


def _histogram(signal: Signal) -> Histogram:
    known = np.isfinite(signal.values)
    return histogram(signal.values[known], signal.fails[known], _lines(signal), signal.whole)


def _lines(signal: Signal) -> list[float]:
    """Where the bounds are drawn. A largest whole number passes, so its line is where the next begins."""
    if signal.score:
        return list(signal.score.cuts)
    beyond = 1 if signal.whole else 0
    return [bounded.bound + (beyond if bounded.rule.side == "max" else 0) for bounded in signal.rules]


def _signal(
    number: int, signal: Signal, shown: Histogram, source: Mapping[str, Any], languages: Sequence[str]
) -> dict[str, Any]:
    bars = zip(shown.counts.tolist(), shown.failing.tolist(), strict=True)
    title = signal.name.replace("_", " ")
    return {
        "number": number,
        "title": f"{title[0].upper()}{title[1:]}",
        "unit": _unit(signal),
        "rules": [_rule(bounded, source["statistics"], languages) for bounded in signal.rules],
        "score": _score(signal.score, source) if signal.score else None,
        "svg": svg(shown, _lines(signal), f"documents by {title}; those that fail are of another colour"),
        "bins": [(*_ends(shown, bar, signal.whole), *both) for bar, both in enumerate(bars) if both[0]],
        "logarithmic": shown.scale.stretch is not None,
        "cut": bool((shown.counts > shown.limit).any()),
        "unknown": len(signal.values) - int(shown.counts.sum()),
        "step": step(shown),
    }


def _unit(signal: Signal) -> str:
    """The unit of a signal, in words."""
    if any(bounded.rule.is_place for bounded in signal.rules):
        return "number of the first such line, 0 for none"
    if signal.whole:
        return "number in a document"
    if signal.name.endswith("_length"):
        return "characters"
    if signal.name.endswith("score"):
        return "probability, 0 to 1"
    return "number without unit" if signal.score else "fraction"


def _ends(shown: Histogram, bar: int, whole: bool) -> tuple[str, str]:
    """From and to of a bar: whole numbers are those that it holds, others go up to the next bar's."""
    low, high = shown.edges[bar], shown.edges[bar + 1]
    return (f"{low:,.0f}", f"{high - 1:,.0f}") if whole else (f"{low:.4g}", f"{high:.4g}")


def _rule(bounded: Bounded, counts: Mapping[str, Any], languages: Sequence[str]) -> dict[str, Any]:
    rule, reached = bounded.rule, counts["reached_rules"]
    factors = bounded.factors(languages)
    others = [(language, bounded.bound * factor) for language, factor in zip(languages, factors or (), strict=False)]
    others = [(language, bound) for language, bound in others if bound != bounded.bound]
    return {
        "name": rule.name,
        "parameter": rule.parameter,
        "side": "at least" if rule.side == "min" else "at most",
        "bound": _number(bounded.bound),
        "exact": repr(bounded.bound),
        "origin": rule.origin,
        "languages": [(language, f"{bound:.4g}") for language, bound in others[:LANGUAGES]],
        "more_languages": max(0, len(others) - LANGUAGES),
        "counts": [
            (by, counts["rules"][rule.name][by], _share(counts["rules"][rule.name][by], reached))
            for by in ("alone", "first", "last")
        ],
    }


def _score(score: Scored, source: Mapping[str, Any]) -> dict[str, Any]:
    """What a score's rule keeps, and what it drops of what came so far."""
    dropped = sum(source["dropped"].get(reason, 0) for reason in reasons_of(score.by))
    rule = score.keep.rule
    value = getattr(score.keep, rule)
    return {
        "rule": rule,
        "value": "+".join(value) if rule == "buckets" else _number(value),
        "exact": repr(value),
        "cuts": _cuts(source["cutoffs"][score.by] or {}) if rule != "threshold" else "",
        "counts": [
            ("alone", None, 0.0),
            ("first", dropped, _share(dropped, source["statistics"]["reached_rules"])),
            ("last", None, 0.0),
        ],
        # Bounds of a share are the recipe's; a perplexity has none above.
        "least": {"share": 0.01, "threshold": 0.0 if score.by == "reference" else 1.0}.get(rule),
        "most": 1 if rule == "share" or score.by == "reference" else None,
    }


def _cuts(found: Mapping[str, Sequence[float]]) -> str:
    """Where the run cut; by language where each has cuts of its own."""
    if list(found) == [""]:
        return ", ".join(f"{cut:.4g}" for cut in found[""])
    words = [f"{language or 'none'} {', '.join(f'{cut:.4g}' for cut in ends)}" for language, ends in found.items()]
    more = f" and {len(words) - LANGUAGES} more" if len(words) > LANGUAGES else ""
    return "; ".join(words[:LANGUAGES]) + more


def _number(value: float) -> str:
    """A bound as a person writes it."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.6g}"


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _overlap(rules: Sequence[str], counts: Mapping[str, Any]) -> dict[str, Any] | None:
    """The matrix of those of the rules that drop anything, and its pairs; None for fewer than two of them.

    A cell is (documents that fail both, as a share of those that fail the row's rule).
    """
    alone = {rule: counts["rules"][rule]["alone"] for rule in rules if counts["rules"][rule]["alone"]}
    most = set(sorted(alone, key=lambda rule: (-alone[rule], rule))[:MATRIX])
    names = [rule for rule in alone if rule in most]
    if len(names) < 2:
        return None
    both = {(a, b): counts["overlap"][a].get(b, 0) for a in names for b in names}
    pairs = [(a, b, both[a, b]) for place, a in enumerate(names) for b in names[place + 1 :] if both[a, b]]
    return {
        "rules": [(name, alone[name]) for name in names],
        "rows": [[(both[a, b], both[a, b] / alone[a]) for b in names] for a in names],
        "pairs": [
            (a, b, n, n / alone[a], n / alone[b]) for a, b, n in sorted(pairs, key=lambda pair: (-pair[2], pair[:2]))
        ],
        "left_out": len(alone) - len(names),
    }
