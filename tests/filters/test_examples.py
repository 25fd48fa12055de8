from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from filters.examples import choose, hosts_of, sides_of, sites_of
from kernels.texts import Texts


def table(
    texts: list[str], urls: list[str | None] | None = None, languages: list[str | None] | None = None
) -> pa.Table:
    n = len(texts)
    return pa.table(
        {
            "id": pa.array(range(n), pa.uint64()),
            "url": pa.array(urls or [None] * n, pa.string()),
            "language": pa.array(languages or ["en"] * n, pa.string()),
            "text": pa.array(texts, pa.large_string()),
        }
    )


def texts(name: str, count: int, words: int | None = None) -> list[str]:
    """Texts of that many words, or of 5 to 800."""
    random = np.random.default_rng(len(name))
    sizes = [words] * count if words else np.exp(random.uniform(np.log(5), np.log(800), count)).astype(int)
    return [f"{name}{n} " + "word " * size for n, size in enumerate(sizes)]


def urls(count: int, name: str = "site") -> list[str | None]:
    return [f"https://{name}{n}.example/page" for n in range(count)]


def test_pages_of_a_positives_host_or_with_its_text_are_no_examples() -> None:
    positives = table(["one text", "two texts", "three texts"], ["https://a.example/1", None, "http://B.example:80/"])
    pages = ["ONE  text", "an other text", "more texts", "last text", "Two\nTexts"]
    places = ["https://c.example/", "https://a.example/2", "https://b.example/", "https://c.example/2", None]
    found = choose(positives, table(pages, places), seed=0, match_length=False)
    assert found.left_out == {"host_of_a_positive": 2, "text_of_a_positive": 2, "language_not_matched": 1}
    kept = [t for t, label in zip(found.texts.to_list(), found.labels, strict=True) if label == 0]
    assert kept == ["last text"]


def test_equal_texts_count_once_and_empty_ones_not_at_all() -> None:
    pages = table(["a page", "A  page", " \n", "", "another page"])
    found = choose(table(["some text", "more text"]), pages, seed=0, match_length=False)
    assert found.left_out == {"no_text": 2, "text_twice": 1}
    assert found.labels.tolist() == [1, 1, 0, 0]


def test_the_order_of_the_documents_changes_nothing_and_the_seed_does() -> None:
    positives, pages = table(texts("a", 200)), table(texts("page", 300), urls(300))
    shuffled = np.random.default_rng(0).permutation(300)
    one = choose(positives, pages, seed=1, most=50)
    two = choose(positives, pages.take(shuffled), seed=1, most=50)
    assert one.texts.to_list() == two.texts.to_list()
    assert one.texts.urls == two.texts.urls
    assert one.texts.to_list() != choose(positives, pages, seed=2, most=50).texts.to_list()


def test_pages_are_drawn_from_all_and_no_more_than_the_most() -> None:
    found = choose(table(texts("a", 400, 50)), table(texts("p", 1000, 50), urls(1000)), seed=0, most=100)
    assert np.bincount(found.labels).tolist() == [100, 100]
    numbers = [int(url.split("site")[1].split(".")[0]) for url in found.texts.urls if url]
    assert min(numbers) < 100
    assert max(numbers) > 900
    assert found.left_out["over_the_most"] > 100


