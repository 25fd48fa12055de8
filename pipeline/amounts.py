"""What a step has worked on, in its own unit, as its counts say. The terminal and the report give rates by it."""

from collections.abc import Mapping
from typing import Any

# What steps count that have no documents to count, and what it is called.
_UNITS = {
    "tokens": "tokens",
    "texts": "documents",
    "judged": "documents",
    "compared": "documents",
    "pages": "pages",
    "copies": "copies",
    "edges": "edges",
    "candidates": "candidates",
    "shingled": "candidates",
    "verified": "copies",
    "units": "lines",
    "scored": "documents",
    "measured": "documents",
    "sampled": "documents",
    "counted": "documents",
    "shown": "documents",
    "repeated": "repeated lines",
}


def amount_of(counts: Mapping[str, Any]) -> tuple[int, str]:
    """The amount and its unit; 0 and "" of a step that counts nothing."""
    if "read" in counts:
        return counts["read"], "documents"
    if "shards" in counts:
        return sum(shard["tokens"] for shard in counts["shards"]), "tokens"
    if "kept" in counts:
        return counts["kept"] + sum(counts["dropped"].values()), "documents"
    for key, unit in _UNITS.items():
        if isinstance(counts.get(key), int):
            return counts[key], unit
    return 0, ""
