"""crawlmill's stages against plain loops over the libraries that one would reach for."""

from collections.abc import Callable, Sequence
from typing import Any

from datasketch import MinHash
from fastwarc.warc import ArchiveIterator, WarcRecordType
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.encoding import bytes_to_str, detect_encoding
from tokenizers import Tokenizer

from benchmarks.inputs import EOS, VOCABULARY, Inputs
from benchmarks.results import Table
from benchmarks.timing import interleave
from kernels.signatures import band_hashes
from kernels.texts import Texts
from mixtures import tokenizer
from sources.extract import extract
from sources.pages import Page
from sources.warc import read_warc

WARM_UP = 20
BANDS, ROWS, NGRAM = 16, 8, 5  # 128 permutations

COLUMNS = {"items": ",d", "library's items": ",d", "crawlmill, µs": ",.1f", "library, µs": ",.1f", "ratio": ",.2f"}
Row = dict[str, float]


def run(inputs: Inputs) -> list[Table]:
    texts = inputs.english
    pairs: dict[str, tuple[Callable[[Any], int], Callable[[Any], int], Any, Any]] = {
        "read and extract: FastWARC, resiliparse": (_read_extract, _resiliparse, inputs.sample, inputs.warm_up),
        "MinHash, 128 permutations: datasketch": (_band_hashes, _datasketch, texts, texts[:WARM_UP]),
        "tokens: HF tokenizers": (*_encoders(inputs.tokenizer), texts, texts[:WARM_UP]),
    }
    rows = {name: _compare(*pair, inputs.repeats) for name, pair in pairs.items()}
    note = (
        "Microseconds an item, median, one core; the ratio is the library's time over crawlmill's. Reading: FastWARC's "
        "iterator, the body decoded as its charset detection says, extract_plain_text, against read_warc and extract "
        "on the same file, items being pages. MinHash: datasketch's update_batch on lower-cased 5-grams of str.split "
        f"words, against {BANDS} bands of {ROWS}. Tokens: encode_batch, a vocabulary of up to {VOCABULARY:,}. The last "
        "two on English texts in memory."
    )
    return [Table("Plain libraries", note, COLUMNS, rows)]


def _compare(ours: Callable[[Any], int], theirs: Callable[[Any], int], data: Any, warm_up: Any, repeats: int) -> Row:
    rounds = interleave({"ours": ours, "theirs": theirs}, data, repeats, warm_up)
    items, library_items = rounds["ours"].results[-1], rounds["theirs"].results[-1]
    return {
        "items": items,
        "library's items": library_items,
        "crawlmill, µs": rounds["ours"].median / items * 1e6,
        "library, µs": rounds["theirs"].median / library_items * 1e6,
        "ratio": rounds["theirs"].median / rounds["ours"].median,
    }


def _read_extract(file: str) -> int:
    return len([extract(item.body, "resiliparse") for item in read_warc(file) if isinstance(item, Page)])


def _resiliparse(file: str) -> int:
    texts = []
    with open(file, "rb") as stream:
        for record in ArchiveIterator(stream, record_types=WarcRecordType.response):
            if not record.http_headers or record.http_headers.status_code != 200:
                continue
            body = record.reader.read()
            html = bytes_to_str(body, detect_encoding(body) or "utf-8")
            texts.append(
                extract_plain_text(html, main_content=True, comments=False, alt_texts=False, list_bullets=False)
            )
    return len(texts)


def _band_hashes(texts: Sequence[str]) -> int:
    return len(band_hashes(Texts.of(texts), BANDS, ROWS, NGRAM))


def _datasketch(texts: Sequence[str]) -> int:
    return datasketch_signatures(texts, BANDS * ROWS)


def datasketch_signatures(texts: Sequence[str], permutations: int) -> int:
    """Sign the lower-cased 5-grams of `str.split` words; how many texts were signed."""
    digests = []
    for text in texts:
        words = text.lower().split()
        signature = MinHash(num_perm=permutations)
        signature.update_batch([" ".join(words[n : n + NGRAM]).encode() for n in range(len(words) - NGRAM + 1)])
        digests.append(signature.digest())
    return len(digests)


def _encoders(path: str) -> tuple[Callable[[Sequence[str]], int], Callable[[Sequence[str]], int]]:
    ours = tokenizer.load(path, EOS)
    theirs = Tokenizer.from_file(path)
    # As ours: a page that writes out the name of a special token has written a text.
    theirs.encode_special_tokens = True
    return (
        lambda texts: len(ours.encode_batch(Texts.of(texts))[0]),
        lambda texts: sum(len(encoding.ids) for encoding in theirs.encode_batch(texts)),
    )
