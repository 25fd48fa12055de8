"""What the documents made of pages promise: the same every time, in known shares, at about the planned distance."""

import gzip
import json
from collections import Counter
from itertools import combinations
from pathlib import Path
from random import Random

import numpy as np
import pytest

from benchmarks import mutations
from benchmarks.mutations import DIFFERENT, EXACT, NEAR, ORIGINAL, Mutations
from benchmarks.planted import similarity
from corpus.documents import document_id
from tests.conftest import prose


@pytest.fixture(scope="module")
def pages() -> list[str]:
    return prose(20, sentences=25)


def test_the_same_seed_gives_the_same_bytes_and_another_others(pages: list[str], tmp_path: Path) -> None:
    first, again, other = (
        mutations.corpus(pages, 300, seed, tmp_path / name) for name, seed in (("1", 5), ("2", 5), ("3", 6))
    )
    assert [Path(file).read_bytes() for file in first.files] == [Path(file).read_bytes() for file in again.files]
    assert first.texts == again.texts
    assert first.made == again.made
    assert first.texts != other.texts


def test_kinds_add_up_to_the_documents_and_each_original_is_there_once(pages: list[str], tmp_path: Path) -> None:
    corpus = mutations.corpus(pages, 400, 0, tmp_path / "corpus")
    kinds = Counter(each.kind for each in corpus.made)
    assert kinds.total() == len(corpus.texts) == 400
    assert kinds[ORIGINAL] == 400 // mutations.FAMILY == 20
    assert all(abs(kinds[kind] / 380 - share) < 0.1 for kind, share in mutations.SHARES.items())
    originals = [each.page for each in corpus.made if each.kind == ORIGINAL]
    assert len(set(originals)) == len(originals)
    for made, text in zip(corpus.made, corpus.texts, strict=True):
        if made.kind in (ORIGINAL, EXACT):
            assert made.page is not None
            assert text == pages[made.page]
        elif made.kind == NEAR:
            assert made.page in originals, "no copy is without its original"


def test_files_hold_every_document_in_order_and_ids_lead_back(pages: list[str], tmp_path: Path) -> None:
    corpus = mutations.corpus(pages, 61, 0, tmp_path / "corpus")
    assert len(corpus.files) == mutations.FILES
    rows, ids = [], []
    for shard, file in enumerate(corpus.files):
        lines = gzip.decompress(Path(file).read_bytes()).decode().splitlines()
        rows += [json.loads(line) for line in lines]
        ids += [document_id(shard, row) for row in range(len(lines))]
    assert [row["text"] for row in rows] == corpus.texts
    assert [int(row["id"]) for row in rows] == list(range(61))
    assert corpus.numbers(np.array(ids, np.uint64)).tolist() == list(range(61))


def test_pieces_are_the_whole_text() -> None:
    text = "One two.\n\nThree\tfour  five"
    assert mutations.pieces(text) == ["One ", "two.\n\n", "Three\t", "four  ", "five\n"]
    assert mutations.text_of(mutations.pieces(text)) == text


@pytest.mark.parametrize("jaccard", [0.5, 0.7, 0.9])
def test_edits_come_to_about_the_planned_similarity(pages: list[str], jaccard: float) -> None:
    made = Mutations(pages, Random(1))
    counted = [similarity(page, mutations.text_of(made.edited(made.pages[n], jaccard))) for n, page in enumerate(pages)]
    assert np.mean(counted) == pytest.approx(jaccard, abs=0.05)
    assert max(counted) < 1, "at least one word is changed"


def test_different_documents_are_unlike_every_other(pages: list[str], tmp_path: Path) -> None:
    corpus = mutations.corpus(pages, 60, 0, tmp_path / "corpus")
    different = {number for number, each in enumerate(corpus.made) if each.kind == DIFFERENT}
    assert len(different) > 15
    for a, b in combinations(range(60), 2):
        if a in different or b in different:
            assert similarity(corpus.texts[a], corpus.texts[b]) < 0.5
