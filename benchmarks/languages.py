"""Language identification, on the Universal Declaration of Human Rights in some 300 languages (NLTK's udhr2.zip).

Each declaration is cut into pieces of 100, 300 and 1,000 characters. Its file's name says which language it is in;
where the model has a label for that language a piece is right or wrong, and where it has none, what it says instead is
a mistake that no bound on languages can see, only one on the probability.
"""

import time
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.inputs import ROOT, Inputs
from benchmarks.results import Table
from filters.language import identify, known_languages
from filters.make_languages import FILES

ARCHIVE = ROOT.parent / "shared/data/udhr/udhr2.zip"
LENGTHS = (100, 300, 1000)
# Titles and publishers' notes come first, in English often enough.
SKIPPED = 300
# Pieces of a declaration, spread over it.
MOST_PIECES = 30
MIN_SCORE = 0.65
BAD, WORST = 0.9, 25

# What make_languages has no use for: a second script, spelling or country is by its first three letters what the first
# is; these have a label and too bad a text, or none that is cut into articles. Of several Quechuas lid.176 knows one.
_MORE = dict(
    entry.split(":")
    for entry in (
        "amh:am bho:bh bod:bo bre:br nhn:nah oss:os pbu:ps quy:qu quz:qu qud:qu qug:qu qva:qu qvc:qu qvh:qu qvm:qu "
        "qvn:qu qwh:qu qxn:qu qxu:qu qxa:qu uig:ug pnb:pnb vec:vec"
    ).split()
)
_LABELS = {file.split("_")[0]: label for label, file in FILES.items() if label != "sh"} | _MORE


@dataclass(frozen=True)
class Declaration:
    """`name` is the file's, `label` the model's for its language or None where it has none."""

    name: str
    label: str | None
    text: str


def declarations(archive: Path, known: Sequence[str]) -> list[Declaration]:
    """Every declaration, its letters composed, white space as single spaces."""
    found = []
    with zipfile.ZipFile(archive) as files:
        for path in sorted(name for name in files.namelist() if name.endswith(".txt")):
            text = unicodedata.normalize("NFC", files.read(path).decode("utf-8-sig"))
            stem = Path(path).stem
            label = _LABELS.get(stem.split("_")[0])
            found.append(Declaration(stem, label if label in known else None, " ".join(text.split())[SKIPPED:]))
    return found


