"""Makes languages.yaml: what a rule written for English must know to be fair to another language.

    python -m filters.make_languages udhr2.zip ground_truth.jsonl.gz > filters/languages.yaml

In come the Universal Declaration of Human Rights in many languages (a text file each, as in NLTK's udhr2.zip) and pages
of the web ({"text": ...} a line). Because the thirty articles say the same everywhere, their words and characters can
be counted against English's, and a frequent word is a function word where it stands for English function words: IBM's
Model 1 (Brown et al. 1993) tells which it stands for. What comes out depends on the two files and on lid.176 alone.
docs/languages.md has the reasons for the numbers here.
"""

import gzip
import json
import re
import sys
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import yaml
from numpy.typing import NDArray

from filters import language

ENGLISH = "en"
# The label of lid.176, and the file of its text. Kurdish in Latin letters is what NLTK's ckb holds.
FILES = dict(
    entry.split(":")
    for entry in (
        "af:afr ar:arb ast:ast az:azj_latn bcl:bcl be:bel bg:bul bn:ben bs:bos_latn ca:cat ceb:ceb co:cos "
        "cs:ces cy:cym da:dan de:deu dv:div el:ell_monotonic eml:eml en:eng eo:epo es:spa et:est eu:eus fa:pes_1 "
        "fi:fin fr:fra fy:fri ga:gle gd:gla gl:glg gn:gug gu:guj he:heb hi:hin hr:hrv hsb:hsb ht:hat_kreyol hu:hun "
        "hy:hye ia:ina id:ind ilo:ilo io:ido is:isl it:ita ja:jpn jv:jav ka:kat kk:kaz km:khm kn:kan ko:kor ku:ckb "
        "ky:kir la:lat lb:ltz lo:lao lt:lit lv:lav mai:mai mg:plt min:min mk:mkd ml:mal mn:khk mr:mar ms:mly_latn "
        "mt:mlt my:mya nds:nds ne:nep nl:nld nn:nno no:nob oc:lnc pa:pan pam:pam pl:pol pt:por_PT rm:roh "
        "ro:ron ru:rus sa:san sah:sah sc:src sco:sco sh:srp_latn sk:slk sl:slv so:som sq:als sr:srp_cyrl su:sun "
        "sv:swe sw:swh ta:tam tg:tgk th:tha tk:tuk_latn tl:tgl tr:tur tt:tat tyv:tyv uk:ukr ur:urd uz:uzn_latn "
        "vep:vep vi:vie war:war wa:wln yi:ydd yo:yor zh:cmn_hans"
    ).split()
)
# The articles of two languages must grow and shrink together; below this a file is cut otherwise or has gaps.
MIN_CORRELATION = 0.9

# Gopher's own, so that nothing changes for English.
ENGLISH_STOP_WORDS = ["the", "be", "to", "of", "and", "that", "have", "with"]
FEWEST, MOST = 8, 20
# A stop word's share of all words, and the articles it is in.
MIN_SHARE, MIN_ARTICLES = 0.004, 4
# The score (see `Parallel.scores`) from which a word is taken, and below which it is not even to make up eight.
GOOD_SCORE, LEAST_SCORE = 0.5, 0.2
# Where a language has that many pages, a stop word must be on this share of them.
MIN_PAGES, MIN_PAGE_SHARE = 50, 0.1

_FUNCTION_WORDS = set(
    "a all also among an and any are as at be been before being both but by can could did do does during each either "
    "every for from had has have having he her here him himself his how i if in including into is it its just like "
    "may might more most must neither no nor not of on only or other others our outside same shall she should so some "
    "such than that the their them then there these they this those through to under until upon was we were what when "
    "where whether which while who whom whose will with within without would you after against between".split()
)
# "Everyone has the right to freedom of ..." opens half of the articles, so its words are everywhere together.
_FORMULA = ({"right", "rights"}, {"everyone", "person", "persons"}, {"freedom", "freedoms"})

# How the names of characters begin in scripts that put no spaces between words.
_NO_SPACES = tuple(
    "IDEOGRAPHIC ITERATION MARK|IDEOGRAPHIC NUMBER ZERO|HIRAGANA |THAI |LAO |KHMER |MYANMAR |TAI LE |NEW TAI LUE |"
    "TAI THAM |TAI VIET |AHOM ".split("|")
)


@cache
def _kind(character: str) -> str:
    name = unicodedata.name(character, "")
    if unicodedata.category(character)[0] == "M":
        return "mark"
    if (character.isalpha() and name.startswith(_NO_SPACES)) or "IDEOGRAPH-" in name:
        return "alone"
    return "katakana" if "KATAKANA" in name else "other"


