"""What differs between two finished runs: recipes, versions, counts, and which documents each of them kept.

In come the folders of two runs with their summaries; out comes a `Comparison`. "Here" is the run that is looked at,
"there" the one that it is held against. What stays true: numbers are those of both summaries, and of each source the
documents kept by both and by one add up to what each run kept.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from pipeline.compare.moves import Moves, moves_of
from pipeline.finished import Run, manifest
from pipeline.summary import documents_folder, step_folder
from pipeline.verdicts import KEPT

Number = int | float


@dataclass(frozen=True)
class Setting:
    """A key of a recipe, or a package, that is not the same in both; None where a run does not have it."""

    name: str
    here: str | None
    there: str | None


@dataclass(frozen=True)
class Amount:
    """The same number of both runs; None where a run does not have it."""

    name: str
    here: Number | None
    there: Number | None

    @property
    def difference(self) -> Number | None:
        """Here less there."""
        return None if self.here is None or self.there is None else self.here - self.there


@dataclass(frozen=True)
class SourceComparison:
    """A source that both runs have. `reasons` are documents dropped, `languages` documents kept."""

    name: str
    counts: Sequence[Amount]
    funnel: Sequence[Amount]
    reasons: Sequence[Amount]
    languages: Sequence[Amount]
    documents: Moves


@dataclass(frozen=True)
class Comparison:
    """`here` and `there` are the runs' folders, `recipes` theirs; `mixture` is in tokens, `shares` the same in %."""

    here: str
    there: str
    recipes: tuple[Mapping[str, Any], Mapping[str, Any]]
    settings: Sequence[Setting]
    versions: Sequence[Setting]
    sources: Sequence[SourceComparison]
    only_here: Sequence[str]
    only_there: Sequence[str]
    mixture: Sequence[Amount]
    shares: Sequence[Amount]
    proxy: Sequence[Amount]

    @property
    def differs(self) -> bool:
        amounts = [*self.mixture, *self.proxy]
        for source in self.sources:
            amounts += [*source.counts, *source.funnel, *source.reasons, *source.languages]
        return bool(
            self.settings
            or self.versions
            or self.only_here
            or self.only_there
            or any(amount.here != amount.there for amount in amounts)
            or any(source.documents.changed for source in self.sources)
        )


def compare(
    root: str,
    summary: Mapping[str, Any],
    other_root: str,
    other_summary: Mapping[str, Any],
    progress: Callable[[int, int], None],
) -> Comparison:
    """Hold the run in `root` against the one in `other_root`; `progress` hears of parts looked at and all parts.

    Raises `ValueError` for a run whose steps are gone in part, or that an earlier version made.
    """
    run, other = Run(root, summary), Run(other_root, other_summary)
    names = [name for name in summary["sources"] if name in other_summary["sources"]]
    seen = _counting(progress, sum(part.source in names for part in [*run.parts, *other.parts]))
    proxies = summary["proxy"], other_summary["proxy"]
    return Comparison(
        root,
        other_root,
        (summary["recipe"], other_summary["recipe"]),
        _settings(settings_of(run, names), settings_of(other, names)),
        _settings(summary["versions"], other_summary["versions"]),
        [_source(run, other, name, seen) for name in names],
        [name for name in summary["sources"] if name not in names],
        [name for name in other_summary["sources"] if name not in names],
        _amounts(_tokens(summary["mixture"]), _tokens(other_summary["mixture"])),
        _amounts(_shares(summary["mixture"]), _shares(other_summary["mixture"])),
        _amounts(_losses(proxies[0]), _losses(proxies[1])) if all(proxies) else [],
    )


def _counting(progress: Callable[[int, int], None], total: int) -> Callable[[], None]:
    done = iter(range(1, total + 1))
    return lambda: progress(next(done), total)


