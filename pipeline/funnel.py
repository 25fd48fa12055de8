"""What each step of a source left of its documents and of their text: the table that a filtering pipeline is judged by.

In come a source's counts, out come stages in the order in which documents meet them, with what is left after each.
What stays true: the first stage has all that was read as a document, the last what is kept, and every drop reason
belongs to one stage.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from filters import rules
from pipeline.quality import QUALITIES, reasons_of
from pipeline.recipe import Source
from pipeline.verdicts import REASONS

READ, LINES = "reading", "repeated lines"


def stages(source: Source) -> list[tuple[str, Sequence[str]]]:
    """Names of the stages and the reasons they drop for, of what this source asks for; reading drops for all others."""
    lines = source.dedup.lines
    repeated = (LINES, [f"repeated_{lines.unit}s"]) if lines else None
    found: list[tuple[str, Sequence[str]]] = [(READ, [])]
    if repeated and lines and lines.first:
        found.append(repeated)
    if source.language:
        found.append(("language", ["html_language_not_wanted", "language_not_wanted", "language_uncertain"]))
    for family in rules.resolve(source.rules, check=False):
        found.append((family.name, [rule.name for rule in family.rules]))
    for quality in QUALITIES:
        if getattr(source, quality):
            found.append((quality, reasons_of(quality)))
    asked = {"url": source.dedup.url, "exact": source.dedup.exact}
    asked |= {"jaccard": source.dedup.minhash is not None, "containment": source.dedup.containment is not None}
    found += [(REASONS[by].replace("_", " ") + "s", [REASONS[by]]) for by, wanted in asked.items() if wanted]
    if repeated and lines and not lines.first:
        found.append(repeated)
    return found


def funnel(
    source: Source, read: Mapping[str, Any], measured: Mapping[str, Any] | None, written: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """For each stage the `documents` and `text_bytes` that are left after it.

    In come the counts of the steps that read documents, that measured them where lines were taken out first, and that
    wrote what is kept. Texts are as the rules that rewrite them leave them.
    """
    named = stages(source)
    lines_last = named[-1][0] == LINES and measured is None
    left, size = read["read"] - len(read["unreadable"]), read["text_bytes"]
    found = []
    for number, (name, _) in enumerate(named):
        if name == LINES:
            size = written["text_bytes"] if lines_last else measured["text_bytes"] if measured else size
        for reason, count in written["dropped"].items():
            if _stage_of(reason, named) == number:
                left -= count
                size -= 0 if name == LINES and lines_last else written["dropped_bytes"].get(reason, 0)
        found.append({"stage": name, "documents": left, "text_bytes": size})
    assert (left, size) == (written["kept"], written["text_bytes"]), "a document is in no stage or in two"
    return found


def _stage_of(reason: str, named: Sequence[tuple[str, Sequence[str]]]) -> int:
    """The place of the stage that drops for this reason; a rule may add a detail to its name: "blocked_url.adult"."""
    for number, (_, reasons) in enumerate(named):
        if any(reason == own or reason.startswith(f"{own}.") for own in reasons):
            return number
    return 0
