"""Language models for perplexity, trained: reference texts in, a SentencePiece model and an n-gram model over its
pieces out, with what they were made of and how they do on texts that were held out.

What stays true: equal texts count once, what is held out goes by hashes of texts, and nothing depends on their order.
"""

import hashlib
import io
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sentencepiece
import xxhash
from numpy.typing import NDArray

from corpus import storage
from corpus.hashing import keyed
from filters import kneser_ney
from filters.perplexity import ARPA, BINARY, PIECES, PerplexityModel, forget, need_kenlm
from kernels.ccnet_normal import normalise
from kernels.texts import Texts

MANIFEST = "model.json"
# CCNet's.
ORDER, VOCABULARY, CHARACTER_COVERAGE = 5, 65_536, 0.9995
# KenLM reads no longer n-grams unless it is compiled to.
MOST_ORDER = 6
HELD_OUT = 0.01
# Pieces are learnt of so many lines at most; SentencePiece takes a few hundred bytes for each.
MOST_LINES = 2_000_000
# SentencePiece passes over what is longer.
_LONGEST_LINE = 1 << 20
# So many characters without a space are no word, and no sentence in scripts without spaces. SentencePiece takes .3 ms
# for each of them and more, minutes for an encoded picture.
_LONGEST_WORD = 4096
_CHUNK = 100_000


@dataclass(frozen=True)
class Reference:
    """Different texts in the order of their hashes, those to train on and those held out, and a SHA-256 of both."""

    known: list[str]
    held_out: list[str]
    sha256: str

    @classmethod
    def of(cls, texts: Iterable[str], held_out: float = HELD_OUT) -> "Reference":
        by_hash = {xxhash.xxh3_128_digest(text.encode()): text for text in texts}
        hashes = sorted(by_hash)
        numbers = np.frombuffer(b"".join(hashes), "<u8")[::2].astype(np.uint64)
        apart = keyed(numbers, "perplexity held out") < np.uint64(int(held_out * 2**64))
        known, unseen = ([by_hash[hashes[row]] for row in np.flatnonzero(side)] for side in (~apart, apart))
        return cls(known, unseen, hashlib.sha256(b"".join(hashes)).hexdigest())


def train(
    reference: Reference,
    folder: str,
    language: str,
    order: int = ORDER,
    vocabulary: int = VOCABULARY,
    say: Callable[[str], None] = lambda step: None,
) -> dict[str, Any]:
    """Write the two files of `language` into `folder`, then its entry in model.json, and return that.

    `say` is told what begins. Raises ValueError where there is no text, too few pieces for its characters, another
    n-gram model of the language in the folder, a label that names no file, or no KenLM.
    """
    need_kenlm()
    if not language or "/" in language:
        raise ValueError(f'"{language}" cannot begin the name of a file; give a label such as en')
    if language + BINARY in storage.list_folder(folder):
        raise ValueError(f"{folder} has {language}{BINARY}, which would be read instead; remove it, or name another")
    say("normalise")
    lines = list(_lines(reference.known))
    if not lines:
        raise ValueError(f"no text in {language} to train on; give more, or another language")
    say("pieces")
    data = _pieces(lines, vocabulary)
    processor = sentencepiece.SentencePieceProcessor(model_proto=data)
    say("cut")
    stream = _stream(lines, processor)
    say("n-grams")
    orders = kneser_ney.estimate(stream, order)
    say("write")
    names = [processor.id_to_piece(number) for number in range(processor.get_piece_size())]
    files = storage.join(folder, language + PIECES), storage.join(folder, language + ARPA)
    # A file without the other is refused, so that whoever stops this leaves no pair of an old one and a new one.
    storage.remove_tree(files[0])
    with storage.open_write(files[1]) as file:
        kneser_ney.write_arpa(file, orders, names)
    storage.write_bytes(files[0], data)
    say("measure")
    entry = {
        "order": order,
        "vocabulary": len(names),
        "character_coverage": CHARACTER_COVERAGE,
        "texts": len(reference.known),
        "lines": len(lines),
        "tokens": int((stream > kneser_ney.BEGIN).sum()),
        "ngrams": [len(each.probability) for each in orders],
        "discounts": [each.discounts for each in orders],
        "discounts_by_fallback": [n for n, each in enumerate(orders, 1) if each.by_fallback],
        "sha256": reference.sha256,
        "sentencepiece": sentencepiece.__version__,
        "held_out": _measured(reference.held_out, files, language),
    }
    _add_entry(folder, language, entry)
    return entry


