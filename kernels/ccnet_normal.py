"""Text as CCNet's language models know it (Wenzek et al. 2019, arXiv:1911.00359): plainer, so that a small model has
seen more of it.

What goes in: a batch of texts. What comes out: the same in lower case, without accents, with 0 for every digit, ASCII
for some punctuation, and no control characters but the ends of lines. What stays true: it is what CCNet makes of each
line, save for white space around it, which SentencePiece takes away.
"""

import unicodedata
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels.characters import decode
from kernels.compiled import kernel
from kernels.texts import Texts

# What becomes of punctuation: all signs of one outcome together. CCNet's table has a fullwidth digit 1 among the
# quotation marks, which comes to nothing, since digits are 0 by then.
_PUNCTUATION = {
    ",": "，、",
    ".": "。",
    ". ": "．",
    '"': "„”“«»」「《》",
    "'": "´’",
    ":": "∶：",
    ";": "；",
    "?": "？",
    "!": "！",
    "(": "（",
    ")": "）",
    "<": "〈",
    ">": "〉",
    "[": "【",
    "]": "】",
    "-": "–━►",
    " - ": "—",
    "~": "～",
    "%": "％",
    "...": "…",
}
_CONTROLS = [*range(0x0A), *range(0x0B, 0x20), *range(0x7F, 0xA0)]

_BLOCK = 256
# Up to here, and without surrogates, which no UTF-8 has; what is beyond has no case, accents, digits or punctuation.
_POINTS = [*range(0xD800), *range(0xE000, 0x33500), *range(0xE0000, 0xE0200)]
_SAME = np.uint32(0xFFFFFFFF)
# The most bytes that become of one: a syllable of Hangul has three letters, and as many bytes each as the syllable.
_GROWTH = 3
# What it becomes in lower case depends on the letters around it.
_SIGMA = "Σ"


class Plain(NamedTuple):
    """Code point c becomes the `place & 15` bytes of `data` from `place >> 4` on, or stays where `place` is _SAME;
    `place` is `places[block[c >> 8] << 8 | c & 255]`.
    """

    block: NDArray[np.uint16]
    places: NDArray[np.uint32]
    data: NDArray[np.uint8]


@cache
def plain() -> Plain:
    """The table, made once a process in some tenths of a second."""
    characters = [chr(point) for point in _POINTS if point != 0x0A]
    # A line for each: one call for all of them, and no neighbour to go by.
    lines = unicodedata.normalize("NFD", "\n".join(characters).lower())
    categories = {character: unicodedata.category(character) for character in set(lines) - {"\n"}}
    table: dict[int, str | None] = {ord(sign): outcome for outcome, signs in _PUNCTUATION.items() for sign in signs}
    table |= dict.fromkeys(_CONTROLS)
    table |= {ord(character): "0" for character, category in categories.items() if category == "Nd"}
    table |= {ord(character): None for character, category in categories.items() if category == "Mn"}
    outcomes = lines.translate(table).split("\n")
    places, data = np.full(0x110000, _SAME, np.uint32), bytearray()
    for character, outcome in zip(characters, outcomes, strict=True):
        if outcome != character:
            encoded = outcome.encode()
            assert len(encoded) < 16, character
            assert len(encoded) <= _GROWTH * len(character.encode()), character
            places[ord(character)] = len(data) << 4 | len(encoded)
            data += encoded
    # Most blocks are the same block of nothing, and are kept once.
    number: dict[bytes, int] = {}
    block = [number.setdefault(rows.tobytes(), len(number)) for rows in places.reshape(-1, _BLOCK)]
    return Plain(
        np.array(block, np.uint16), np.frombuffer(b"".join(number), np.uint32), np.frombuffer(bytes(data), np.uint8)
    )


def normalise(texts: Texts) -> Texts:
    """The texts as CCNet gives them to SentencePiece. Accents are category Mn of the canonical decomposition (NFD),
    which the texts are left in; digits are category Nd.
    """
    if _SIGMA.encode() in texts.data[texts.offsets[0] : texts.offsets[-1]].tobytes():
        texts = Texts.of(
            [text.lower() if _SIGMA in text else text for text in texts.to_list()], texts.languages, texts.urls
        )
    out = np.empty(_GROWTH * int(texts.offsets[-1] - texts.offsets[0]), np.uint8)
    offsets = np.zeros(len(texts) + 1, np.int64)
    _normalise(texts.data, texts.offsets, plain(), out, offsets)
    return texts.rewritten(out[: offsets[-1]].copy(), offsets)


@kernel
def _normalise(
    data: NDArray[np.uint8], starts: NDArray[np.int64], plain: Plain, out: NDArray[np.uint8], offsets: NDArray[np.int64]
) -> None:
    n = 0
    for text in range(len(starts) - 1):
        i = starts[text]
        while i < starts[text + 1]:
            point, after = decode(data, i)
            place = plain.places[np.int64(plain.block[point >> 8]) << 8 | point & 255]
            if place == _SAME:
                for k in range(i, after):
                    out[n] = data[k]
                    n += 1
            else:
                start = np.int64(place >> np.uint32(4))
                for k in range(start, start + np.int64(place & np.uint32(15))):
                    out[n] = plain.data[k]
                    n += 1
            i = after
        offsets[text + 1] = n
