"""Documents to find duplicates among, made of real pages: exact copies, near copies at planned distances, and others.

In come the pages' texts; out come JSON lines in several files, and what each line was made as. What stays true: the
same texts, number and seed give the same bytes; a corpus of more documents has the same shares of each kind and about
as many copies of a page, as long as there are pages, so a small one stands for a large one.
"""

import gzip
import itertools
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray

from benchmarks.inputs import MINHASH

# A page once, the same again, some of its words changed, and sentences of several pages, unlike any other document.
ORIGINAL, EXACT, NEAR, DIFFERENT = KINDS = ("original", "exact", "near", "different")
# Of the documents that are no originals.
SHARES = {EXACT: 0.15, NEAR: 0.35, DIFFERENT: 0.5}
# What near copies are planned to have in common with their page; exact copies are the last step, 1.
JACCARDS = tuple(step / 20 for step in range(10, 20))
# Documents to an original: half of them are of other kinds of page, so a page comes about ten times.
FAMILY = 20
FILES = 8
# Pages that a document of the kind `DIFFERENT` takes its sentences from.
MIXED = 8
# A table or a list has no full stop; a run of so many words ends there.
SENTENCE = 30

_PIECE = re.compile(r"\S+\s+")
_END = re.compile(r"[.!?]\s+$|\n")


@dataclass(frozen=True)
class Made:
    """What a document was made as: its kind, the number of its page, and the Jaccard similarity it was meant to have
    with that page; None and 0 where it is of no single page.
    """

    kind: str
    page: int | None
    jaccard: float


class Mutations:
    """Makes documents of `texts`, all by the same generator of random numbers."""

    def __init__(self, texts: Sequence[str], random: Random) -> None:
        self.random = random
        self.pages = [pieces(text) for text in texts]

    @cached_property
    def sentences(self) -> list[list[list[str]]]:
        """Of each page."""
        return [list(_sentences(page)) for page in self.pages]

    def word(self) -> str:
        """Any word of any page."""
        return self.random.choice(self.random.choice(self.pages))

    def edited(self, words: Sequence[str], jaccard: float) -> list[str]:
        """The words with some of them replaced, deleted or followed by a new one: at least one, and so many that about
        `jaccard` of the n-grams stay common. What it came to has to be counted.
        """
        out = list(words)
        edits = max(1, round(_share_edited(jaccard) * len(words)))
        for place in self.random.sample(range(len(words)), min(edits, len(words))):
            change = self.random.randrange(3)
            out[place] = (self.word(), "", out[place] + self.word())[change]
        return out

    def different(self, length: int) -> list[str]:
        """Sentences of several pages in random order, until there are `length` words, or fewer if they have no more."""
        chosen = self.random.sample(range(len(self.pages)), min(MIXED, len(self.pages)))
        sentences = [sentence for page in chosen for sentence in self.sentences[page]]
        self.random.shuffle(sentences)
        out: list[str] = []
        for sentence in sentences:
            if len(out) >= length:
                break
            out += sentence
        return out[:length]


def pieces(text: str) -> list[str]:
    """The words of a text, each with the white space after it, so that joined they are the text."""
    return _PIECE.findall(text.strip() + "\n")


def text_of(words: Sequence[str]) -> str:
    return "".join(words).strip()


def _sentences(words: Sequence[str]) -> Iterator[list[str]]:
    sentence: list[str] = []
    for word in words:
        sentence.append(word)
        if _END.search(word) or len(sentence) == SENTENCE:
            yield sentence
            sentence = []
    if sentence:
        yield sentence


def _share_edited(jaccard: float) -> float:
    """The share of words to change for that similarity.

    If a share s of both texts' n-grams is common, their similarity is s / (2 - s). A replaced or a deleted word breaks
    `ngram` of them and an inserted one breaks one fewer, and an n-gram is whole if none of those changes hit it.
    """
    common = 2 * jaccard / (1 + jaccard)
    broken = MINHASH["ngram"] - 1 / 3
    return float(1 - common ** (1 / broken))


def plan(pages: int, documents: int, random: Random) -> list[Made]:
    """What to make of so many pages, in the order of the documents: kinds and pages are spread over all of it."""
    originals = min(pages, max(1, documents // FAMILY))
    chosen = random.sample(range(pages), originals)
    made = [Made(ORIGINAL, page, 1.0) for page in chosen]
    for kind in random.choices(list(SHARES), list(SHARES.values()), k=documents - originals):
        if kind == DIFFERENT:
            made.append(Made(kind, None, 0.0))
        else:
            made.append(Made(kind, random.choice(chosen), 1.0 if kind == EXACT else random.choice(JACCARDS)))
    random.shuffle(made)
    return made


@dataclass(frozen=True)
class Corpus:
    """Documents as texts, as files of JSON lines in `folder`, and, where that was planned, what each was made as."""

    folder: Path
    texts: list[str]
    made: list[Made]
    starts: list[int]

    @property
    def files(self) -> list[str]:
        return [str(self.folder / f"{number:05d}.jsonl.gz") for number in range(len(self.starts))]

    def numbers(self, ids: NDArray[np.uint64]) -> NDArray[np.int64]:
        """The places in `texts` of documents by crawlmill's ids, where the files are all of the recipe's."""
        row = ids & np.uint64(0xFFFFFFFF)
        return np.array(self.starts, np.int64)[(ids >> np.uint64(32)).astype(np.int64)] + row.astype(np.int64)


def corpus(pages: Sequence[str], documents: int, seed: int, folder: Path) -> Corpus:
    """Make and write that many documents. About a minute for 50,000."""
    random = Random(seed)
    made = plan(len(pages), documents, random)
    mutations = Mutations(pages, random)
    return write(folder, [_make(mutations, pages, each) for each in made], made)


def _make(mutations: Mutations, pages: Sequence[str], made: Made) -> str:
    if made.page is None:
        return text_of(mutations.different(len(mutations.random.choice(mutations.pages))))
    if made.kind == NEAR:
        return text_of(mutations.edited(mutations.pages[made.page], made.jaccard))
    return pages[made.page]


def write(folder: Path, texts: list[str], made: list[Made]) -> Corpus:
    """Write texts in order to `FILES` files of about as many each; a document's id is its place."""
    folder.mkdir(parents=True)
    bounds = [number * len(texts) // FILES for number in range(FILES + 1)]
    written = Corpus(folder, texts, made, bounds[:-1])
    for path, (start, end) in zip(written.files, itertools.pairwise(bounds), strict=True):
        # No name and no time in the header: the same documents are the same bytes.
        with open(path, "wb") as file, gzip.GzipFile("", "wb", 1, file, mtime=0) as out:
            for number in range(start, end):
                row = {"id": f"{number:08d}", "text": texts[number]}
                out.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
    return written
