import random

import numpy as np
from datasketch import MinHash, MinHashLSH, bBitMinHash

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
    ours = band_hashes(texts, 14, 8, 5)
    shared = (ours[:, None, :] == ours[None, :, :]).any(axis=2)
    assert [np.flatnonzero(row)[0] for row in shared] == [*range(40), *range(20)]


def test_a_text_without_words_has_no_band() -> None:
    hashes = band_hashes(["", "...", "word"], 14, 8, 5)
    assert hashes.any(axis=1).tolist() == [False, False, True]


def test_sketches_estimate_similarity_as_well_as_datasketchs_bytes() -> None:
    """The mean error over pairs of known similarity, beside that of minwise hashes of 8 bits."""
    ours, theirs = [], []
    for seed in range(60):
        words = document(seed)
        texts = [" ".join(words), " ".join(changed(words, 0.02 * (seed % 10), seed))]
        truth = jaccard(*texts)
        _, sketches = signatures.sign(Texts.of(texts), 14, 8, 5)
        equal = float((sketches[0] == sketches[1]).mean())
        ours.append(abs((equal - 1 / 256) / (1 - 1 / 256) - truth))
        pair = [MinHash(num_perm=112) for _ in texts]
        for signature, text in zip(pair, texts, strict=True):
            signature.update_batch([s.tobytes() for s in shingles(text, 5)])
        theirs.append(abs(bBitMinHash(pair[0], 8).jaccard(bBitMinHash(pair[1], 8)) - truth))
    assert np.mean(ours) < 1.2 * np.mean(theirs)
    assert np.mean(ours) < 0.04


def test_shingle_sets_are_the_distinct_shingles_sorted() -> None:
    texts = ["a b c d e f", "", "a a a a a a a a", "one"]
    first, hashes = signatures.shingle_sets(Texts.of(texts), 5)
    assert [hashes[first[i] : first[i + 1]].tolist() for i in range(4)] == [shingles(t, 5).tolist() for t in texts]


def test_sampled_shingles_are_the_same_ones_in_every_text() -> None:
    """So of a text that is wholly in another, all are in the other's; they are one in `every`, and at least one."""
    words = document(1, 20_000)
    texts = [" ".join(words), " ".join(words[5_000:12_000]), "a short text", ""]
    first, hashes = signatures.sampled_shingles(Texts.of(texts), 5, 64)
    whole, part, short, none = (hashes[first[i] : first[i + 1]] for i in range(4))
    assert set(part.tolist()) <= set(whole.tolist())
    assert abs(len(part) - 7_000 / 64) < 4 * (7_000 / 64) ** 0.5
    assert (len(short), len(none)) == (1, 0)


def test_text_hashes_are_128_bits() -> None:
    hashes = signatures.text_hashes(Texts.of(list(map(str, range(1000)))))
    assert hashes.shape == (1000, 2)
    assert len(np.unique(hashes[:, 0])) == len(np.unique(hashes[:, 1])) == 1000
