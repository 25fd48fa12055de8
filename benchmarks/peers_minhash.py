"""datatrove's MinHash deduplication: its signature alone, and its four stages one after the other in this process.

What stays true: the same bands, rows and n-grams as crawlmill's, everything else datatrove's defaults; each stage is
called as its executor calls it, for every rank in turn, without the executor's logs and processes. One thing is put
right: it hands strings to xxhash, which version 4 refuses (datatrove's issue 508); encoded, they hash as they did.
"""

import contextlib
import io
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import xxhash

# It has the logs switched off and the libraries in place that datatrove looks for.
from benchmarks import peers  # isort: skip
from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter
from datatrove.utils.typeshelper import Languages
from datatrove.utils.word_tokenizers import WordTokenizer

from benchmarks.inputs import MINHASH

WORDS: dict[str, Callable[[], str | WordTokenizer]] = {
    "datatrove, its spaCy words": lambda: Languages.english,
    "datatrove, words by str.split": peers.WhiteSpace,
}


def _config() -> MinhashConfig:
    return MinhashConfig(n_grams=MINHASH["ngram"], num_buckets=MINHASH["bands"], hashes_per_bucket=MINHASH["rows"])


def _signature(folder: str, words: str | WordTokenizer) -> MinhashDedupSignature:
    step = MinhashDedupSignature(folder, config=_config(), language=words)
    step._hash_func = _hash
    return step


def _hash(ngram: str) -> int:
    return xxhash.xxh64_intdigest(ngram.encode())


def signer(words: str | WordTokenizer, folder: Path) -> Callable[[Sequence[str]], int]:
    """What signs texts in memory; nothing is written to `folder`, which datatrove wants to know."""
    step = _signature(str(folder), words)

    def sign(texts: Sequence[str]) -> int:
        return len([step.get_signature(shingles) for text in texts if len(shingles := step.get_shingles(text))])

    return sign


def deduplicate(files: Path, words: str | WordTokenizer, root: Path) -> dict[str, float]:
    """Read the JSON lines in `files` and write what stays to `root`/kept; seconds by stage."""
    signatures, buckets, clusters = (str(root / name) for name in ("signatures", "buckets", "clusters"))
    config = _config()
    stages: dict[str, tuple[list[PipelineStep], int]] = {
        "1 signatures": ([JsonlReader(str(files)), _signature(signatures, words)], 1),
        # A rank a band.
        "2 buckets": ([MinhashDedupBuckets(signatures, buckets, config=config)], config.num_buckets),
        "3 clusters": ([MinhashDedupCluster(buckets, clusters, config)], 1),
        "4 filter": ([JsonlReader(str(files)), MinhashDedupFilter(clusters), JsonlWriter(str(root / "kept"))], 1),
    }
    seconds: dict[str, float] = {}
    # One stage shows a bar of its progress.
    with contextlib.redirect_stderr(io.StringIO()):
        for name, (steps, ranks) in stages.items():
            start = time.perf_counter()
            for rank in range(ranks):
                _execute(steps, rank, ranks)
            seconds[name] = time.perf_counter() - start
    return seconds


def _execute(steps: Sequence[PipelineStep], rank: int, ranks: int) -> None:
    """As datatrove's executor: each step gets what the one before it gives, and the last is run to its end."""
    data = None
    for step in steps:
        data = step(data, rank, ranks)
    for _ in data or ():
        pass
