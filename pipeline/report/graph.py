"""The steps that look at a source once its documents are there, for the report.

    read, filter, documents ─► statistics ─► examples

What stays true: nothing but the report depends on them.
"""

from collections.abc import Mapping
from typing import Any

from pipeline.dedup_graph import Chain
from pipeline.quality import COLUMNS
from pipeline.recipe import Recipe
from pipeline.report import examples, statistics
from pipeline.steps import Step


def report_steps(recipe: Recipe, chains: Mapping[str, Chain], documents: Mapping[str, Step]) -> list[Step]:
    """SOURCE.statistics and SOURCE.examples of every source."""
    everywhere = [{"name": name, "first_shard": first, "parts": parts} for name, (_, first, parts) in chains.items()]
    everything = {f"{name}.read": chain["read"] for name, (chain, _, _) in chains.items()}
    everything |= {f"{name}.documents": step for name, step in documents.items()}
    found = []
    for name, (chain, first, parts) in chains.items():
        source = recipe.sources[name]
        shown: dict[str, Any] = {"rules": source.rules, "seed": recipe.seed, "language": source.wanted_languages}
        shown["scores"] = [column for by, column in COLUMNS.items() if getattr(source, by)]
        inputs = {"read": chain["read"], "filter": chain["filter"], "documents": documents[name]}
        counted = Step(f"{name}.statistics", statistics.count, shown, inputs, list(range(parts)))
        params = {
            "source": source.model_dump(),
            "measuring": chain["read"].params["measuring"],
            "files": _files(chain),
            "first_shard": first,
            "sources": everywhere,
        }
        found += [counted, Step(f"{name}.examples", examples.gather, params, {"statistics": counted, **everything})]
    return found


def _files(chain: Mapping[str, Step]) -> list[str]:
    """The input files of a source, as its reading step has them."""
    read = chain.get("extracted", chain["read"])
    assert not callable(read.parts)
    return [part["file"] for part in read.parts]
