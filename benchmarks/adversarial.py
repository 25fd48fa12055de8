"""Texts that break tokenizers or make them slow, of any size; `tests/mixtures/test_adversarial.py` reads them too."""

import random
import zipfile
from collections.abc import Mapping
from pathlib import Path

from benchmarks.inputs import EOS, ROOT

# The Universal Declaration of Human Rights in 388 languages, where the development data lie beside the checkout.
LANGUAGES = ROOT / "../shared/data/udhr/udhr2.zip"

_EMOJI = "👩‍👩‍👧‍👦 🏳️‍🌈👍🏽🇩🇪🇫🇷 ☺️ 🦊🦊🦊 1️⃣ "
_SPACES = " \t\n\r\v\f\x85\xa0\u1680\u2003\u2028\u202f\u3000\ufeff\u200b\x1c"
_SPECIAL = f"{EOS}<|im_start|><s></s>[INST]<pad><unk>{EOS} <|begin_of_text|>"


def texts(size: int, languages: Path) -> Mapping[str, list[str]]:
    """Documents by kind: `size` characters without a space, a tenth of that of the others; languages where they are."""
    draw, few = random.Random(0), size // 10
    marks = (draw.choice(_SPACES) * draw.choice((1, 1, 1, 2, 3, 40)) + draw.choice("a1!é日") for _ in range(few // 8))
    # Half of a pair is no character: what has such bytes comes out of every reader of ours with U+FFFD for them.
    halves = "".join(chr(draw.randrange(0xD800, 0xE000)) + draw.choice("a 1") for _ in range(few // 2))
    found = {
        "one letter, no space": ["a" * size],
        "letters, no space": ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=size))],
        "Han, no space": ["".join(chr(draw.randrange(0x4E00, 0x9FFF)) for _ in range(few))],
        # Of ten times as many Hugging Face's tokenizers panic with Llama 3's pattern (0.23: "retry-limit-in-match").
        "one space": ["x" + " " * few + "x"],
        "white space": ["".join(marks)],
        "emoji": [(_EMOJI * few)[:few]],
        "lone surrogates, replaced": [halves.encode("utf-8", "surrogatepass").decode("utf-8", "replace")],
        "special tokens, written out": [(_SPECIAL * few)[:few]],
    }
    if languages.exists():
        with zipfile.ZipFile(languages) as archive:
            names = [name for name in archive.namelist() if name.endswith(".txt")]
            found["languages"] = [archive.read(name).decode("utf-8", "replace") for name in names]
    return found