def words(text: str) -> Iterator[str]:
    """The words of a text in any script, those of punctuation alone left out.

    White space parts words; a character of a script that is written without spaces is a word of its own, with the
    marks on it, and a run of Katakana is one: what Unicode's word segmentation (UAX #29) does without a dictionary.
    """
    for part in text.split():
        start, before = 0, "other"
        for place, character in enumerate(part):
            kind = _kind(character)
            if kind == "mark":
                continue
            if place and (kind == "alone" or kind != before):
                yield from _spoken(part[start:place])
                start = place
            before = kind
        yield from _spoken(part[start:])


def _spoken(word: str) -> Iterator[str]:
    if any(map(str.isalnum, word)):
        yield word


@cache
def _bare(word: str) -> str:
    """The word without the punctuation that sticks to it; its combining marks stay."""
    kept = [place for place, character in enumerate(word) if unicodedata.category(character)[0] in "LMN"]
    return word[kept[0] : kept[-1] + 1] if kept else ""


def _sections(text: str) -> list[list[str]]:
    """Headings with the lines below them: what blank lines part, unless it begins with a line too long for one."""
    found: list[list[str]] = []
    # Lists inside an article have blank lines of more spaces around them.
    for part in re.split(r"\n[ \t]{0,3}(?=\n)", text.strip()):
        lines = [line.strip() for line in part.split("\n") if line.strip()]
        if found and lines and len(lines[0]) > 30:
            found[-1] += lines
        elif lines:
            found.append(lines)
    return found


def _articles(text: str, english: Sequence[Sequence[str]] | None = None) -> list[list[str]]:
    """The lines of each of the thirty articles, without headings; none where they cannot be told.

    Titles come before the articles and notes after some, so of all thirty sections in a row it is those whose lengths
    follow the English articles' best.
    """
    bodies = [lines[1:] for lines in _sections(text)]
    if english is None:
        return bodies[-30:]
    lengths = np.array([sum(map(len, body)) for body in bodies], np.float64)
    wanted = np.array([sum(map(len, body)) for body in english], np.float64)
    fits = [_correlation(lengths[start : start + 30], wanted) for start in range(len(bodies) - 29)]
    best = max(range(len(fits)), key=fits.__getitem__, default=None)
    return bodies[best : best + 30] if best is not None and fits[best] >= MIN_CORRELATION else []


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Pearson's; 0.0 where one of them does not vary."""
    a, b = a - a.mean(), b - b.mean()
    scale = np.sqrt((a * a).sum() * (b * b).sum())
    return float((a * b).sum() / scale) if scale > 1e-9 else 0.0


