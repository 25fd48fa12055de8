"""A run's folder read by nothing of ours but its file names, and a document's story held against it."""

import json
import re
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow.parquet as pq
from tokenizers import Tokenizer


@dataclass
class Oracle:
    root: Path
    summary: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.summary = json.loads((self.root / "summary.json").read_text())

    @property
    def tokens(self) -> Path:
        return self.root / self.summary["steps"]["tokens"]["folder"]

    def table(self, step: str, name: str) -> list[dict[str, Any]]:
        path = self.root / self.summary["steps"][step]["folder"] / name
        rows: list[dict[str, Any]] = pq.read_table(path).to_pylist() if path.exists() else []
        return rows

    @cached_property
    def documents(self) -> dict[int, dict[str, Any]]:
        """By id: file, rows of the steps, bits of failed rules by name, and the text that is kept."""
        found = {}
        for source, counted in self.summary["sources"].items():
            for number, file in enumerate(counted["files"]):
                part = f"part-{number:05d}.parquet"
                filtered = self.root / self.summary["steps"][f"{source}.filter"]["folder"] / part
                names = json.loads(pq.read_schema(filtered).metadata[b"rules"])
                measure = f"{source}.measure" if f"{source}.measure" in self.summary["steps"] else f"{source}.read"
                tables = [
                    self.table(f"{source}.read", part),
                    self.table(measure, part),
                    self.table(f"{source}.filter", part),
                    self.table(f"{source}.documents", f"verdicts-{number:05d}.parquet"),
                ]
                kept = {row["id"]: row["text"] for row in self.table(f"{source}.documents", part)}
                for read, row, judged, verdict in zip(*tables, strict=True):
                    failed = {name: bool(judged["failed"] >> bit & 1) for bit, name in enumerate(names)}
                    known = {"read": read, "row": row, "judged": judged, "verdict": verdict, "failed": failed}
                    found[row["id"]] = {**known, "file": file["file"], "source": source, "kept": kept.get(row["id"])}
        return found

    @cached_property
    def uses(self) -> Counter[int]:
        names = self.summary["mixture"] or {}
        return Counter(row["id"] for source in names for row in self.table("mixture", f"{source}.parquet"))

    @cached_property
    def tokenizer(self) -> Tokenizer:
        return Tokenizer.from_file(str(self.tokens / "tokenizer.json"))

    @cached_property
    def manifest(self) -> dict[str, Any]:
        manifest: dict[str, Any] = json.loads((self.tokens / "manifest.json").read_text())
        return manifest


def check(oracle: Oracle, story: Mapping[str, Any]) -> None:
    """Every field of a story against the files."""
    known = oracle.documents[story["id"]]
    row, verdict, judged = known["row"], known["verdict"], known["judged"]
    assert story["source"] == known["source"]
    assert story["file"] == known["file"]
    assert story["row"] == story["id"] & 0xFFFFFFFF
    assert story["url"] == row["url"] == url_at(story["file"], story["offset"])
    assert story["date"] == (row["date"].isoformat() if row["date"] else None)
    assert (story["language"], story["language_score"]) == (row["language"], row["language_score"])
    assert story["reason"] == verdict["reason"]
    assert (story["repeats"] or {"id": None, "similarity": None}).items() >= {
        "id": verdict["duplicate_of"],
        "similarity": verdict["similarity"],
    }.items()
    if story["repeats"]:
        other = oracle.documents[verdict["duplicate_of"]]
        assert (story["repeats"]["url"], story["repeats"]["reason"]) == (
            other["row"]["url"],
            other["verdict"]["reason"],
        )
    for family, signals in story["signals"].items():
        assert all(row[f"{family}_{name}"] == value for name, value in signals.items())
    for rule in story["rules"]:
        assert rule["value"] == row[f"{rule['family']}_{rule['signal']}"]
        assert rule["failed"] == known["failed"][rule["rule"]]
        assert rule["failed"] == (
            rule["value"] < rule["bound"] if rule["side"] == "min" else rule["value"] > rule["bound"]
        )
        assert rule["first"] == (rule["rule"] == judged["reason"])
    assert [r["rule"] for r in story["rules"]] == ([] if row["dropped"] else list(known["failed"]))
    for scored in story["scores"]:
        assert scored["value"] == judged[f"{scored['by']}_score"]
        if story["reason"] == "reference_low_score":
            assert scored["value"] <= scored["cuts"][0]
    # c4 takes lines out while web is read.
    sizes = {
        "read": None if known["source"] == "web" else known["read"]["text"],
        "judged": row["text"],
        "kept": known["kept"],
    }
    assert story["characters"] == {name: None if text is None else len(text) for name, text in sizes.items()}
    check_training(oracle, story, known["kept"])


def url_at(file: str, offset: int) -> str:
    """The URL in the record that starts at this byte of an input file."""
    if ".jsonl" in file:
        with fsspec.open(file, "rb", compression="infer") as lines:
            lines.seek(offset)
            record = json.loads(lines.readline())
        return str(record.get("url") or record["id"])
    with open(file, "rb") as members:
        members.seek(offset)
        head = zlib.decompressobj(31).decompress(members.read(1 << 16), 1 << 14)
    return re.search(rb"WARC-Target-URI: <?(.*?)>?\r\n", head)[1].decode()  # type: ignore[index]


def check_training(oracle: Oracle, story: Mapping[str, Any], text: str | None) -> None:
    """The ids at every place of a document decode to its text, and there are as many places as it was drawn times."""
    training = story["training"]
    if story["reason"] is not None or story["source"] not in (oracle.summary["mixture"] or {}):
        assert training is None
        return
    assert len(training["uses"]) == oracle.uses[story["id"]]
    assert training["held_out"] == any(use["split"] == "validation" for use in training["uses"])
    eos, dtype = oracle.manifest["eos_id"], oracle.manifest["dtype"]
    for use in training["uses"]:
        ids = np.fromfile(oracle.root / use["shard"]["file"], dtype)
        start = use["shard"]["offset"]
        own = ids[start : start + training["tokens"]]
        assert own[-1] == eos
        assert start == 0 or ids[start - 1] == eos
        assert oracle.tokenizer.decode(own[:-1], skip_special_tokens=False) == text
        assert np.count_nonzero(ids[:start] == eos) == use["shard"]["document"]
        if use["llmc"]:
            ids = np.fromfile(oracle.root / use["llmc"]["file"], dtype, offset=1024)
            start = use["llmc"]["offset"]
            assert ids[start : start + training["tokens"]].tolist() == [eos, *own[:-1]]
            assert np.count_nonzero(ids[:start] == eos) == use["llmc"]["document"]
        if use["text"]:
            there = pq.read_table(oracle.root / use["text"]["file"]).slice(use["text"]["document"], 1).to_pylist()[0]
            assert (there["id"], there["text"]) == (story["id"], text)