def settings_of(run: Run, names: Sequence[str]) -> dict[str, str]:
    """What a run was told, of its sources these, as flat keys: sources.web.rules.gopher_quality.min_words.

    Defaults are among them. Bounds are those that the steps went by, so that a default of another version shows.
    """
    recipe = dict(run.summary["recipe"])
    sources = {}
    for name in names:
        judged = manifest(run.root, step_folder(run.root, run.summary, f"{name}.filter"))["params"]
        measured = manifest(run.root, documents_folder(run.root, run.summary, name))["params"]["measuring"]
        manifest(run.root, step_folder(run.root, run.summary, f"{name}.documents"))
        families = {}
        for parameters, bounds in zip(measured, judged["bounds"], strict=True):
            families[parameters["family"]] = {k: v for k, v in parameters.items() if k != "family"} | bounds
        sources[name] = {**recipe["sources"][name], "rules": {"order": list(families), **families}}
    return dict(_flat({**recipe, "sources": sources}, ""))


def _flat(value: object, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for name, inside in value.items():
            yield from _flat(inside, f"{key}.{name}" if key else str(name))
    else:
        yield key, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _settings(here: Mapping[str, str], there: Mapping[str, str]) -> list[Setting]:
    keys = sorted({*here, *there})
    return [Setting(key, here.get(key), there.get(key)) for key in keys if here.get(key) != there.get(key)]


def _amounts(here: Mapping[str, Number], there: Mapping[str, Number], missing: Number | None = None) -> list[Amount]:
    """Both runs' numbers, in the order of the first and then the second."""
    names = dict.fromkeys([*here, *there])
    return [Amount(name, here.get(name, missing), there.get(name, missing)) for name in names]


def _source(run: Run, other: Run, name: str, seen: Callable[[], None]) -> SourceComparison:
    here, there = (r.summary["sources"][name] for r in (run, other))
    reasons = _amounts(here["dropped"], there["dropped"], 0)
    languages = _amounts(here["kept_languages"], there["kept_languages"], 0)
    documents = moves_of(run, other, name, seen)
    both = documents.count(KEPT, KEPT)
    assert both + documents.kept_only_here == here["kept"], name
    assert both + documents.kept_only_there == there["kept"], name
    return SourceComparison(
        name,
        _amounts(_counts(here), _counts(there)),
        _aligned(here["funnel"], there["funnel"]),
        sorted(reasons, key=lambda amount: -abs(amount.difference or 0)),
        sorted(languages, key=lambda amount: -(amount.here or 0)),
        documents,
    )


def _counts(source: Mapping[str, Any]) -> dict[str, Number]:
    found = {
        "documents read": source["read"],
        "documents kept": source["kept"],
        "documents dropped": sum(source["dropped"].values()),
        "unreadable": len(source["unreadable"]),
        "bytes of text kept": source["text_bytes"],
        "tokens kept": source["unique_tokens"],
    }
    return {name: number for name, number in found.items() if number is not None}


def _aligned(here: Sequence[Mapping[str, Any]], there: Sequence[Mapping[str, Any]]) -> list[Amount]:
    """Documents left after each stage, in an order that both runs' stages have."""
    names, others = ([stage["stage"] for stage in stages] for stages in (here, there))
    left, others_left = ([stage["documents"] for stage in stages] for stages in (here, there))
    rows = []
    for kind, a, b, c, d in SequenceMatcher(None, names, others, autojunk=False).get_opcodes():
        if kind == "equal":
            rows += [Amount(*row) for row in zip(names[a:b], left[a:b], others_left[c:d], strict=True)]
        else:
            rows += [Amount(name, number, None) for name, number in zip(names[a:b], left[a:b], strict=True)]
            rows += [Amount(name, None, number) for name, number in zip(others[c:d], others_left[c:d], strict=True)]
    return rows


def _tokens(mixture: Mapping[str, Any] | None) -> dict[str, Number]:
    return {name: source["tokens"] for name, source in (mixture or {}).items()}


def _shares(mixture: Mapping[str, Any] | None) -> dict[str, Number]:
    tokens = _tokens(mixture)
    total = sum(tokens.values()) or 1
    return {name: 100 * number / total for name, number in tokens.items()}


def _losses(proxy: Mapping[str, Any]) -> dict[str, Number]:
    """Of the proxy what can be compared; in bits a byte, which another tokenizer does not change."""
    found = {"training loss, nats per token": proxy["final_loss"]}
    if proxy["validation"]:
        found |= {
            f"held out of {name}, bits per byte": loss["bits_per_byte"]
            for name, loss in proxy["validation"]["sources"].items()
        }
        found["held out of all, bits per byte"] = proxy["validation"]["overall"]["bits_per_byte"]
    return found
