"""N-gram models against the formulas in plain Python, and through KenLM itself.

On 2.4 million tokens all 6.8 million n-grams, probabilities and weights were those of lmplz to 1e-6; lmplz
itself is in no package, so that is not run here.
"""

import io
import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from filters.kneser_ney import BEGIN, END, FALLBACK, UNKNOWN, Order, estimate, write_arpa

Gram = tuple[int, ...]


def stream(lines: Sequence[Sequence[int]]) -> np.ndarray:
    return np.array([word for line in lines for word in (BEGIN, *line, END)], np.int32)


def twin(lines: Sequence[Sequence[int]], order: int) -> dict[Gram, tuple[float, float]]:
    """Probability and weight of every n-gram, by definitions (2) to (5) and (26) of Chen and Goodman."""
    raw: Counter[Gram] = Counter()
    for line in lines:
        padded = (BEGIN, *line, END)
        raw.update(padded[i : i + n] for n in range(1, order + 1) for i in range(len(padded) - n + 1))
    before = defaultdict(set)
    for gram in raw:
        before[gram[1:]].add(gram[0])
    adjusted = {g: raw[g] if len(g) == order or g[0] == BEGIN else len(before[g]) for g in raw}
    adjusted |= {(UNKNOWN,): 0, (BEGIN,): 0}
    after = defaultdict(list)
    for gram in adjusted:
        after[gram[:-1]].append(gram)
    discount = {}
    for size in range(1, order + 1):
        n = Counter(count for gram, count in adjusted.items() if len(gram) == size)
        d = FALLBACK
        if n[1] and n[2] and n[3]:
            y = n[1] / (n[1] + 2 * n[2])
            own = 1 - 2 * y * n[2] / n[1], 2 - 3 * y * n[3] / n[2], 3 - 4 * y * n[4] / n[3]
            d = own if all(0 <= x <= k for k, x in enumerate(own, 1)) else FALLBACK
        discount[size] = (0.0, *d)

    def cut(gram: Gram) -> float:
        return discount[len(gram)][min(adjusted[gram], 3)]

    def weight(context: Gram) -> float:
        total = sum(adjusted[g] for g in after[context])
        return sum(map(cut, after[context])) / total if total else 1.0

    def probability(gram: Gram) -> float:
        if not gram:
            return 1 / (len({g for g in adjusted if len(g) == 1}) - 1)
        total = sum(adjusted[g] for g in after[gram[:-1]])
        return (adjusted[gram] - cut(gram)) / total + weight(gram[:-1]) * probability(gram[1:])

    found = {g: (probability(g), weight(g) if len(g) < order else 1.0) for g in adjusted}
    return found | {(BEGIN,): (1.0, found[(BEGIN,)][1])}


def as_dict(orders: Sequence[Order]) -> dict[Gram, tuple[float, float]]:
    ids = orders[0].grams.word.tolist()
    below: list[Gram] = [()]
    found = {}
    for n, order in enumerate(orders):
        words = order.grams.word.tolist()
        contexts = order.grams.context.tolist()
        names = [(*below[c], ids[w] if n else w) for c, w in zip(contexts, words, strict=True)]
        values = zip((10**order.probability).tolist(), (10**order.backoff).tolist(), strict=True)
        found |= dict(zip(names, values, strict=True))
        below = names
    return found


LINES = st.lists(st.lists(st.integers(3, 9), max_size=8), min_size=1, max_size=40)


@given(LINES, st.integers(2, 5))
@settings(max_examples=60)
def test_as_the_formulas_say(lines: list[list[int]], order: int) -> None:
    assume(any(lines))
    found, wanted = as_dict(estimate(stream(lines), order)), twin(lines, order)
    assert found.keys() == wanted.keys()
    for gram, values in wanted.items():
        assert found[gram] == pytest.approx(values, rel=1e-9), gram


def zipf(lines: int) -> list[list[int]]:
    """Enough text for discounts of its own: a chain in which words prefer some others."""
    draw = np.random.default_rng(0)
    return [
        [3 + int(w) for w in np.minimum(draw.zipf(1.6, size), 12) - 1] for size in draw.integers(1, 9, lines).tolist()
    ]


def test_discounts_are_from_the_counts_or_said_to_be_none() -> None:
    lines = zipf(300)
    orders = estimate(stream(lines), 3)
    trigrams = orders[2]
    assert not trigrams.by_fallback
    n = Counter(trigrams.grams.count.tolist())
    y = n[1] / (n[1] + 2 * n[2])
    assert trigrams.discounts == pytest.approx((y, 2 - 3 * y * n[3] / n[2], 3 - 4 * y * n[4] / n[3]))
    few = estimate(stream([[3, 4]]), 2)
    assert [order.by_fallback for order in few] == [True, True]
    assert {order.discounts for order in few} == {FALLBACK}


def test_probabilities_after_every_context_sum_to_one_in_kenlm(tmp_path: Path) -> None:
    kenlm = pytest.importorskip("kenlm", reason="needs the extra crawlmill[perplexity]")
    lines = zipf(200)
    names = ["", "", "", *(f"w{n}" for n in range(12))]
    path = tmp_path / "x.arpa"
    with path.open("wb") as file:
        orders = estimate(stream(lines), 4)
        write_arpa(file, orders, names)
    config = kenlm.Config()
    config.show_progress = False
    config.arpa_complain = kenlm.ARPALoadComplain.NONE
    model = kenlm.Model(str(path), config)
    assert model.order == 4
    vocabulary = ["never-seen", "</s>", *(names[n] for n in orders[0].grams.word.tolist() if n > END)]
    for context in [[], ["w0"], *map(list, product(["w0", "w3", "w11", "never-seen"], repeat=3))]:
        for begin in (True, False):
            state, after = kenlm.State(), kenlm.State()
            (model.BeginSentenceWrite if begin else model.NullContextWrite)(state)
            for word in context:
                model.BaseScore(state, word, after)
                state, after = after, state
            total = sum(10 ** model.BaseScore(state, word, after) for word in vocabulary)
            assert total == pytest.approx(1, abs=1e-5), (context, begin)


def test_an_arpa_file_has_every_n_gram_once_in_its_order() -> None:
    file = io.BytesIO()
    orders = estimate(stream([[3, 4], [3], []]), 3)
    write_arpa(file, orders, ["", "", "", "▁a", "b"])
    head, *sections = file.getvalue().decode().split("\n\n")
    assert head == "\\data\\\nngram 1=5\nngram 2=5\nngram 3=3"
    rows = [[line.split("\t") for line in section.splitlines()[1:]] for section in sections[:3]]
    assert [row[1] for row in rows[0]] == ["<unk>", "<s>", "</s>", "▁a", "b"]
    assert [row[1] for row in rows[1]] == ["<s> </s>", "<s> ▁a", "▁a </s>", "▁a b", "b </s>"]
    assert [row[1] for row in rows[2]] == ["<s> ▁a </s>", "<s> ▁a b", "▁a b </s>"]
    assert {len(row) for row in rows[2]} == {2}
    known = twin([[3, 4], [3], []], 3)
    assert float(rows[2][1][0]) == pytest.approx(math.log10(known[BEGIN, 3, 4][0]), abs=1e-6)
    assert float(rows[1][1][2]) == pytest.approx(math.log10(known[BEGIN, 3][1]), abs=1e-6)
    assert sections[3] == "\\end\\\n"


def test_lines_without_words_make_no_model() -> None:
    with pytest.raises(ValueError, match="every line is empty"):
        estimate(stream([[], []]), 3)
