"""Counts that merge by addition, so that a step's counts are the sum of its parts' whatever order they came in.

A count is a number, a list (concatenated) or a mapping of counts (merged key by key).
"""

from collections.abc import Iterable, Mapping
from typing import Any


def add(total: dict[str, Any], part: Mapping[str, Any]) -> dict[str, Any]:
    """`total + part`; neither is changed. A key in one of them only keeps its value."""
    merged = dict(total)
    for key, value in part.items():
        if key not in merged:
            merged[key] = value
        elif isinstance(value, Mapping):
            merged[key] = add(merged[key], value)
        else:
            merged[key] = merged[key] + value
    return merged


def merge(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The sum of all `parts`, with mappings in the order of their keys so that equal sums are equal bytes."""
    total: dict[str, Any] = {}
    for part in parts:
        total = add(total, part)
    return _sort_keys(total)


def _sort_keys(counts: Mapping[str, Any]) -> dict[str, Any]:
    return {k: _sort_keys(v) if isinstance(v, Mapping) else v for k, v in sorted(counts.items())}
