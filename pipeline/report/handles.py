"""What the page's script needs so that a bound can be moved: exact values of a sample, and every bound on them.

In come signals with their bounds; out comes JSON, with the values as float64 (little-endian, column after column) in
zlib and base64. What stays true: the script compares the numbers that the run compared; what is too much for the page
is left out by whole documents, those of the highest hashes, so that the rest is a uniform sample.
"""

import base64
import math
import zlib
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from corpus.hashing import keyed
from filters.keep import BUCKETS, drawn
from pipeline.quality import goodness
from pipeline.report.histogram import Histogram
from pipeline.report.tuned import Scored, Signal

# Columns before those of the signals.
OWN = 3


def handles(documents: pa.Table, signals: Sequence[Signal], shown: Sequence[Histogram], data: str) -> dict[str, Any]:
    """All that the script is told of `documents`, which came as far as the rules; `shown` are the signals' histograms
    and `data` is what `packed` made of them.
    """
    languages = _languages(documents)
    drawn_columns = count(OWN + len(signals))
    return {
        "documents": len(documents),
        "languages": languages,
        "data": data,
        "signals": [
            _signal(signal, histogram, languages, drawn_columns)
            for signal, histogram in zip(signals, shown, strict=True)
        ],
    }


def packed(documents: pa.Table, signals: Sequence[Signal], seed: int) -> str:
    """Bytes of text, language and whether it was kept; each signal; and what GPT-3's draw keeps, where it is asked."""
    languages = pa.array(_languages(documents), pa.string())
    columns = [
        documents["text_bytes"].to_numpy(),
        pc.index_in(documents["language"].fill_null(""), value_set=languages).to_numpy(),
        np.asarray(pc.is_null(documents["reason"])),
        *(signal.values for signal in signals),
        *(_drawn(signal.score, documents, seed) for signal in signals if signal.score and signal.score.keep.pareto),
    ]
    return base64.b64encode(zlib.compress(np.stack(columns).astype("<f8").tobytes(), 9)).decode()


def fewer(documents: pa.Table, most: int, seed: int) -> pa.Table:
    """A uniform sample of so many of the documents, in their order."""
    order = np.argsort(keyed(documents["id"].to_numpy(), "panel", seed), kind="stable")
    return documents.take(np.sort(order[:most]))


def _languages(documents: pa.Table) -> list[str]:
    return sorted(set(documents["language"].fill_null("").to_pylist()))


def _drawn(score: Scored, documents: pa.Table, seed: int) -> NDArray[np.bool_]:
    """Which documents GPT-3's draw keeps; it has no handle, because no browser draws the same."""
    assert score.keep.pareto is not None
    [batch] = documents.combine_chunks().to_batches()
    scores = goodness(score.by, batch)
    return drawn(scores, batch["id"].to_numpy(), score.keep.pareto, seed) | np.isnan(scores)


def _signal(signal: Signal, shown: Histogram, languages: Sequence[str], drawn_columns: Iterator[int]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "edges": shown.edges.tolist(),
        "limit": shown.limit,
        "whole": signal.whole,
        "scale": [shown.scale.low, shown.scale.high, shown.scale.stretch],
        "rules": [
            {
                "key": f"rules.{signal.family}.{bounded.rule.parameter}",
                "side": bounded.rule.side,
                "bound": bounded.bound,
                "factors": bounded.factors(languages),
            }
            for bounded in signal.rules
        ],
    }
    if signal.score:
        keep = signal.score.keep
        kept = [BUCKETS.index(bucket) for bucket in keep.buckets] if keep.buckets else [0]
        found["score"] = {
            "key": f"{signal.score.by}.keep",
            "by": signal.score.by,
            "rule": keep.rule,
            "value": getattr(keep, keep.rule),
            "shares": keep.shares,
            "stays": kept,
            "drawn": next(drawn_columns) if keep.pareto else None,
        }
    return found


def step(shown: Histogram) -> float:
    """By how much a bound moves at a key: one, or about a hundredth of what is shown."""
    if shown.scale.whole:
        return 1.0
    return float(10.0 ** math.floor(math.log10((shown.scale.high - shown.scale.low) / 100)))
