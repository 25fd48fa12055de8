"""The columns that near-duplicates are found by, as the read step measures them and later steps take them.

`near` is what those columns depend on: {"measure": "jaccard", bands, rows, ngram}, for MinHash, or {"measure":
"containment", ngram, every}, for sampled shingles.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kernels import signatures
from kernels.texts import Texts

BANDS, SKETCH, SAMPLED = "minhash_bands", "minhash_sketch", "sampled_shingles"
_WORD = 8


def near_fields(near: Mapping[str, Any]) -> list[pa.Field]:
    if near["measure"] == "containment":
        return [pa.field(SAMPLED, pa.large_list(pa.uint64()))]
    return [pa.field(BANDS, pa.list_(pa.uint64(), near["bands"])), pa.field(SKETCH, pa.binary(sketch_bytes(near)))]


def sketch_bytes(near: Mapping[str, Any]) -> int:
    """The bytes of a sketch: 0 where similarities are not estimated by one."""
    return min(near["bands"] * near["rows"], signatures.SKETCH) if near["measure"] == "jaccard" else 0


def key_column(near: Mapping[str, Any]) -> str:
    """The column that keys come from."""
    return SAMPLED if near["measure"] == "containment" else BANDS


def near_columns(near: Mapping[str, Any]) -> list[str]:
    return [field.name for field in near_fields(near)]


def measure_near(texts: Texts, near: Mapping[str, Any]) -> dict[str, pa.Array]:
    """The columns for a batch of texts."""
    if near["measure"] == "containment":
        first, hashes = signatures.sampled_shingles(texts, near["ngram"], near["every"])
        return {SAMPLED: pa.LargeListArray.from_arrays(first, hashes)}
    bands, sketches = signatures.sign(texts, near["bands"], near["rows"], near["ngram"])
    of_bytes = pa.Array.from_buffers(pa.binary(sketches.shape[1]), len(sketches), [None, pa.py_buffer(sketches)])
    return {BANDS: pa.FixedSizeListArray.from_arrays(bands.reshape(-1), bands.shape[1]), SKETCH: of_bytes}


def near_keys(batch: pa.RecordBatch, near: Mapping[str, Any]) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """Each document's keys, sorted: (first, keys), those of document i from first[i] to first[i + 1]."""
    if near["measure"] == "containment":
        lists = batch[SAMPLED]
        offsets = np.asarray(lists.offsets, np.int64)
        return offsets - offsets[0], np.asarray(lists.flatten(), np.uint64)
    bands = np.sort(np.asarray(batch[BANDS].flatten()).reshape(len(batch), near["bands"]), axis=1)
    # A text without words has zeros.
    there = bands != 0
    return np.concatenate([[0], np.cumsum(there.sum(axis=1))]).astype(np.int64), bands[there]


def near_sketches(batch: pa.RecordBatch, near: Mapping[str, Any]) -> NDArray[np.uint64]:
    """Each document's sketch in words of 8 bytes, filled up with zeros; no columns where there are no sketches."""
    if near["measure"] == "containment":
        return np.empty((len(batch), 0), np.uint64)
    array = batch[SKETCH]
    size = array.type.byte_width
    flat = np.frombuffer(array.buffers()[1] or b"", np.uint8)[array.offset * size : (array.offset + len(array)) * size]
    words = np.zeros((len(batch), -(-size // _WORD) * _WORD), np.uint8)
    words[:, :size] = flat.reshape(-1, size)
    return words.view(np.uint64)