def _without(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """What a straight line on `b` leaves of `a`."""
    a, b = a - a.mean(), b - b.mean()
    rest: NDArray[np.float64] = a - b * ((a * b).sum() / max((b * b).sum(), 1e-300))
    return rest


@dataclass(frozen=True)
class Parallel:
    """The lines of the same thirty articles in two languages."""

    articles: Sequence[Sequence[str]]
    english: Sequence[Sequence[str]]

    @cached_property
    def pairs(self) -> list[tuple[list[str], list[str]]]:
        """The words of one paragraph in both languages, or of an article where it is not cut alike."""
        pairs = []
        for ours, theirs in zip(self.articles, self.english, strict=True):
            if len(ours) != len(theirs):
                ours, theirs = [" ".join(ours)], [" ".join(theirs)]
            for a, b in zip(ours, theirs, strict=True):
                pairs.append(([_bare(word) for word in words(a)], [_bare(word).lower() for word in words(b)]))
        return pairs

    def ratios(self) -> dict[str, float]:
        """Words, their mean length and all characters, to those in English."""
        (n, letters, characters), (n_english, letters_english, characters_english) = (
            _sizes(articles) for articles in (self.articles, self.english)
        )
        return {
            "words": round(n / n_english, 2),
            "word_length": round(letters / n / (letters_english / n_english), 2),
            "characters": round(characters / characters_english, 2),
        }

    def frequent(self) -> list[str]:
        """Lower-case words without digits that could be stop words, most frequent first."""
        counts = Counter(word for ours, _ in self.pairs for word in ours)
        in_articles = Counter(
            word for article in self.articles for word in {_bare(word) for line in article for word in words(line)}
        )
        return [
            word
            for word, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
            if count >= MIN_SHARE * counts.total()
            and in_articles[word] >= MIN_ARTICLES
            and word == word.lower()
            and not any(map(str.isdigit, word))
        ]

    def scores(self, candidates: Iterable[str]) -> dict[str, float]:
        """How sure it is that a word is a function word: its share of them in English, less its tie to the formula.

        The share is of the English words that it stands for. The tie is the correlation of its number in a paragraph
        with that of "right" or another word of the formula, both taken without what the paragraph's length explains.
        """
        shares = function_word_shares(self.pairs)
        lengths = np.array([len(ours) for ours, _ in self.pairs], np.float64)
        formula = [
            _without(np.array([sum(word in group for word in theirs) for _, theirs in self.pairs], np.float64), lengths)
            for group in _FORMULA
        ]
        scores = {}
        for word in candidates:
            counts = np.array([ours.count(word) for ours, _ in self.pairs], np.float64)
            tie = max(_correlation(_without(counts, lengths), group) for group in formula)
            scores[word] = shares[word.lower()] - max(tie, 0.0)
        return scores


def _sizes(articles: Iterable[Sequence[str]]) -> tuple[int, int, int]:
    lines = [line for article in articles for line in article]
    lengths = [len(word) for line in lines for word in words(line)]
    return len(lengths), sum(lengths), sum(map(len, lines))


def function_word_shares(pairs: Sequence[tuple[Sequence[str], Sequence[str]]], rounds: int = 10) -> dict[str, float]:
    """For each word, how much of what it stands for are function words of English, by IBM's Model 1."""
    ours = sorted({word.lower() for words, _ in pairs for word in words})
    # The first English word is none: what stands for it stands for nothing.
    theirs = ["", *sorted({word for _, words in pairs for word in words})]
    place, place_english = ({word: n for n, word in enumerate(known)} for known in (ours, theirs))
    segments = []
    for words_here, english in pairs:
        counts, counts_english = Counter(place[word.lower()] for word in words_here), Counter(["", *english])
        rows = np.ix_(list(counts), [place_english[word] for word in counts_english])
        segments.append((rows, np.array([*counts.values()], float), np.array([*counts_english.values()], float)))
    chances = np.ones((len(ours), len(theirs)))
    for _ in range(rounds):
        expected = np.zeros_like(chances)
        for rows, counted, counted_english in segments:
            weights = chances[rows] * counted_english
            expected[rows] += weights * (counted / weights.sum(axis=1))[:, None]
        chances = expected / np.maximum(expected.sum(axis=0), 1e-300)
    is_function = np.array([word in _FUNCTION_WORDS for word in theirs])
    stands_for = np.maximum(expected[:, 1:].sum(axis=1), 1e-300)
    return dict(zip(ours, (expected[:, is_function].sum(axis=1) / stands_for).tolist(), strict=True))


def stop_words(parallel: Parallel, known: set[str], pages: Sequence[set[str]]) -> list[str]:
    """At most 20 function words, most frequent first; none where there are not eight to be sure enough of.

    `known` are words that tell languages from one another on the web, so hardly one is a lawyer's; `pages` the words of
    each page in this language.
    """
    candidates = parallel.frequent()
    if len(pages) >= MIN_PAGES:
        candidates = [word for word in candidates if sum(word in page for page in pages) >= MIN_PAGE_SHARE * len(pages)]
    scores = parallel.scores(candidates)
    for word in candidates:
        if word in known:
            scores[word] += LEAST_SCORE
    eighth = sorted(scores.values(), reverse=True)[FEWEST - 1 : FEWEST]
    least = max(LEAST_SCORE, min([GOOD_SCORE, *eighth]))
    found = [word for word in candidates if scores[word] >= least][:MOST]
    return found if len(found) >= FEWEST else []


def _pages(path: str) -> dict[str, list[set[str]]]:
    """The words of every page, by the language it is in."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        texts = [json.loads(line)["text"] for line in file]
    labels, _ = language.identify(texts)
    pages: dict[str, list[set[str]]] = {}
    for text, label in zip(texts, labels, strict=True):
        if label != ENGLISH:
            pages.setdefault(label, []).append({_bare(word) for word in words(text)})
    return pages


def make(declarations: str, ground_truth: str) -> Mapping[str, Mapping[str, float | list[str]]]:
    """The entries of languages.yaml, by lid.176's label; none where the articles or stop words are not found."""
    known = set(language.load_model(None).get_words())
    pages = _pages(ground_truth)
    entries: dict[str, dict[str, float | list[str]]] = {
        ENGLISH: {"words": 1.0, "word_length": 1.0, "characters": 1.0, "stop_words": ENGLISH_STOP_WORDS}
    }
    with zipfile.ZipFile(declarations) as archive:
        # Composed, as nearly all of the web is; the Vietnamese is not.
        texts = {
            label: unicodedata.normalize("NFC", archive.read(f"udhr2/{name}.txt").decode("utf-8-sig"))
            for label, name in FILES.items()
        }
    english = _articles(texts.pop(ENGLISH))
    for label, text in texts.items():
        parallel = Parallel(_articles(text, english), english)
        if parallel.articles and (chosen := stop_words(parallel, known, pages.get(label, []))):
            entries[label] = {**parallel.ratios(), "stop_words": chosen}
    return dict(sorted(entries.items()))


def to_yaml(entries: Mapping[str, Mapping[str, float | list[str]]]) -> str:
    return "# Made by filters/make_languages.py, which says how; do not edit.\n" + yaml.safe_dump(
        entries, allow_unicode=True, default_flow_style=None, sort_keys=False, width=120
    )


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    sys.stdout.write(to_yaml(make(*sys.argv[1:])))
