"""Kernels compiled before work begins: once per machine and version, into files that every process reads.

numba keeps them beside the source, or where NUMBA_CACHE_DIR says, and compiles anew what another version or processor
needs. One process compiles at a time; the others wait and then read what it left.
"""

import fcntl
import os
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from kernels import bag_of_words, c4, hashing, quality, refinedweb, repetition, signatures, web_lines
from kernels.texts import Texts

MESSAGE = "Compiling kernels for this machine: some seconds, once per version."


@cache
def prepare(say: Callable[[str], None] = lambda _: None) -> None:
    """Have every kernel ready, and say so if that takes a while. Calls after the first do nothing."""
    probe: Any = hashing.table_bits
    os.makedirs(probe.stats.cache_path, exist_ok=True)
    with open(os.path.join(probe.stats.cache_path, ".compiling"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        hashing.table_bits(1)
        if probe.stats.cache_misses:
            say(MESSAGE)
        _call_all(Texts.of(["One text, of a few words.\n\nAnd another line."]))


def _call_all(texts: Texts) -> None:
    """Every entry, with the types that it is called with."""
    quality.measure(texts, quality.stop_words([["the"]]), np.zeros(1, np.int32))
    repetition.measure(texts)
    c4.clean(texts, True, 3, 1000)
    refinedweb.clean(texts, 0.5)
    web_lines.measure_fineweb(texts, np.full(1, 30))
    web_lines.count(texts)
    signatures.band_hashes(texts, 14, 8, 5)
    signatures.shingles(texts, 5)
    signatures.text_hashes(texts)
    signatures.line_hashes(texts)
    bag_of_words.decide(texts, np.zeros((2, 1 << 10 | 1)), np.zeros(1, np.int64))
