"""Whether a folder of token shards is what its manifest says: every byte, and what the bytes mean.

What goes in: a folder of token shards, Megatron's or llm.c's. What stays true: a checksum alone would pass what was
wrong when it was written, so ids, the ends of documents, indexes and headers are looked at too; and all that is damaged
is said, not only what comes first.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator

from corpus import storage
from mixtures import llmc, token_shards, token_stream
from mixtures.llmc import LlmcEntry, LlmcManifest
from mixtures.token_shards import MANIFEST, DamagedShardError, Entry, Manifest, ShardEntry, Vocabulary, idx_name
from mixtures.token_stream import Found

Say = Callable[[int], None]


def read_manifest(folder: str) -> Manifest | LlmcManifest:
    """The manifest of either format. Raises `FileNotFoundError` for an unfinished folder, which has none."""
    path = storage.join(folder, MANIFEST)
    try:
        found = storage.read_json(path)
        kind = LlmcManifest if isinstance(found, dict) and "format" in found else Manifest
        manifest = kind.model_validate(found)
        _vocabulary(manifest)
    except ValueError as error:
        raise ValueError(f"{path} is not a manifest of token shards: {error}") from error
    return manifest


def size(manifest: Manifest | LlmcManifest) -> int:
    """Bytes that `verify` reads of a folder that is whole, but for the tokenizer's."""
    return sum(entry.bytes for entry in manifest.shards)


def verify(folder: str, say: Say = lambda _: None) -> Manifest | LlmcManifest:
    """Read every file of the folder; `say` hears of the bytes of token ids as they are read.

    Raises `DamagedShardError` with all that is wrong, by file, and what `read_manifest` raises.
    """
    manifest = read_manifest(folder)
    damages = [*_listed(folder, manifest), *_tokenizer(folder, manifest)]
    if isinstance(manifest, LlmcManifest):
        for file in manifest.shards:
            damages += _llmc(folder, file, manifest, say)
    else:
        for shard in manifest.shards:
            damages += _megatron(folder, shard, manifest, say)
    if damages:
        raise DamagedShardError("\n  ".join([f"{folder} is damaged; write it again:", *damages]))
    return manifest


def _listed(folder: str, manifest: Manifest | LlmcManifest) -> Iterator[str]:
    """What is wrong with the manifest itself, and the files that it does not know of."""
    path = storage.join(folder, MANIFEST)
    if not manifest.shards:
        yield f"{path} has no shards"
    if manifest.dtype != (wanted := _vocabulary(manifest).dtype):
        yield f"{path} has the dtype {manifest.dtype}; {manifest.vocabulary_size:,} ids are kept as {wanted}"
    files = Counter(entry.file for entry in manifest.shards)
    for entry in manifest.shards:
        # Numbers have gaps where a document is longer than a shard.
        if not re.fullmatch(rf"{re.escape(_stem(entry))}-\d+\.bin", entry.file):
            yield f"{path} has {entry.file}, where {_stem(entry)}-NNNNN.bin is its name"
    yield from (f"{path} has {file} {count} times" for file, count in files.items() if count > 1)
    known = {*files, *(idx_name(file) for file in files if isinstance(manifest, Manifest))}
    for file in sorted(storage.list_folder(folder).keys() - known):
        if file.endswith((".bin", ".idx")):
            yield f"{storage.join(folder, file)} is not in the manifest"


def _stem(entry: Entry) -> str:
    """What the names of a split's shards, or of a source's in it, begin with."""
    if not isinstance(entry, ShardEntry):
        return entry.split
    return f"{entry.source}-validation" if entry.split == "validation" else entry.source


def _tokenizer(folder: str, manifest: Manifest | LlmcManifest) -> Iterator[str]:
    path = storage.join(folder, manifest.tokenizer_file)
    if not storage.exists(path):
        yield f"{path} is missing"
    else:
        yield from _sha256(path, hashlib.sha256(storage.read_bytes(path)).hexdigest(), manifest.tokenizer_sha256)


def _megatron(folder: str, entry: ShardEntry, manifest: Manifest, say: Say) -> Iterator[str]:
    found = None
    path, idx = storage.join(folder, entry.file), storage.join(folder, idx_name(entry.file))
    if not storage.exists(path):
        yield f"{path} is missing"
    else:
        found = token_stream.look_through(path, token_shards.layout(_vocabulary(manifest)), say)
        yield from _ids(path, found, entry, manifest)
    if not storage.exists(idx):
        yield f"{idx} is missing"
        return
    data = storage.read_bytes(idx)
    yield from _sha256(idx, hashlib.sha256(data).hexdigest(), entry.idx_sha256)
    if found and data != token_shards.idx_bytes(found.lengths, manifest.dtype):
        yield f"{idx} is not the index of the documents in {entry.file}"


def _llmc(folder: str, entry: LlmcEntry, manifest: LlmcManifest, say: Say) -> Iterator[str]:
    path = storage.join(folder, entry.file)
    if (total := sum(entry.sources.values())) != entry.tokens:
        yield f"{path} has {entry.tokens:,} tokens; its sources in the manifest have {total:,}"
    if not storage.exists(path):
        yield f"{path} is missing"
        return
    with storage.open_read(path) as file:
        header = file.read(llmc.HEADER_BYTES)
    if header != llmc.header(entry.tokens, manifest.dtype):
        yield f"{path} does not begin with llm.c's header for {entry.tokens:,} tokens of {manifest.dtype}"
    layout = llmc.layout(_vocabulary(manifest))
    yield from _ids(path, token_stream.look_through(path, layout, say, llmc.HEADER_BYTES), entry, manifest)


def _vocabulary(manifest: Manifest | LlmcManifest) -> Vocabulary:
    return Vocabulary(size=manifest.vocabulary_size, eos_id=manifest.eos_id)


def _ids(path: str, found: Found, entry: Entry, manifest: Manifest | LlmcManifest) -> Iterator[str]:
    """What the ids of a file show to be wrong with it."""
    if (got := storage.size(path)) != entry.bytes:
        yield f"{path} has {got:,} bytes; the manifest wants {entry.bytes:,}"
    yield from _sha256(path, found.sha256, entry.sha256)
    if found.high >= manifest.vocabulary_size:
        yield f"{path} has the id {found.high:,}; the vocabulary ends at {manifest.vocabulary_size - 1:,}"
    for what, there, wanted in (
        ("tokens", found.tokens, entry.tokens),
        ("documents", len(found.lengths), entry.documents),
        ("as least id", found.low, entry.min_id),
        ("as largest id", found.high, entry.max_id),
    ):
        if there != wanted:
            yield f"{path} has {there:,} {what}; the manifest wants {wanted:,}"
    if found.loose:
        yield f"{path} has {found.loose:,} ids of a document without its end-of-document id {manifest.eos_id}"


def _sha256(path: str, got: str, wanted: str) -> Iterator[str]:
    if got != wanted:
        yield f"{path} has sha256 {got}; the manifest wants {wanted}"
