"""Deduplication on one core: MinHash signatures against datasketch and datatrove, and all of it against datatrove."""

import gzip
import json
import statistics
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from benchmarks import mutations, peers_minhash, verdicts
from benchmarks.inputs import MINHASH, THRESHOLD, Inputs
from benchmarks.libraries import datasketch_signatures
from benchmarks.mutations import Corpus
from benchmarks.results import SPREAD, Table
from benchmarks.timing import Rounds, interleave
from kernels.signatures import band_hashes
from kernels.texts import Texts
from pipeline.read import BATCH

OURS, ALL = "crawlmill", "crawlmill, all documents"
DATASKETCH = "datasketch"
# Peers take some ten thousandths to hundredths of a second a document.
PEER_DOCUMENTS = 2000
WARM_UP = 50
SEED = 0
# Gopher's least: what is shorter is no page, and two such mixtures may well be the same.
MIN_WORDS = 50
TOTAL = "all of it"

# Where the result is, and seconds by stage.
Outcome = tuple[Path, dict[str, float]]
Result = TypeVar("Result")


def run(inputs: Inputs) -> list[Table]:
    pages = [text for text in inputs.all_english if len(text.split()) >= MIN_WORDS]

    def made(documents: int, name: str) -> Corpus:
        return mutations.corpus(pages, documents, SEED, inputs.folder / name)

    whole = made(inputs.documents, "all")
    few = made(min(inputs.documents, PEER_DOCUMENTS), "some")
    warm_up = made(WARM_UP, "warm-up")
    return [
        _signatures(inputs, whole.texts, few.texts, warm_up.texts),
        *_deduplications(inputs, whole, whole if inputs.full_peers else few, warm_up),
    ]


def _signatures(inputs: Inputs, whole: list[str], few: list[str], warm_up: list[str]) -> Table:
    datatrove = {name: peers_minhash.signer(words(), inputs.folder) for name, words in peers_minhash.WORDS.items()}
    sides: dict[str, Callable[[Sequence[str]], int]] = {OURS: sign, DATASKETCH: _datasketch, **datatrove}
    rounds = interleave(sides, few, inputs.repeats, warm_up)
    rounds |= interleave({ALL: sign}, whole, inputs.repeats, warm_up)
    columns = {"documents": ",d", "kB a document": ",.1f", **_SPEED}
    rows: dict[str, dict[str, float]] = {}
    for name, side in rounds.items():
        texts = whole if name == ALL else few
        size = sum(len(text.encode()) for text in texts) / len(texts) / 1000
        rows[name] = {"documents": side.results[-1], "kB a document": size, **_speed(len(texts), side)}
    note = (
        f"One core, texts in memory, {MINHASH['bands']} bands of {MINHASH['rows']} over {MINHASH['ngram']}-grams; the "
        "ratio is how many times as many documents per second crawlmill signs, of the same documents and of all. "
        "crawlmill: finding the words, signatures, band hashes. datasketch: update_batch on the n-grams of lower-cased "
        "str.split words. datatrove: get_shingles and get_signature of MinhashDedupSignature, nothing written."
    )
    return Table("MinHash signatures", note, columns, _with_ratios(rows))


def sign(texts: Sequence[str]) -> int:
    """Sign in batches, as the pipeline does."""
    batches = (Texts.of(texts[start : start + BATCH]) for start in range(0, len(texts), BATCH))
    return sum(len(band_hashes(batch, **MINHASH)) for batch in batches)


def _datasketch(texts: Sequence[str]) -> int:
    return datasketch_signatures(texts, MINHASH["bands"] * MINHASH["rows"])


