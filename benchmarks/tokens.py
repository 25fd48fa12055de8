"""Tokens by crawlmill and by the libraries that give the same ids: how fast, and whether they do.

On all pages' texts, in any language, and on texts that were made to break tokenizers. Whoever gives other ids than
Hugging Face's tokenizers has a number of documents in the last column, and if it is crawlmill, the command fails.
"""

import importlib
import importlib.util
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tiktoken
from numpy.typing import NDArray
from tokenizers import Tokenizer

from benchmarks import adversarial
from benchmarks.inputs import EOS, VOCABULARY, Inputs
from benchmarks.results import SPREAD, Table
from benchmarks.timing import Rounds, interleave
from kernels.texts import Texts
from mixtures import byte_level
from mixtures.byte_level import GPT2, LLAMA3, O200K, splitter_of
from mixtures.json_tokenizer import JsonTokenizer, train
from pipeline.tokenize import ENCODE_BATCH

WARM_UP = 20
ADVERSARIAL_CHARACTERS = 10_000_000
DIFFER = "documents whose ids differ from HF's"
COLUMNS = {"documents": ",d", "MB/s": ",.1f", "times HF": ",.1f", DIFFER: ",d", **SPREAD}
HARD_COLUMNS = {"MB": ",.1f", "HF, s": ",.2f", "crawlmill, s": ",.2f", "times HF": ",.1f", DIFFER: ",d"}

Ids = Sequence[Sequence[int]]
# Encodes documents; what comes back is made into lists when the clock has stopped.
Encode = Callable[[Sequence[str]], Any]


def run(inputs: Inputs) -> list[Table]:
    texts = inputs.texts
    own: str = train(iter(texts), VOCABULARY, EOS).to_str()
    others = {"GPT-2's pattern": GPT2, "Llama 3's pattern": LLAMA3, "GPT-4o's pattern": O200K}
    made = {"trained here": own, **{name: _cut_by(pattern, own) for name, pattern in others.items()}}
    tables = [_speed(name, definition, texts, inputs.repeats) for name, definition in made.items()]
    return [*tables, _adversarial({name: made[name] for name in ("trained here", "Llama 3's pattern")})]


def _cut_by(pattern: str, definition: str) -> str:
    """The same vocabulary and merges with another pattern."""
    return json.dumps({**json.loads(definition), "pre_tokenizer": splitter_of(pattern)})


def _speed(name: str, definition: str, texts: Sequence[str], repeats: int) -> Table:
    sides = {
        "HF tokenizers": _hugging_face(definition),
        "tiktoken": _tiktoken(definition),
        # Every round and the warm-up has one that has not seen a text.
        "crawlmill, cold": _in_turn([_crawlmill(definition) for _ in range(repeats + 1)]),
        "crawlmill, warm": _after(_crawlmill(definition), texts),
        **_gigatoken(definition, texts, repeats),
    }
    rounds = interleave(sides, texts, repeats, texts[:WARM_UP])
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    hugging_face = rounds["HF tokenizers"]
    rows, failures = {}, []
    for side, each in rounds.items():
        differ = _count_differing(_lists(each.results[-1]), _lists(hugging_face.results[-1]))
        rows[side] = {
            "documents": len(texts),
            "MB/s": megabytes / each.median,
            "times HF": hugging_face.median / each.median,
            DIFFER: differ,
            "slowest/fastest": each.spread,
        }
        if differ and side.startswith("crawlmill"):
            failures.append(f"{side}: other ids than Hugging Face's tokenizers on {differ} documents, {name}")
    note = (
        f"A byte-level BPE of {VOCABULARY:,} entries, trained on these texts with every digit a token. HF tokenizers: "
        "encode_batch. tiktoken: encode_ordinary with the same pattern and ranks. crawlmill: batches of "
        f"{ENCODE_BATCH} strings; cold has met no text, warm has met these. gigatoken, where it is installed and takes "
        "the tokenizer: encode_batch, parallel=False."
    )
    return Table(f"Tokens, {name}", note, COLUMNS, rows, failures)


