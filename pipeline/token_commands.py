"""`crawlmill tokens inspect`, `verify` and `cat`: a folder of token shards, looked at.

What goes in: the folder alone, which holds its manifest and its tokenizer. What stays true: what came from the web
reaches a terminal as plain text, with what would move or hide others made visible.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, get_args

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from rich.text import Text

from corpus import storage
from corpus.strict import unknown
from mixtures import tokenizer, verify
from mixtures.llmc import LlmcManifest
from mixtures.token_shards import MANIFEST, Manifest, ShardEntry, Split, TokenShards
from pipeline import console as terminal
from pipeline.inspect.command import SHOWN
from pipeline.web_text import visible


@click.group()
def tokens() -> None:
    """Token shards: what is in them, whether it is whole, and what it says."""


@tokens.command()
@click.argument("folder", metavar="FOLDER")
@click.option("--json", "as_json", is_flag=True, help="The numbers as JSON.")
def inspect(folder: str, as_json: bool) -> None:
    """Show what the token shards in FOLDER (as RUN/tokens) hold, by source and split."""
    shards = opened(folder)
    with terminal.bar(Console(stderr=True), "shards", transient=True) as progress:
        entries = progress.track(shards.manifest.shards, description="indexes")
        longest = {entry.file: int(np.diff(shards.offsets(entry)).max()) for entry in entries}
    held = summed(shards.manifest, longest)
    origin = shards.manifest.model_dump(exclude={"shards"})
    if as_json:
        print(json.dumps({**origin, "held": held}, indent=1, ensure_ascii=False))
        return
    screen = terminal.screen()
    for key, value in origin.items():
        screen.print(Text(f"{key:<18} {visible(str(value))}"), soft_wrap=True)
    screen.print(_table(held))


def summed(manifest: Manifest, longest: dict[str, int]) -> list[dict[str, Any]]:
    """Sums by source and split; `longest` has the tokens of each file's longest document, EOS included."""
    groups: dict[tuple[str, str], list[ShardEntry]] = {}
    for entry in manifest.shards:
        groups.setdefault((entry.source, entry.split), []).append(entry)
    return [
        {
            "source": source,
            "split": split,
            "shards": len(entries),
            "documents": sum(entry.documents for entry in entries),
            "tokens": sum(entry.tokens for entry in entries),
            "text_bytes": sum(entry.text_bytes for entry in entries),
            "longest_document": max(longest[entry.file] for entry in entries),
        }
        for (source, split), entries in sorted(groups.items())
    ]


def _table(held: list[dict[str, Any]]) -> Table:
    columns = ["source", "split", "shards", "documents", "tokens", "text bytes", "bytes a token", "longest document"]
    rows = [
        (
            *(row[key] for key in ("source", "split", "shards", "documents", "tokens", "text_bytes")),
            f"{row['text_bytes'] / row['tokens']:.3f}",
            row["longest_document"],
        )
        for row in held
    ]
    return terminal.table("Token shards", columns, rows)


@tokens.command("verify")
@click.argument("folder", metavar="FOLDER")
def verify_shards(folder: str) -> None:
    """Check every byte of the token shards in FOLDER (as RUN/tokens or RUN/llmc), and what the bytes mean.

    Checksums, ids within the vocabulary, one end-of-document id for each document, indexes and headers. All that is
    damaged is said, and the exit code is then 1.
    """
    manifest = verified(folder, Console(stderr=True))
    documents, count = sum(entry.documents for entry in manifest.shards), sum(entry.tokens for entry in manifest.shards)
    click.echo(
        f"{len(manifest.shards):,} shards, {documents:,} documents, {count:,} tokens, {verify.size(manifest):,} bytes: "
        "all as written"
    )


def verified(folder: str, screen: Console) -> Manifest | LlmcManifest:
    """The manifest of a folder that is whole, once all of it was read; a bar shows how far that is."""
    manifest = _manifest(folder)
    with terminal.bar(screen, "bytes", transient=True) as progress:
        reading = progress.add_task("verify", total=verify.size(manifest))
        verify.verify(folder, lambda size: progress.advance(reading, size))
    return manifest


