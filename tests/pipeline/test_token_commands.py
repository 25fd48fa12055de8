import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from pipeline.cli import cli
from pipeline.run import Result as Run
from tests.pipeline.test_cli import ROOT, crawlmill

MIXTURE = "{tokens: 30_000, weights: {web: 3, code: 1}, validation: 0.05}"


@pytest.fixture
def folder(mix: Callable[..., Run], tmp_path: Path) -> Path:
    mix(MIXTURE, "tokens.shard_tokens=8_000", "tokens.also=[llm.c]")
    return tmp_path / "run/tokens"


def tokens(*arguments: str) -> Result:
    done = CliRunner().invoke(cli, ["tokens", *arguments])
    assert done.exception is None, done.output
    return done


def test_inspect_sums_what_the_shards_hold(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    shown = json.loads(tokens("inspect", str(folder), "--json").stdout)
    assert shown["tokenizer_sha256"] == manifest["tokenizer_sha256"]
    for held in shown["held"]:
        own = [s for s in manifest["shards"] if (s["source"], s["split"]) == (held["source"], held["split"])]
        assert held["shards"] == len(own)
        for key in ("documents", "tokens", "text_bytes"):
            assert held[key] == sum(shard[key] for shard in own)
        ids = [np.fromfile(folder / shard["file"], manifest["dtype"]) for shard in own]
        ends = [np.flatnonzero(array == manifest["eos_id"]) for array in ids]
        assert held["longest_document"] == max(int(np.diff(np.append(-1, end)).max()) for end in ends)
    assert sum(held["tokens"] for held in shown["held"]) == sum(shard["tokens"] for shard in manifest["shards"])
    table = tokens("inspect", str(folder)).stdout
    assert f"{shown['held'][0]['tokens']:,}" in table
    assert shown["tokenizer_sha256"] in table


def test_verify_ends_with_the_totals(folder: Path) -> None:
    for each in (folder, folder.parent / "llmc"):
        shards = json.loads((each / "manifest.json").read_text())["shards"]
        said = tokens("verify", str(each)).stdout
        assert said.startswith(f"{len(shards)} shards, {sum(shard['documents'] for shard in shards):,} documents, ")
        assert said.endswith("all as written\n")


def test_verify_names_every_damaged_file_and_exits_with_1(folder: Path) -> None:
    for name in ("web-00000.bin", "code-00000.idx"):
        data = bytearray((folder / name).read_bytes())
        data[40] ^= 1
        (folder / name).write_bytes(data)
    done = crawlmill("tokens", "verify", str(folder))
    assert done.returncode == 1
    assert done.stdout == ""
    assert "web-00000.bin has sha256" in done.stderr
    assert "code-00000.idx is not the index of the documents in code-00000.bin" in done.stderr
    assert "web-00001" not in done.stderr


def test_cat_gives_back_the_texts_of_the_input(folder: Path, three_sources: Path) -> None:
    every = {json.loads(line)["text"] for line in (three_sources / "web.jsonl").read_text().splitlines()}
    rows = [json.loads(line) for line in tokens("cat", str(folder), "--source", "web", "--json").stdout.splitlines()]
    held = [
        json.loads(line) for line in tokens("cat", str(folder), "--split", "validation", "--json").stdout.splitlines()
    ]
    own, held_out = ({row["text"] for row in found if row["source"] == "web"} for found in (rows, held))
    assert {row["source"] for row in rows} == {"web"}
    assert len(own) > 100
    assert own | held_out <= every
    assert not own & held_out
    assert {row["split"] for row in held} == {"validation"}
    assert any("<|endoftext|>" in row["text"] for row in rows), "text is only ever text"


def test_cat_skips_over_shards_and_stops(folder: Path) -> None:
    rows = tokens("cat", str(folder), "--json").stdout.splitlines()
    for skip in (0, 3, 200, len(rows) - 1, len(rows)):
        some = tokens("cat", str(folder), "--json", "--skip", str(skip), "--limit", "2").stdout.splitlines()
        assert some == rows[skip : skip + 2]
    ids = tokens("cat", str(folder), "--ids", "--limit", "3").stdout.splitlines()
    first = np.fromfile(folder / "code-00000.bin", "<u2")
    assert [int(number) for line in ids for number in line.split()] == first[
        : sum(len(line.split()) for line in ids)
    ].tolist()
    assert [len(line.split()) for line in ids] == [json.loads(row)["tokens"] for row in rows[:3]]
    shown = tokens("cat", str(folder)).stdout
    assert shown.count(" document ") >= 20
    assert json.loads(rows[0])["text"] in shown


def test_a_terminal_gets_no_control_characters_and_a_pipe_the_text(
    mix: Callable[..., Run], tmp_path: Path, three_sources: Path
) -> None:
    evil = "red \x1b[31m and \u202e turned\nnext [bold]line[/bold]"
    (tmp_path / "evil.jsonl").write_text(json.dumps({"text": evil}) + "\n")
    source = f"sources.evil={{kind: jsonl, paths: {tmp_path}/evil.jsonl}}"
    mix("{tokens: 100, weights: {evil: 1}, validation: 0, missing: report}", source)
    command = [sys.executable, "-m", "pipeline.cli", "tokens", "cat", str(tmp_path / "run/tokens"), "--limit", "1"]
    piped = subprocess.run(command, capture_output=True, cwd=ROOT, check=True).stdout
    assert evil in piped.decode()
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "200"}
    subprocess.run(command, stdout=slave, stderr=slave, cwd=ROOT, check=True, env=environment)
    os.close(slave)
    shown = os.read(master, 100_000).decode()
    os.close(master)
    assert "red \\x1b[31m and \\u202e turned\r\nnext [bold]line[/bold]\r\n" in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["verify", "nowhere"], "nowhere has no manifest.json: no token shards were finished there"),
        (["cat", "nowhere"], "nowhere has no manifest.json"),
        (["inspect", "LLMC"], "holds llm.c's files"),
        (["cat", "FOLDER", "--source", "wbe"], 'unknown source "wbe"; did you mean "web"?'),
        (["cat", "FOLDER", "--ids", "--json"], "give one of: --ids, --json"),
    ],
)
def test_what_cannot_be_shown_is_refused(arguments: list[str], said: str, folder: Path) -> None:
    named = {"FOLDER": str(folder), "LLMC": str(folder.parent / "llmc")}
    done = CliRunner().invoke(cli, ["tokens", *(named.get(word, word) for word in arguments)])
    assert done.exit_code == 2
    assert said in done.output