def _adversarial(made: Mapping[str, str]) -> Table:
    rows: dict[str, dict[str, float]] = {}
    failures = []
    for name, definition in made.items():
        sides = {"HF": _hugging_face(definition), "crawlmill": _crawlmill(definition)}
        for kind, texts in adversarial.texts(ADVERSARIAL_CHARACTERS, adversarial.LANGUAGES).items():
            rounds: Mapping[str, Rounds[Any]] = interleave(sides, texts, 1, ["x"])
            differ = _count_differing(*(_lists(each.results[0]) for each in rounds.values()))
            seconds = {f"{side}, s": each.median for side, each in rounds.items()}
            size = sum(len(text.encode()) for text in texts) / 1e6
            ratio = seconds["HF, s"] / seconds["crawlmill, s"]
            rows[f"{kind}, {name}"] = {"MB": size, **seconds, "times HF": ratio, DIFFER: differ}
            if differ:
                failures.append(f"crawlmill: other ids than Hugging Face's tokenizers on {kind}, {name}")
    note = "Made up, a document a kind; languages are the Universal Declaration of Human Rights, a document a language."
    return Table("Tokens, adversarial texts", note, HARD_COLUMNS, rows, failures)


def _hugging_face(definition: str) -> Encode:
    tokenizer = Tokenizer.from_str(definition)
    # As ours: a page that writes out the name of a special token has written a text.
    tokenizer.encode_special_tokens = True
    return lambda texts: [encoding.ids for encoding in tokenizer.encode_batch(texts)]


def _tiktoken(definition: str) -> Encode:
    alike = byte_level.read(json.loads(definition))
    encoding = tiktoken.Encoding("same", pat_str=alike.pattern, mergeable_ranks=dict(alike.ranks), special_tokens={})
    return lambda texts: [encoding.encode_ordinary(text) for text in texts]


def _crawlmill(definition: str) -> Encode:
    tokenizer = JsonTokenizer(definition.encode(), "tokenizer.json", EOS)
    assert tokenizer.encoded_by == "kernels and tiktoken", tokenizer.encoded_by

    def encode(texts: Sequence[str]) -> list[NDArray[np.uint32]]:
        found = []
        for start in range(0, len(texts), ENCODE_BATCH):
            ids, offsets = tokenizer.encode_batch(Texts.of(texts[start : start + ENCODE_BATCH]))
            found += np.split(ids, offsets[1:-1])
        return found

    return encode


def _gigatoken(definition: str, texts: Sequence[str], repeats: int) -> dict[str, Encode]:
    """None where it is not installed whole (it needs awkward), or does not know the tokenizer's pattern."""
    if any(importlib.util.find_spec(name) is None for name in ("gigatoken", "awkward")):
        return {}
    library = importlib.import_module("gigatoken")

    def made() -> Encode:
        tokenizer = library.Tokenizer.from_json(definition)
        return lambda texts: tokenizer.encode_batch(list(texts), parallel=False)

    try:
        return {
            "gigatoken, cold": _in_turn([made() for _ in range(repeats + 1)]),
            "gigatoken, warm": _after(made(), texts),
        }
    # What its Rust side raises for a tokenizer that it does not take.
    except RuntimeError:
        return {}


def _in_turn(sides: Sequence[Encode]) -> Encode:
    left = iter(sides)
    return lambda texts: next(left)(texts)


def _after(side: Encode, texts: Sequence[str]) -> Encode:
    side(texts)
    return side


def _lists(encoded: Any) -> Ids:
    return [np.asarray(ids).tolist() for ids in encoded]


def _count_differing(ours: Ids, theirs: Ids) -> int:
    assert len(ours) == len(theirs)
    return sum(a != b for a, b in zip(ours, theirs, strict=True))
