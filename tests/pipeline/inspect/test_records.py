"""The number a document was dropped for is on the wrong side of the bound that stands beside it."""

from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.inspect.records import Record, Records


@pytest.mark.parametrize(
    ("kept", "reason", "value", "side", "bound"),
    [
        (["head"], "perplexity_middle", 150.0, "max", 100.0),
        (["head"], "perplexity_tail", 250.0, "max", 100.0),
        (["head", "middle"], "perplexity_tail", 250.0, "max", 200.0),
        (["head", "tail"], "perplexity_middle", 150.0, "max", 100.0),
        (["middle"], "perplexity_head", 50.0, "min", 100.0),
        (["tail"], "perplexity_head", 50.0, "min", 200.0),
    ],
)
def test_what_buckets_drop_has_the_bound_that_it_missed(
    kept: list[str], reason: str, value: float, side: str, bound: float
) -> None:
    keep = {"threshold": None, "buckets": kept}
    source = {"perplexity": {"keep": keep}, "reference": None}
    cutoffs = {"perplexity": {"en": [100.0, 200.0]}}
    run: Any = SimpleNamespace(
        summary={"recipe": {"sources": {"web": source}}, "sources": {"web": {"cutoffs": cutoffs}}}
    )
    part: Any = SimpleNamespace(source="web")
    records = Records(run)
    records.families = lambda _: ()  # type: ignore[assignment]
    cause = records.cause(Record(part, {"language": "en"}, {"perplexity": value}, {"reason": reason}))
    assert cause is not None
    assert (cause.value, cause.side, cause.bound) == (value, side, bound)
