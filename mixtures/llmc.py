"""Token shards for trainers that read llm.c's files, as modded-nanogpt does.

What goes in: documents of all sources as arrays of token ids, without their end. What comes out: `train-NNNNN.bin` and
`validation-NNNNN.bin`, each 256 int32 of header (magic, version, number of tokens, zeros) and then the ids, every
document after one end-of-document id (EOT); per folder, a `manifest.json`, written last. What stays true: no file has
2 GiB, no document is split, and the same input gives the same bytes.
"""

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from corpus import storage
from mixtures import token_stream
from mixtures.token_shards import MANIFEST, Dtype, Entry, Origin, Split, Vocabulary, stored
from mixtures.token_stream import Layout

HEADER_BYTES = 1024
# Magic number and version: of GPT-2's files and of Llama 3's.
MAGIC: dict[Dtype, tuple[int, int]] = {"uint16": (20240520, 1), "uint32": (20240801, 7)}
MAX_BYTES = (1 << 31) - 1
# What fits whatever the width of the ids, so that one mixture has the same shards with any tokenizer.
MAX_TOKENS = (MAX_BYTES - HEADER_BYTES) // 4


class LlmcEntry(Entry):
    """What the manifest says of one file; `sources` has its tokens by source."""

    sources: dict[str, int]


class LlmcManifest(Origin):
    """`manifest.json`: the files in the order of their names, and what all of them share."""

    format: Literal["llm.c"]
    shards: tuple[LlmcEntry, ...]


def write_shard(
    folder: str,
    split: Split,
    number: int,
    documents: Iterable[NDArray[Any]],
    sources: dict[str, int],
    text_bytes: int,
    vocabulary: Vocabulary,
) -> LlmcEntry:
    """Write one file and return what the manifest is to say of it.

    `documents` are flat integer arrays of ids without EOT, taken one at a time; `sources` has their tokens by source,
    EOT included, since the header comes first and has the sum. Raises `ValueError` for what would make 2 GiB, and for
    what `token_stream.write` refuses.
    """
    file = f"{split}-{number:05d}.bin"
    path = storage.join(folder, file)
    tokens = sum(sources.values())
    size = HEADER_BYTES + tokens * stored(vocabulary.dtype).itemsize
    if size > MAX_BYTES:
        raise ValueError(f"{path} would have {size:,} bytes and llm.c reads {MAX_BYTES:,}; lower tokens.shard_tokens")
    with storage.open_write(path) as out:
        found = token_stream.write(out, documents, layout(vocabulary), path, header(tokens, vocabulary.dtype))
        assert found.tokens == tokens, (path, found.tokens, tokens)
    return LlmcEntry(
        file=file,
        split=split,
        tokens=tokens,
        documents=len(found.lengths),
        bytes=size,
        text_bytes=text_bytes,
        min_id=found.low,
        max_id=found.high,
        sha256=found.sha256,
        sources=sources,
    )


def write_manifest(folder: str, entries: Iterable[LlmcEntry], origin: Origin) -> LlmcManifest:
    """Write `manifest.json`; the order of `entries` does not matter. The tokenizer's file is to be there already."""
    shards = tuple(sorted(entries, key=lambda entry: entry.file))
    manifest = LlmcManifest(**origin.model_dump(), format="llm.c", shards=shards)
    storage.write_json(storage.join(folder, MANIFEST), manifest.model_dump(mode="json"))
    return manifest


def layout(vocabulary: Vocabulary) -> Layout:
    return Layout(stored(vocabulary.dtype), vocabulary.size, vocabulary.eos_id, eos_first=True)


def header(tokens: int, dtype: Dtype) -> bytes:
    """The first 1,024 bytes of a file of so many tokens."""
    numbers = np.zeros(HEADER_BYTES // 4, "<i4")
    numbers[:3] = *MAGIC[dtype], tokens
    return numbers.tobytes()