def pieces(text: str, length: int) -> list[str]:
    """At most MOST_PIECES whole pieces, as far apart as the text allows."""
    starts = range(0, len(text) - length + 1, length)
    step = max(1, len(starts) // MOST_PIECES)
    return [text[start : start + length] for start in starts[::step][:MOST_PIECES]]


@dataclass(frozen=True)
class Judged:
    """What the model says of the pieces of one declaration."""

    declaration: Declaration
    labels: Sequence[str]
    scores: Sequence[float]

    @property
    def accuracy(self) -> float:
        return float(np.mean([label == self.declaration.label for label in self.labels]))


def judge(texts: Sequence[Declaration], length: int) -> tuple[list[Judged], float]:
    """Every declaration that is long enough, and the seconds a piece took."""
    cut = [(text, pieces(text.text, length)) for text in texts]
    flat = [piece for _, some in cut for piece in some]
    identify(flat[:10])
    start = time.process_time()
    labels, scores = identify(flat)
    seconds = (time.process_time() - start) / len(flat)
    judged, at = [], 0
    for text, some in cut:
        if some:
            judged.append(Judged(text, labels[at : at + len(some)], scores[at : at + len(some)].tolist()))
        at += len(some)
    return judged, seconds


def run(inputs: Inputs) -> list[Table]:
    if not ARCHIVE.exists():
        return [
            Table("Languages", f"Not measured: it needs {ARCHIVE.name}, which is not part of the repository.", {}, {})
        ]
    texts = declarations(ARCHIVE, known_languages())
    judged = {length: judge(texts, length) for length in LENGTHS}
    return tables({length: found for length, (found, _) in judged.items()}, {n: s for n, (_, s) in judged.items()})


def tables(judged: Mapping[int, Sequence[Judged]], seconds: Mapping[int, float]) -> list[Table]:
    known = {n: [one for one in found if one.declaration.label] for n, found in judged.items()}
    unknown = {n: [one for one in found if not one.declaration.label] for n, found in judged.items()}
    return [
        _overall(known, unknown, seconds),
        _by_language(known),
        _confusions(known[300]),
        _instead(unknown[1000]),
    ]


def _overall(
    known: Mapping[int, Sequence[Judged]], unknown: Mapping[int, Sequence[Judged]], seconds: Mapping[int, float]
) -> Table:
    rows = {}
    for length, found in known.items():
        each = [one.accuracy for one in found]
        sure = [(label == one.declaration.label) for one in found for label, _ in _sure(one)]
        said = [sum(1 for _ in _sure(one)) / len(one.labels) for one in unknown[length]]
        rows[f"{length:,} characters"] = {
            "files": len(found),
            "accuracy": float(np.mean(each)),
            "all right": sum(one == 1 for one in each),
            "under half": sum(one < 0.5 for one in each),
            f"right from {MIN_SCORE}": float(np.mean(sure)),
            "unknown files": len(unknown[length]),
            f"unknown from {MIN_SCORE}": float(np.mean(said)),
            "µs a text": seconds[length] * 1e6,
        }
    shares = dict.fromkeys(("accuracy", f"right from {MIN_SCORE}", f"unknown from {MIN_SCORE}"), ".1%")
    counts = dict.fromkeys(("files", "all right", "under half", "unknown files"), ",d")
    columns = {name: {**shares, **counts, "µs a text": ".0f"}[name] for name in next(iter(rows.values()))}
    note = (
        "The Universal Declaration of Human Rights, a file a language and script, the mean over files; lid.176.ftz. "
        f'"right from {MIN_SCORE}": of the pieces with that probability and a language the model has; "unknown from '
        f'{MIN_SCORE}": the share of pieces in other languages that it gives some label with that probability.'
    )
    return Table("Languages: all", note, columns, rows)


def _sure(one: Judged) -> list[tuple[str, float]]:
    return [(label, score) for label, score in zip(one.labels, one.scores, strict=True) if score >= MIN_SCORE]


def _by_language(known: Mapping[int, Sequence[Judged]]) -> Table:
    accuracy = {n: {one.declaration.name: one.accuracy for one in found} for n, found in known.items()}
    labels = {one.declaration.name: one.declaration.label for one in known[min(known)]}
    names = sorted(labels, key=lambda name: (accuracy[300].get(name, 0.0), name))
    rows = {
        f"{labels[name]} ({name})": {f"{n:,}": accuracy[n][name] for n in known if name in accuracy[n]}
        for name in names
        if accuracy[300].get(name, 0.0) < BAD
    }
    note = f"Of {len(labels)} files in languages it has a label for, those with less than {BAD:.0%} at 300 characters."
    return Table("Languages: worst", note, {f"{n:,}": ".0%" for n in known}, rows)


def _confusions(known: Sequence[Judged]) -> Table:
    counts: Counter[tuple[str, str]] = Counter()
    pieces_of: Counter[str] = Counter()
    for one in known:
        name = f"{one.declaration.label} ({one.declaration.name})"
        pieces_of[name] += len(one.labels)
        counts.update((name, label) for label in one.labels if label != one.declaration.label)
    worst = sorted(counts.items(), key=lambda item: (-item[1] / pieces_of[item[0][0]], item[0]))[:WORST]
    rows = {f"{name} as {label or 'nothing'}": {"share": n / pieces_of[name]} for (name, label), n in worst}
    return Table("Languages: confusions", "At 300 characters, of the file's pieces.", {"share": ".0%"}, rows)


def _instead(unknown: Sequence[Judged]) -> Table:
    """What is said of languages without a label, by the label most of a file's pieces get."""
    files: dict[str, list[Judged]] = {}
    for one in unknown:
        [(label, _)] = Counter(sorted(one.labels)).most_common(1)
        files.setdefault(label, []).append(one)
    rows = {
        f"{label}: {', '.join(one.declaration.name for one in some[:6])}": {
            "files": len(some),
            f"from {MIN_SCORE}": float(np.mean([len(_sure(one)) / len(one.labels) for one in some])),
        }
        for label, some in sorted(files.items(), key=lambda item: (-len(item[1]), item[0]))[:WORST]
    }
    note = "At 1,000 characters: the label most pieces of a file get, some of these files, and how often it is sure."
    return Table(
        "Languages: what those without a label are taken for", note, {"files": ",d", f"from {MIN_SCORE}": ".0%"}, rows
    )