def _manifest(folder: str) -> Manifest | LlmcManifest:
    if not storage.exists(storage.join(folder, MANIFEST)):
        raise click.UsageError(
            f"{folder} has no {MANIFEST}: no token shards were finished there; name RUN/tokens, "
            "or RUN/steps/tokens-HASH on a remote store"
        )
    return verify.read_manifest(folder)


def opened(folder: str) -> TokenShards:
    """The canonical shards of a folder. Raises `click.UsageError` where there are none."""
    if isinstance(_manifest(folder), LlmcManifest):
        raise click.UsageError(f"{folder} holds llm.c's files, and the canonical ones are in RUN/tokens: name that")
    return TokenShards.open(folder)


@dataclass(frozen=True)
class Document:
    """A document in a shard: its number there and its ids, the EOS being the last of them."""

    entry: ShardEntry
    number: int
    ids: NDArray[Any]


@tokens.command()
@click.argument("folder", metavar="FOLDER")
@click.option("--source", help="Only this source's.")
@click.option("--split", type=click.Choice(get_args(Split)), default="train", show_default=True, help="Which shards.")
@click.option("--skip", type=click.IntRange(min=0), default=0, show_default=True, help="Leave out so many first.")
@click.option(
    "--limit", type=click.IntRange(min=0), help="The most to show; 0 for all.  [default: 20, with --ids or --json all]"
)
@click.option("--ids", "as_ids", is_flag=True, help="A line of token ids for each document.")
@click.option("--json", "as_json", is_flag=True, help="A JSON object a line for each document, as for jq.")
def cat(
    folder: str, source: str | None, split: Split, skip: int, limit: int | None, as_ids: bool, as_json: bool
) -> None:
    """Show documents of the token shards in FOLDER (as RUN/tokens) as the text that their ids decode to."""
    if as_ids and as_json:
        raise click.UsageError("give one of: --ids, --json")
    shards = opened(folder)
    known = list(dict.fromkeys(entry.source for entry in shards.manifest.shards))
    if source is not None and source not in known:
        raise click.UsageError("--source: " + unknown(source, known, "source"))
    path = storage.join(folder, shards.manifest.tokenizer_file)
    loaded = tokenizer.load(path, shards.manifest.eos)
    screen = terminal.screen()
    most = SHOWN if limit is None and not (as_ids or as_json) else limit or None
    for document in islice(documents(shards, split, source, skip), most):
        if as_ids:
            print(*document.ids.tolist())
        elif as_json:
            print(json.dumps(as_object(document, loaded.decode(document.ids[:-1])), ensure_ascii=False))
        else:
            _show(screen, document, loaded.decode(document.ids[:-1]))


def documents(shards: TokenShards, split: Split, source: str | None, skip: int) -> Iterator[Document]:
    """The documents of a split in the order of the shards, without the first `skip`; shards that these fill are not
    opened.
    """
    for entry in shards.entries(split):
        if source not in (None, entry.source):
            continue
        if skip < entry.documents:
            ids, offsets = shards.tokens(entry), shards.offsets(entry)
            for number in range(skip, entry.documents):
                yield Document(entry, number, ids[offsets[number] : offsets[number + 1]])
        skip = max(0, skip - entry.documents)


def as_object(document: Document, text: str) -> dict[str, Any]:
    """A document as a JSON value; `tokens` counts the EOS."""
    entry = document.entry
    place = {"source": entry.source, "split": entry.split, "file": entry.file, "document": document.number}
    return {**place, "tokens": len(document.ids), "text": text}


def _show(screen: Console, document: Document, text: str) -> None:
    """A line that says which, and the text; a pipe gets its bytes as they are."""
    heading = f"{document.entry.file} document {document.number:,}, {len(document.ids):,} tokens"
    if not screen.is_terminal:
        sys.stdout.write(f"{heading}\n{text}\n\n")
        return
    screen.print(Text(heading, "bold"), soft_wrap=True)
    for line in text.split("\n"):
        screen.print(Text(visible(line)), soft_wrap=True)
    screen.print()