def _deduplications(inputs: Inputs, whole: Corpus, few: Corpus, warm_up: Corpus) -> list[Table]:
    def root() -> Path:
        return Path(tempfile.mkdtemp(dir=inputs.folder))

    def datatrove(side: str) -> Callable[[Corpus], Outcome]:
        def deduplicate(corpus: Corpus) -> Outcome:
            out = root()
            return out / "kept", peers_minhash.deduplicate(corpus.folder, peers_minhash.WORDS[side](), out)

        return deduplicate

    def ours(corpus: Corpus) -> Outcome:
        return verdicts.deduplicate(corpus.files, root())

    sides = {OURS: ours, **{name: datatrove(name) for name in peers_minhash.WORDS}}
    rounds = interleave(sides, few, inputs.repeats, warm_up)
    if whole is not few:
        rounds |= interleave({ALL: ours}, whole, inputs.repeats, warm_up)
    given = {name: whole if name == ALL else few for name in rounds}
    return [_whole(given, rounds), _stages(given, rounds)]


def _whole(given: Mapping[str, Corpus], rounds: Mapping[str, Rounds[Outcome]]) -> Table:
    rows: dict[str, dict[str, float]] = {}
    for name, side in rounds.items():
        removed = _removed(given[name], side.results[-1][0], name in (OURS, ALL))
        documents = len(given[name].texts)
        by_kind = {kind: removed[kind] for kind in mutations.KINDS}
        rows[name] = {
            "documents": documents,
            "removed": removed.total(),
            **by_kind,
            **_speed(documents, side),
        }
    counted = ("documents", "removed", *mutations.KINDS)
    columns = {**dict.fromkeys(counted, ",d"), **_SPEED}
    note = (
        "One core, one process, JSON lines to JSON lines or Parquet; removed, and how many of each kind. Half of the "
        "documents are of mixed sentences, `different` from all others; the rest are pages, about ten times each: the "
        "original, exact copies, and near copies at Jaccard similarities planned from "
        f"{mutations.JACCARDS[0]} to {mutations.JACCARDS[-1]}. crawlmill: `run` of a recipe with exact and MinHash "
        f"deduplication, candidates verified at {THRESHOLD}. datatrove: MinhashDedupSignature, Buckets, Cluster and "
        "Filter with JsonlReader and JsonlWriter, which remove all that is joined by a chain of candidates, "
        "unverified. The ratio is of documents per second."
    )
    return Table("Deduplication", note, columns, _with_ratios(rows))


def _removed(corpus: Corpus, result: Path, ours: bool) -> Counter[str]:
    """How many documents of each kind a side removed."""
    if ours:
        gone = verdicts.removed(corpus, result)["number"].to_numpy()
    else:
        kept = []
        for path in result.iterdir():
            with gzip.open(path) as file:
                kept += [int(json.loads(line)["id"]) for line in file]
        gone = np.setdiff1d(np.arange(len(corpus.texts)), kept)
    return Counter(corpus.made[number].kind for number in gone)


def _stages(given: Mapping[str, Corpus], rounds: Mapping[str, Rounds[Outcome]]) -> Table:
    rows: dict[str, dict[str, float]] = {}
    for name, side in rounds.items():
        per_document = 1e6 / len(given[name].texts)
        for stage in side.results[0][1]:
            seconds = statistics.median(outcome[1][stage] for outcome in side.results)
            rows.setdefault(stage, {})[name] = seconds * per_document
    rows[TOTAL] = {name: side.median * 1e6 / len(given[name].texts) for name, side in rounds.items()}
    note = "Microseconds a document. crawlmill's are its steps, datatrove's its numbered stages; each writes its files."
    return Table("Deduplication, by stage", note, dict.fromkeys(rounds, ",.1f"), rows)


_SPEED = {"documents per second": ",.0f", "ratio": ",.1f", "ratio, all documents": ",.1f", **SPREAD}


def _speed(documents: int, side: Rounds[Result]) -> dict[str, float]:
    return {"documents per second": documents / side.median, "slowest/fastest": side.spread}


def _with_ratios(rows: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """Each peer's row with how many times as fast crawlmill is, on the same documents and on all."""
    for name, row in rows.items():
        if name in (OURS, ALL):
            continue
        for column, ours in (("ratio", OURS), ("ratio, all documents", ALL)):
            if ours in rows:
                row[column] = rows[ours]["documents per second"] / row["documents per second"]
    return rows
