"""What several tests need: a small crawl of the standard library's prose, with planted pages whose fate is known."""

import gzip
import json
import multiprocessing
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from pydoc_data.topics import topics
from unittest import mock

import pytest
from hypothesis import settings

# Threads that spin while they wait take the cores from the other test processes: a fit of half a second took twenty.
# OpenBLAS and OpenMP read these when numpy, scikit-learn or torch is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Starts processes for tests to kill, from one that has imported what a run needs.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["pipeline.cli", "pipeline.run"])

# The same examples on every run, so that a change is blamed for what it broke and for nothing else; and no deadline,
# which would measure what else the machine is doing.
settings.register_profile("suite", derandomize=True, deadline=None)
settings.load_profile("suite")

SHARED = Path(__file__).parents[1].parent / "shared/data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real pages and corpora for development; they are not part of the repository."""
    if not SHARED.is_dir():
        pytest.skip("needs the development data beside the checkout (../shared/data)")
    return SHARED


def prose(count: int, sentences: int = 12) -> list[str]:
    """`count` different English texts of whole sentences, in paragraphs, without code: the language reference's."""
    text = " ".join(" ".join(topic.split()) for _, topic in sorted(topics.items()))
    found = [
        s + "." for s in text.split(". ") if 40 < len(s) < 300 and s.isascii() and not set(s) & set('{}[]|"#*=_`<>()')
    ]
    assert len(found) >= count * sentences, len(found)
    chunks = [found[n * sentences : (n + 1) * sentences] for n in range(count)]
    return ["\n\n".join(" ".join(c[i : i + 4]) for i in range(0, sentences, 4)) for c in chunks]


def html(text: str) -> str:
    paragraphs = "".join(f"<p>{p}</p>" for p in text.split("\n\n"))
    return f"<html><head><title>t</title></head><body><main><article>{paragraphs}</article></main></body></html>"


def response(url: str, body: bytes, status: str = "200 OK", content_type: str = "text/html; charset=utf-8") -> bytes:
    """One gzip member with one response record."""
    http = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    head = (
        "WARC/1.0\r\nWARC-Type: response\r\nWARC-Record-ID: <urn:uuid:00000000-0000-0000-0000-000000000000>\r\n"
        f"WARC-Date: 2026-01-02T03:04:05Z\r\nWARC-Target-URI: {url}\r\n"
        f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(http)}\r\n\r\n"
    )
    return gzip.compress(head.encode() + http + b"\r\n\r\n", mtime=0)


GERMAN = (
    "Die Maschine liest die Seiten, prüft ihre Sprache und legt die guten Texte in einen Ordner. "
    "Danach werden doppelte Zeilen entfernt, und am Ende bleibt ein Bestand, aus dem ein Modell lernen kann. "
) * 6


@pytest.fixture
def small_crawl(tmp_path: Path) -> Path:
    """Three WARC shards and a reference file. What happens to the planted pages is said in `planted`."""
    texts = prose(46)
    folder = tmp_path / "crawl"
    folder.mkdir()
    pages = [response(f"https://site{n % 7}.example/{n}", html(text).encode()) for n, text in enumerate(texts[:30])]
    near = texts[3].replace("the", "this", 1)
    planted = [
        response("https://copy.example/exact", html(texts[2]).encode()),
        response("https://copy.example/near", html(near).encode()),
        response("https://other.example/german", html(GERMAN).encode()),
        response("https://other.example/short", html("Too short to say much.").encode()),
        response("https://other.example/missing", b"<p>gone</p>", status="404 Not Found"),
        response("https://other.example/image", b"\x89PNG", content_type="image/png"),
        response("https://other.example/blank", b"<html><body></body></html>"),
    ]
    (folder / "a.warc.gz").write_bytes(b"".join(pages[:15]))
    (folder / "b.warc.gz").write_bytes(b"".join(pages[15:]))
    damaged = response("https://damaged.example/", html(texts[30]).encode())
    (folder / "c.warc.gz").write_bytes(b"".join(planted[:3]) + damaged[:-40] + b"".join(planted[3:]))
    rows = [{"id": f"ref-{n}", "text": text} for n, text in enumerate(texts[31:])]
    (folder / "reference.jsonl.gz").write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode(), mtime=0))
    return folder


@pytest.fixture
def planted() -> dict[str, int]:
    """Reason to number of dropped documents of `small_crawl` under `RECIPE`; one more is unreadable."""
    return {
        "exact_duplicate": 1,
        "near_duplicate": 1,
        "html_language_not_wanted": 1,
        "gopher_too_few_words": 1,
        "http_status": 1,
        "content_type": 1,
        "no_text": 1,
    }


RECIPE = """
name: small
seed: 0
sources:
  web:
    kind: warc
    paths: {crawl}/*.warc.gz
    language: {{keep: [en], min_score: 0.5}}
    rules: [gopher_quality]
    reference: {{positives: {{kind: jsonl, paths: {crawl}/reference.jsonl.gz}}, keep: 1.0}}
    dedup: {{exact: true, lines: true, minhash: {{bands: 14, rows: 8, ngram: 5}}}}
  reference:
    kind: jsonl
    paths: {crawl}/reference.jsonl.gz
mixture: {{tokens: 20_000, weights: {{web: 0.7, reference: 0.3}}, max_epochs: 4, validation: 0.1, missing: report}}
tokens: {{tokenizer: {{train: 500}}, shard_tokens: 5_000}}
"""


@pytest.fixture
def small_recipe(small_crawl: Path, tmp_path: Path) -> Callable[..., str]:
    """Writes the recipe over `small_crawl`, with text appended, and returns its path."""

    def write(extra: str = "") -> str:
        path = tmp_path / "recipe.yaml"
        path.write_text(RECIPE.format(crawl=small_crawl) + extra)
        return str(path)

    return write


def pytest_configure(config: pytest.Config) -> None:
    """Has the kernels compiled before several test processes begin, each of which would compile them for itself."""
    if not config.getoption("numprocesses", None) or hasattr(config, "workerinput"):
        return
    # A second that no other start of pytest should take.
    from kernels.prepare import Work, prepare
    from pipeline.graph import steps_of
    from pipeline.recipe import load
    from pipeline.warm import warm

    works: dict[str, Work] = {}
    rules = "[gopher_repetition, gopher_quality, c4, fineweb, refinedweb, personal_data]"
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch("pipeline.warm.prepare", lambda found, _: works.update(found)),
    ):
        for name in ("a.warc.gz", "reference.jsonl.gz"):
            Path(folder, name).touch()
        Path(folder, "recipe.yaml").write_text(RECIPE.format(crawl=folder))
        for step in steps_of(load(f"{folder}/recipe.yaml", (f"sources.web.rules={rules}",))):
            warm(step, print)
    prepare(works, print)
