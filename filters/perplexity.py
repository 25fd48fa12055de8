"""How unlike an encyclopedia a text is: CCNet's perplexity (Wenzek et al. 2019, arXiv:1911.00359), by n-gram models.

What goes in: a folder with two files for each language, named as CCNet names its own: a SentencePiece model
(`en.sp.model`) and an n-gram model over its pieces that KenLM reads (`en.arpa.bin` or `en.arpa`). What comes out: for a
text in one of these languages 10 ** (-sum of log10 p / number of predictions) over the pieces of its lines and an end
for each line; blank lines do not count. What stays true: CCNet's published models get text as their training had it.
"""

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sentencepiece import SentencePieceProcessor

from corpus import storage
from kernels.ccnet_normal import normalise
from kernels.texts import Texts

PIECES, BINARY, ARPA = ".sp.model", ".arpa.bin", ".arpa"
# What the two kinds of n-gram files start with.
_STARTS = (b"mmap lm http://kheafield.com/code", b"\\data\\")
# So many bytes of text are in pieces at a time.
_CHUNK = 1 << 20


def read_pieces(path: str) -> SentencePieceProcessor:
    """The SentencePiece model at `path`. Raises ValueError for a file that is none."""
    processor = SentencePieceProcessor()
    try:
        processor.LoadFromSerializedProto(storage.read_bytes(path))
    except RuntimeError as error:
        raise ValueError(f"{path} is no SentencePiece model; train or fetch it again ({error})") from error
    return processor


@dataclass(frozen=True)
class PerplexityModel:
    """`files` has the two files of each language, by its label as language identification gives it."""

    files: Mapping[str, tuple[str, str]]

    @classmethod
    def load(cls, folder: str) -> Self:
        """The models in `folder`; each is read when a text in its language is first scored.

        Raises ValueError where one of a pair is missing, a file is not what its name says, or KenLM is not installed.
        """
        need_kenlm()
        files = find(folder)
        for pieces, grams in files.values():
            read_pieces(pieces)
            _check_start(grams)
        return cls(files)

    @property
    def languages(self) -> list[str]:
        return sorted(self.files)

    def score(self, texts: Texts) -> NDArray[np.float64]:
        """The perplexity of each text by the model of its language in `texts.languages`: at least 1, infinite for what
        a model rules out; NaN where there is no such model or no piece in the text.
        """
        perplexities = np.full(len(texts), np.nan)
        for language, (pieces, grams) in self.files.items():
            rows = np.array([row for row, label in enumerate(texts.languages) if label == language], np.int64)
            if len(rows):
                cutter = _pieces(pieces, storage.fingerprint(pieces))
                model = _grams(grams, storage.fingerprint(grams))
                perplexities[rows] = _score(texts.to_arrow().take(rows), cutter, model)
        return perplexities


def forget() -> None:
    """Give back the memory of all models that this process has read."""
    _pieces.cache_clear()
    _grams.cache_clear()


def need_kenlm() -> None:
    """Raises ValueError where KenLM is not installed."""
    if importlib.util.find_spec("kenlm") is None:
        raise ValueError('perplexity needs kenlm; install it with: pip install "crawlmill[perplexity]"')


def find(folder: str) -> dict[str, tuple[str, str]]:
    """The pair of files of each language in `folder`, in the order of labels; raises ValueError as `load` does."""
    names = storage.list_folder(folder)
    files = {}
    for name in sorted(names):
        if name.endswith(PIECES):
            language = name.removesuffix(PIECES)
            grams = next((g for g in (language + BINARY, language + ARPA) if g in names), None)
            if grams is None:
                raise ValueError(
                    f"{folder} has {name} and neither {language}{BINARY} nor {language}{ARPA}; add one, or remove it"
                )
            files[language] = storage.join(folder, name), storage.join(folder, grams)
        elif name.endswith((BINARY, ARPA)):
            language = name.removesuffix(BINARY).removesuffix(ARPA)
            if language + PIECES not in names:
                raise ValueError(f"{folder} has {name} and no {language}{PIECES}; add it, or remove {name}")
    if not files:
        raise ValueError(
            f"{folder} has no language model, such as en{PIECES} with en{BINARY}; name a folder that has, "
            "or make one with: crawlmill perplexity train"
        )
    return files


def _check_start(path: str) -> None:
    with storage.open_read(path) as file:
        start = file.read(len(_STARTS[0]))
    if not start.lstrip().startswith(_STARTS):
        raise ValueError(f"{path} is no n-gram model of KenLM's and no ARPA file; train or fetch it again")


def _score(strings: Any, pieces: SentencePieceProcessor, model: Any) -> NDArray[np.float64]:
    """The perplexities of an Arrow array of texts."""
    texts = normalise(Texts.of(strings))
    scores = np.full(len(texts), np.nan)
    edges = np.searchsorted(texts.offsets, np.arange(0, int(texts.offsets[-1]) + _CHUNK, _CHUNK), side="left")
    arrow = texts.to_arrow()
    for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        lines = [text.split("\n") for text in arrow[start:end].to_pylist()]
        cut = iter(pieces.encode(list(chain.from_iterable(lines)), out_type=str, num_threads=1))
        for row, count in enumerate(map(len, lines), start):
            total, predictions = 0.0, 0
            for _ in range(count):
                line = next(cut)
                if line:
                    total += model.score(" ".join(line))
                    predictions += len(line) + 1
            if predictions:
                scores[row] = -total / predictions
    with np.errstate(over="ignore"):
        return np.asarray(10.0**scores)


@cache
def _pieces(path: str, fingerprint: str) -> SentencePieceProcessor:
    return read_pieces(path)


@cache
def _grams(path: str, fingerprint: str) -> Any:
    """KenLM's model, which is mapped from a binary file and read from an ARPA file."""
    import kenlm

    local = storage.local_path(path)
    config = kenlm.Config()
    config.show_progress = False
    config.arpa_complain = kenlm.ARPALoadComplain.NONE
    try:
        if local:
            return kenlm.Model(local, config)
        with storage.scratch(path) as folder:
            copy = f"{folder}/model"
            with open(copy, "wb") as file:
                file.write(storage.read_bytes(path))
            return kenlm.Model(copy, config)
    except OSError as error:
        raise ValueError(f"{path} is no n-gram model that KenLM reads; train or fetch it again ({error})") from error