@pytest.mark.parametrize(("positives", "pages"), [(300, 300), (900, 200), (150, 1200)])
def test_lengths_and_languages_do_not_tell_the_classes_apart(positives: int, pages: int) -> None:
    random = np.random.default_rng(0)
    long = [text * 4 for text in texts("a", positives)]
    first = table(
        long, languages=[["en", "de", None, "el"][k] for k in random.choice(4, positives, p=[0.7, 0.1, 0.1, 0.1])]
    )
    other: list[str | None] = [["en", "de", None, "zh"][k] for k in random.choice(4, pages, p=[0.3, 0.5, 0.1, 0.1])]
    found = choose(first, table(texts("page", pages), urls(pages), other), seed=0)
    lengths = np.floor(np.log2(np.diff(found.texts.offsets)) * 2).astype(int)
    cells = list(zip(found.texts.languages, lengths, strict=True))
    counts = [Counter(cell for cell, k in zip(cells, found.labels, strict=True) if k == label) for label in (1, 0)]
    ratio = (found.labels == 1).sum() / (found.labels == 0).sum()
    assert {language for language, _ in cells} == {"en", "de", None}
    for cell in {*cells}:
        # Whole documents come as near to the ratio as one of them.
        of_positives, of_pages = (count[cell] for count in counts)
        assert abs(of_positives - ratio * of_pages) <= 2 * max(1, ratio), (cell, of_positives, of_pages, ratio)
    assert found.left_out["language_not_matched"] > 0
    assert found.left_out["length_not_matched"] > 0
    # What is left is told apart by length no better than chance allows.
    sizes = np.diff(found.texts.offsets)
    means = [np.log(sizes[found.labels == label]).mean() for label in (1, 0)]
    assert abs(means[0] - means[1]) < 0.12
    assert sum(found.left_out.values()) + len(found.labels) == positives + pages


def test_without_matching_lengths_both_classes_keep_theirs() -> None:
    positives, pages = table(texts("a", 100, 400)), table(texts("page", 100, 10))
    found = choose(positives, pages, seed=0, match_length=False)
    assert len(found.labels) == 200
    with pytest.raises(
        ValueError, match=r"over 2,00\d bytes\) and pages \(5\d\) have no length in common.*cut the longer"
    ):
        choose(positives, pages, seed=0)


@pytest.mark.parametrize(
    ("positives", "pages", "message"),
    [
        ([], ["a page"], "there are no positives with a text"),
        (["  "], ["a page"], "there are no positives with a text"),
        (["a text"], [], "there are no pages with a text"),
        (["a text"], ["A TEXT"], "no page is left to tell positives from: 0 are of a positive's host and 1 have"),
    ],
)
def test_a_class_without_examples_is_said(positives: list[str], pages: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        choose(table(positives), table(pages), seed=0)


def test_classes_without_a_common_language_are_refused() -> None:
    with pytest.raises(ValueError, match=r"positives \(de\) and pages \(en, unknown\) have no language in common"):
        choose(table(["ein Text"], languages=["de"]), table(["a", "b"], languages=["en", None]), seed=0)


def test_a_host_is_on_one_side_unless_it_is_most_of_a_class() -> None:
    encyclopedia: list[str | None] = [f"https://en.encyclopedia.example/{n}" for n in range(200)]
    crawl = [f"https://site{n % 50}.example/{n}" for n in range(200)]
    found = choose(
        table(texts("a", 200, 50), encyclopedia), table(texts("page", 200, 50), [*crawl]), seed=0, match_length=False
    )
    assert found.split_hosts == ("en.encyclopedia.example",)
    sides: dict[str | None, set[int]] = {}
    for host, side in zip(hosts_of(found.texts.urls), found.sides.tolist(), strict=True):
        sides.setdefault(host, set()).add(side)
    assert sides.pop("en.encyclopedia.example") == {0, 1}
    assert len(sides) == 50
    assert all(len(side) == 1 for side in sides.values())
    assert found.sides.tolist() == sides_of(found.texts, found.split_hosts).tolist()


def test_texts_without_a_host_go_by_the_text_whatever_its_case() -> None:
    given = Texts.of(
        ["One text.", "one  TEXT.", "another", "another"], urls=[None, "enwiki:1", "http://[", "https://a.example"]
    )
    sites = sites_of(given, ())
    assert sites[0] == sites[1]
    assert len({*sites.tolist()}) == 3
    assert hosts_of(given.urls) == [None, None, None, "a.example"]


def test_some_examples_are_taken_with_all_that_is_known_of_them() -> None:
    found = choose(table(texts("a", 50, 40)), table(texts("page", 50, 40), urls(50)), seed=0)
    rows = np.array([70, 3, 51])
    some = found.take(rows)
    assert some.texts.to_list() == [found.texts.to_list()[row] for row in rows]
    assert some.texts.urls == [found.texts.urls[row] for row in rows]
    assert some.labels.tolist() == found.labels[rows].tolist() == [0, 1, 0]
    assert some.sides.tolist() == found.sides[rows].tolist()
