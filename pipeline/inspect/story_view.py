"""Documents and their stories as people read them: lines for a terminal or a pipe."""

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from pipeline.evidence import Shown
from pipeline.inspect.duplicates_view import fate
from pipeline.inspect.listed import Listed, Repeats
from pipeline.inspect.records import Number
from pipeline.inspect.story import Judged, Scored, Story
from pipeline.inspect.uses import Place, Training
from pipeline.web_text import marked, url_line, visible

WORDS = {"min": "at least", "max": "at most"}


def listed_blocks(screen: Console, document: Listed, passage: Shown) -> Iterator[Text]:
    """A document in a few lines, with the passage that it was dropped for."""
    yield Text()
    yield from _head(screen, document)
    if document.cause:
        bound = (
            "no bound"
            if document.cause.bound is None
            else f"{WORDS[document.cause.side]} {_number(document.cause.bound)}"
        )
        yield Text(f"  {document.cause.signal} {_number(document.cause.value)}, {bound}")
    if document.repeats:
        yield from _repeats(screen, document.repeats)
    yield from _passage(screen, passage)


def _head(screen: Console, document: Listed | Story) -> Iterator[Text]:
    yield Text(f"{document.id} of {document.source}: {fate(document.reason)}", "bold")
    yield url_line(screen, document.url)
    language = f"{document.language} {_number(document.language_score)}" if document.language else "no language"
    yield Text(f"  {document.date or 'no date'}, {language}")


def _passage(screen: Console, passage: Shown) -> Iterator[Text]:
    if passage.note:
        yield Text(f"  {visible(passage.note)}")
    if passage.text:
        yield marked(screen, passage.text, passage.marks)


def _repeats(screen: Console, repeats: Repeats) -> Iterator[Text]:
    alike = "" if repeats.similarity is None else f", similarity {repeats.similarity:.3f}"
    where = "" if repeats.run is None else f" of the earlier run {visible(repeats.run)}"
    yield Text(f"  repeats {repeats.id}{where}, {'which is gone' if repeats.gone else fate(repeats.reason)}{alike}")
    if repeats.url is not None:
        yield url_line(screen, repeats.url)


def story_blocks(screen: Console, story: Story) -> Iterator[Text]:
    """The whole story of a document."""
    yield Text()
    yield from _head(screen, story)
    yield Text(f"  read from {visible(story.file)}, byte {story.offset:,}, row {story.row:,}")
    yield from _families(story)
    for scored in story.scores:
        yield _scored(scored)
    yield _characters(story)
    if story.reason is None:
        yield from _training(story.source, story.training)
    if story.repeats:
        yield from _repeats(screen, story.repeats)
    yield from _passage(screen, story.passage)


def _families(story: Story) -> Iterator[Text]:
    """Of every family its rules, and the signals that no rule bounds."""
    for family, signals in story.signals.items():
        yield Text(f"  {family}", "bold")
        rules = [rule for rule in story.rules if rule.family == family]
        yield from map(_rule, rules)
        bounded = {rule.signal for rule in rules}
        rest = [f"{name} {_number(value)}" for name, value in signals.items() if name not in bounded]
        if rest:
            yield Text(f"    no bound on: {', '.join(rest)}", "dim")


def _rule(rule: Judged) -> Text:
    verdict = Text("failed", "bold red") if rule.failed else Text("passed", "green")
    said = f"{rule.signal} {_number(rule.value)}, {WORDS[rule.side]} {_number(rule.bound)}"
    first = Text("  and was the first", "bold") if rule.first else ""
    return Text.assemble("    ", verdict, f" {rule.rule}: {said}", first)


def _scored(scored: Scored) -> Text:
    cuts = f"cut at {', '.join(map(_number, scored.cuts))}" if scored.cuts else "no cut"
    keep = ", ".join(f"{key} {value}" for key, value in scored.keep.items())
    return Text(f"  {scored.by} {_number(scored.value)}, {cuts} (keep: {keep})")


def _characters(story: Story) -> Text:
    sizes = story.characters
    words = [f"{sizes.read:,} read"] if sizes.read not in (None, sizes.judged) else []
    words += [f"{sizes.judged:,} judged"]
    if sizes.kept is not None:
        words += [f"{sizes.kept:,} kept"]
    return Text(f"  characters: {', '.join(words)}")


def _training(source: str, training: Training | None) -> Iterator[Text]:
    if training is None:
        yield Text(f"  {source} is in no mixture")
        return
    role = "held out for validation" if training.held_out else "for training"
    uses = f"used {len(training.uses):,} times" if len(training.uses) != 1 else "used once"
    yield Text(f"  {training.tokens:,} tokens, {role}, {uses if training.uses else 'not drawn'}")
    for use in training.uses:
        places = [_place(place) for place in (use.shard, use.llmc, use.text) if place]
        yield Text(f"    {'; '.join(places)}")


def _place(place: Place) -> str:
    offset = "" if place.offset is None else f", token {place.offset:,}"
    return f"{place.file} document {place.document:,}{offset}"


def _number(value: Number | str | None) -> str:
    match value:
        case None:
            return "none"
        case int():
            return f"{value:,}"
        case float():
            return f"{int(value):,}" if value.is_integer() else f"{value:.6g}"
    return visible(value) or "nothing"
