"""What is measured on: WARC files, a sample of their pages for the slow peers, and the English texts in that sample.

What stays true: every side of a comparison reads the same bytes; the sample is every k-th page, so that it is as long
and as mixed as the whole; nothing is downloaded.
"""

import glob
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import click
from fastwarc.warc import ArchiveIterator, WarcRecordType

from filters import language
from mixtures import json_tokenizer
from pipeline.recipe import Recipe
from sources.extract import extract
from sources.pages import Page
from sources.warc import read_warc

ROOT = Path(__file__).parents[1]
# Real pages for development, where there are some, or else what `crawlmill crawl-docs` makes anywhere.
PUBLISHED = ROOT.parent / "shared/data/proxies"
DEFAULTS = ("../shared/data/pages/*.warc.gz", "demo/crawl/*.warc.gz")
WARM_UP_PAGES = 20
# With fewer there is nothing for a classifier to learn from, and no median to speak of.
MIN_TEXTS = 10
VOCABULARY = 16_384
EOS = "<|endoftext|>"
# FineWeb's bands, and the similarity from which a candidate is removed.
MINHASH = {"bands": 14, "rows": 8, "ngram": 5}
THRESHOLD = 0.75


@dataclass(frozen=True)
class Inputs:
    """`files` with `pages` pages; `sample_pages` of them in `sample`, `warm_up_pages` in `warm_up`, one in `first`.

    `folder` is a temporary one, `repeats` the rounds of every comparison. `documents` are made of the pages for what is
    measured of deduplication, and `millions` of signatures made up; with `full_peers` its peers get all of them.
    """

    files: list[str]
    pages: int
    sample: str
    sample_pages: int
    warm_up: str
    warm_up_pages: int
    first: str
    folder: Path
    repeats: int
    documents: int
    millions: int
    full_peers: bool
    # RegMix's runs and Chinchilla's points, as their authors published them.
    published: Path

    @cached_property
    def english(self) -> list[str]:
        """The text of every page of the sample that is English with a score of .65, as the rules get it."""
        english = _english([self.sample])
        if len(english) < MIN_TEXTS:
            raise click.UsageError(
                f"of {self.sample_pages} sampled pages {len(english)} are English, and {MIN_TEXTS} are needed; "
                "name more by --pages or take a larger --sample"
            )
        return english

    @cached_property
    def all_english(self) -> list[str]:
        """The same of all pages, not only of the sample."""
        english = _english(self.files)
        if len(english) < MIN_TEXTS:
            raise click.UsageError(
                f"of {self.pages:,} pages {len(english)} are English, and {MIN_TEXTS} are needed; name more by --pages"
            )
        return english

    @cached_property
    def texts(self) -> list[str]:
        """The text of every page that has one, whatever its language."""
        return _texts(self.files)

    @cached_property
    def tokenizer(self) -> str:
        """A tokenizer.json, trained on the texts before any clock starts."""
        path = self.folder / "tokenizer.json"
        path.write_text(json_tokenizer.train(iter(self.english), VOCABULARY, EOS).to_str())
        return str(path)


def recipe(files: Sequence[str], tokenizer: str | None = None) -> Recipe:
    """Everything that is done to a page before sources are mixed; tokens where there is a tokenizer."""
    source = {
        "kind": "warc",
        "paths": list(files),
        "language": {"keep": ["en"], "min_score": 0.65},
        "rules": ["gopher_repetition", "gopher_quality", "c4", "fineweb"],
        "dedup": {"exact": True, "lines": True, "minhash": {"bands": 14, "rows": 8, "ngram": 5}},
    }
    tokens = {
        "mixture": {"tokens": 1_000_000, "weights": {"web": 1.0}},
        "tokens": {"tokenizer": {"file": tokenizer, "eos": EOS}},
    }
    return Recipe.model_validate({"name": "benchmark", "sources": {"web": source}, **(tokens if tokenizer else {})})


def dedup_recipe(files: Sequence[str]) -> Recipe:
    """The deduplication of JSON lines and nothing else."""
    near = {**MINHASH, "threshold": THRESHOLD}
    source = {"kind": "jsonl", "paths": list(files), "dedup": {"exact": True, "minhash": near}}
    return Recipe.model_validate({"name": "benchmark", "sources": {"web": source}})


def prepare(
    pattern: str | None,
    sample: int,
    repeats: int,
    folder: Path,
    documents: int,
    millions: int,
    full_peers: bool,
    published: Path = PUBLISHED,
) -> Inputs:
    """Find the pages and write the sample. `click.UsageError` where there are none."""
    files = _files(pattern)
    places = [place for file in files for place in _pages(file)]
    if not places:
        raise click.UsageError(f"no page in {', '.join(files)}; name WARC files with response records by --pages")
    chosen = _every(places, sample)
    few = _every(chosen, WARM_UP_PAGES)
    return Inputs(
        files,
        len(places),
        _write(folder / "sample.warc.gz", chosen),
        len(chosen),
        _write(folder / "warm-up.warc.gz", few),
        len(few),
        _write(folder / "first.warc.gz", chosen[:1]),
        folder,
        repeats,
        documents,
        millions,
        full_peers,
        published,
    )


def _english(files: Sequence[str]) -> list[str]:
    texts = _texts(files)
    labels, scores = language.identify(texts)
    found = zip(texts, labels, scores, strict=True)
    return [text for text, label, score in found if label == "en" and score >= 0.65]


def _texts(files: Sequence[str]) -> list[str]:
    pages = (item for file in files for item in read_warc(file) if isinstance(item, Page))
    return [text for page in pages if (text := extract(page.body, "resiliparse"))]


def _files(pattern: str | None) -> list[str]:
    tried = [pattern] if pattern else [str(ROOT / default) for default in DEFAULTS]
    for each in tried:
        if files := sorted(glob.glob(each)):
            return files
    raise click.UsageError(
        f"no WARC file matches {' or '.join(tried)}; name some by --pages 'FOLDER/*.warc.gz', "
        "or make some with: crawlmill crawl-docs --out demo/crawl"
    )


_Place = tuple[str, int, int]


def _pages(file: str) -> Iterator[_Place]:
    """Where each response record is: file, first byte, end. One gzip member a record, as crawlers write them."""
    with open(file, "rb") as stream:
        records = [(r.stream_pos, r.record_type) for r in ArchiveIterator(stream, parse_http=False)]
    ends = [start for start, _ in records[1:]] + [Path(file).stat().st_size]
    for (start, kind), end in zip(records, ends, strict=True):
        if kind == WarcRecordType.response:
            yield file, start, end


def _every(places: Sequence[_Place], wanted: int) -> Sequence[_Place]:
    """`wanted` of them at equal distances, or all."""
    return places[:: max(1, len(places) // wanted)][:wanted]


def _write(path: Path, places: Sequence[_Place]) -> str:
    with path.open("wb") as out:
        for file, start, end in places:
            with open(file, "rb") as stream:
                stream.seek(start)
                out.write(stream.read(end - start))
    return str(path)