def _lines(texts: Sequence[str]) -> Iterator[str]:
    """The lines of the texts as the models know them, without blank ones."""
    for start in range(0, len(texts), 1000):
        for text in normalise(Texts.of(texts[start : start + 1000])).to_list():
            yield from filter(None, map(str.strip, text.split("\n")))


def _pieces(lines: Sequence[str], vocabulary: int) -> bytes:
    """A SentencePiece model: unigram, with at most `vocabulary` pieces, fewer where there is little text."""
    if len(lines) > MOST_LINES:
        drawn = keyed(np.arange(len(lines), dtype=np.uint64), "perplexity pieces")
        lines = [lines[row] for row in np.sort(np.argsort(drawn, kind="stable")[:MOST_LINES])]
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=map(_without_blobs, lines),
            model_writer=model,
            model_type="unigram",
            vocab_size=vocabulary,
            hard_vocab_limit=False,
            character_coverage=CHARACTER_COVERAGE,
            max_sentence_length=_LONGEST_LINE,
            unk_id=kneser_ney.UNKNOWN,
            bos_id=kneser_ney.BEGIN,
            eos_id=kneser_ney.END,
            # With another number the last bits of its sums differ.
            num_threads=1,
            minloglevel=2,
        )
    except RuntimeError as error:
        raise ValueError(f"SentencePiece cannot make {vocabulary:,} pieces of this text: {error}") from error
    return model.getvalue()


def _without_blobs(line: str) -> str:
    if len(line) <= _LONGEST_WORD:
        return line
    return " ".join(word for word in line.split() if len(word) <= _LONGEST_WORD)


def _stream(lines: Sequence[str], processor: Any) -> NDArray[np.int32]:
    """The ids of all lines for `kneser_ney.estimate`. What is no piece is left out, as lmplz skips symbols: how
    likely it is is not learnt.
    """
    begin, end = np.array([kneser_ney.BEGIN], np.int32), np.array([kneser_ney.END], np.int32)
    parts = []
    for start in range(0, len(lines), _CHUNK):
        for ids in processor.encode(list(lines[start : start + _CHUNK]), out_type="numpy", num_threads=1):
            parts += [begin, ids[ids > kneser_ney.END].astype(np.int32), end]
    return np.concatenate(parts)


def _measured(texts: Sequence[str], files: tuple[str, str], language: str) -> dict[str, Any]:
    """How many texts were held out, and the median of their perplexities: as they are, and with each one's words
    in another order; None where there is none.
    """
    model = PerplexityModel({language: files})
    medians = {}
    for name, those in (("perplexity", texts), ("perplexity_shuffled", [_shuffled(text) for text in texts])):
        found = model.score(Texts.of(those, [language] * len(those)))
        found = found[~np.isnan(found)]
        medians[name] = round(float(np.median(found)), 2) if len(found) else None
    forget()
    return {"texts": len(texts), **medians}


def _shuffled(text: str) -> str:
    words = text.split()
    random.Random(len(words)).shuffle(words)
    return " ".join(words)


def _add_entry(folder: str, language: str, entry: dict[str, Any]) -> None:
    path = storage.join(folder, MANIFEST)
    known = storage.read_json(path)["languages"] if storage.exists(path) else {}
    storage.write_json(path, {"languages": {**known, language: entry}})
