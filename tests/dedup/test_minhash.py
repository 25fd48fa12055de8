import random

import numpy as np
from datasketch import MinHash, MinHashLSH
from hypothesis import given
from hypothesis import strategies as st

from dedup.minhash import clusters
from kernels import signatures
from kernels.texts import Texts

WORDS = [f"word{n}" for n in range(5000)]


def document(seed: int, length: int = 300) -> list[str]:
    return random.Random(seed).choices(WORDS, k=length)


def changed(words: list[str], share: float, seed: int) -> list[str]:
    """`words` with a `share` of them replaced, in one run, so that few n-grams straddle the change."""
    count = round(share * len(words))
    return words[: len(words) - count] + document(seed + 10**6, count)


def shingles(text: str, ngram: int) -> np.ndarray:
    return np.unique(signatures.shingles(Texts.of([text]), ngram)[0])


def band_hashes(texts: list[str], bands: int, rows: int, ngram: int) -> np.ndarray:
    return signatures.band_hashes(Texts.of(texts), bands, rows, ngram)


def jaccard(a: str, b: str, ngram: int = 5) -> float:
    left, right = set(shingles(a, ngram).tolist()), set(shingles(b, ngram).tolist())
    return len(left & right) / len(left | right)


def test_shingles_are_the_distinct_word_ngrams() -> None:
    assert len(shingles("a b c d e f", 5)) == 2
    assert len(shingles("a a a a a a a a", 5)) == 1
    assert len(shingles("A, b. C?", 5)) == 1
    assert np.array_equal(shingles("A, b. C?", 5), shingles("a b c", 5))
    assert len(shingles("... ---", 5)) == 0
    assert len(shingles("这是中文网页的内容", 5)) == 5, "characters are the words of a script without spaces"


def test_order_matters_within_a_shingle() -> None:
    assert not set(shingles("a b c d e", 5).tolist()) & set(shingles("e d c b a", 5).tolist())


def test_recall_follows_the_s_curve() -> None:
    """P(candidates) = 1 - (1 - J^rows)^bands, at similarities measured on the shingles themselves."""
    bands, rows, pairs = 14, 8, 150
    for share in (0.02, 0.1, 0.15, 0.3):
        found, expected, variance = 0, 0.0, 0.0
        for seed in range(pairs):
            words = document(seed)
            texts = [" ".join(words), " ".join(changed(words, share, seed))]
            hashes = band_hashes(texts, bands, rows, 5)
            found += bool((hashes[0] == hashes[1]).any())
            chance = 1 - (1 - jaccard(*texts) ** rows) ** bands
            expected += chance
            variance += chance * (1 - chance)
        assert abs(found - expected) <= 4 * variance**0.5 + 1, (share, found, expected)


def test_the_same_pairs_as_datasketch_where_the_s_curve_leaves_no_doubt() -> None:
    texts = [" ".join(document(seed)) for seed in range(40)]
    texts += [" ".join(changed(document(seed), 0.01, seed)) for seed in range(20)]
    index = MinHashLSH(params=(14, 8), num_perm=112)
    for n, text in enumerate(texts):
        signature = MinHash(num_perm=112)
        words = text.split()
        signature.update_batch([" ".join(words[i : i + 5]).encode() for i in range(len(words) - 4)])
        twins = index.query(signature)
        assert twins == ([] if n < 40 else [n - 40])
        index.insert(n, signature)
    ours = clusters(band_hashes(texts, 14, 8, 5))
    assert ours.tolist() == [*range(40), *range(20)]


def test_texts_without_words_are_nobodys_duplicates() -> None:
    hashes = band_hashes(["", "...", "", "word", "word"], 14, 8, 5)
    assert clusters(hashes).tolist() == [0, 1, 2, 3, 3]


@given(st.lists(st.lists(st.integers(0, 6), min_size=3, max_size=3), min_size=1, max_size=40))
def test_clusters_are_the_connected_components(rows: list[list[int]]) -> None:
    """Against a plain search over shared bands; 0 joins nobody."""
    hashes = np.array(rows, np.uint64)
    n = len(rows)
    label = list(range(n))
    for _ in range(n):
        for i in range(n):
            for j in range(n):
                if any(a == b != 0 for a, b in zip(rows[i], rows[j], strict=True)):
                    label[i] = label[j] = min(label[i], label[j])
    assert clusters(hashes).tolist() == label


def test_another_order_of_documents_finds_the_same_clusters() -> None:
    texts = [" ".join(changed(document(seed % 30), 0.01 * (seed // 30), seed)) for seed in range(90)]
    order = np.random.default_rng(0).permutation(len(texts))
    first = clusters(band_hashes(texts, 14, 8, 5))
    shuffled = clusters(band_hashes([texts[i] for i in order], 14, 8, 5))
    groups = {frozenset(np.flatnonzero(first == c).tolist()) for c in set(first.tolist())}
    assert {frozenset(order[shuffled == c].tolist()) for c in set(shuffled.tolist())} == groups
