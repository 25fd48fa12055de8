"""datatrove's filters as families, against datatrove's own pipeline step on the same documents."""

import functools
import json
import pickle
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, Self

import numpy as np
import pytest
import tldextract
from datatrove.data import Document
from datatrove.pipeline import filters as theirs
from datatrove.pipeline.filters.base_filter import BaseFilter

from filters import datatrove_filters, rules
from kernels.texts import Texts

PROSE = "The people of the town have a good plan for the park, and that is what they want to be known with."
SENTENCES = "\n".join(f"{PROSE} This is sentence number {n} of the whole page." for n in range(6))
TEXTS = [
    SENTENCES,
    f"Home\nAbout us\n{SENTENCES}\nWe use cookies on this page, as you know.\nAll rights reserved",
    PROSE,
    "",
    "# # # # the and of to",
    "\n".join([PROSE] * 20),
    "\n".join(f"- item {n} of the list" for n in range(40)),
    f"{SENTENCES}\nvar x = {{}} is not prose, you know.",
    f"{SENTENCES}\nLorem ipsum dolor sit amet.",
    "\n".join(["x" * 250] * 3),
    "短い日本語の文章です。" * 30,
    f"{SENTENCES}\n1234-5678",
]
URLS = [f"https://example.com/page-{n}" for n in range(len(TEXTS))]
LANGUAGES = ["en"] * 10 + ["ja", None]
SETTINGS: list[tuple[str, dict[str, Any]]] = [
    ("GopherQualityFilter", {"min_doc_words": 15, "stop_words": ["the", "of", "plan"]}),
    ("GopherQualityFilter", {}),
    ("GopherRepetitionFilter", {}),
    ("GopherRepetitionFilter", {"top_n_grams": [[2, 0.5]], "dup_n_grams": []}),
    ("C4QualityFilter", {"filter_no_terminal_punct": False, "filter_curly_bracket": False}),
    ("C4QualityFilter", {}),
    ("C4ParagraphFilter", {}),
    ("FineWebQualityFilter", {"stop_chars": [".", "。"], "char_duplicates_ratio": 0.1}),
    ("RegexFilter", {"regex_exp": r"\d{4}-\d{4}"}),
]


# datatrove 0.10.1 asks tldextract 5 for a property that tldextract 6 will not have.
old_property = pytest.mark.filterwarnings("ignore:The 'registered_domain' property is deprecated:DeprecationWarning")


class Collected:
    """Where datatrove writes what it drops."""

    def __init__(self) -> None:
        self.reasons: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def write(self, document: Document, rank: int) -> None:
        self.reasons[document.id] = document.metadata.get("filter_reason", "")


def run_datatrove(name: str, settings: dict[str, Any], urls: list[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Texts of the documents it keeps and reasons for those it drops, by row."""
    dropped = Collected()
    step = getattr(theirs, name)(**settings, exclusion_writer=dropped)
    documents = [
        Document(text, str(row), metadata={"url": urls[row], "language": LANGUAGES[row] or "en"})
        for row, text in enumerate(TEXTS)
    ]
    return {document.id: document.text for document in step.run(documents)}, dropped.reasons


def measured(name: str, settings: dict[str, Any], texts: Texts) -> tuple[list[int], list[str], Texts]:
    family = datatrove_filters.family(f"datatrove.{name}", settings)
    # As a worker gets it.
    family = pickle.loads(pickle.dumps(family))
    columns, after = family.measure(texts, **family.parameters)
    assert set(columns) == set(family.signals)
    assert columns["dropped"].dtype == np.int64
    return columns["dropped"].tolist(), columns["reason"].tolist(), after


def assert_same(name: str, settings: dict[str, Any], urls: list[str]) -> dict[str, str]:
    kept, reasons = run_datatrove(name, settings, urls)
    dropped, why, after = measured(name, json.loads(json.dumps(settings)), Texts.of(TEXTS, LANGUAGES, urls))
    assert dropped == [str(row) not in kept for row in range(len(TEXTS))]
    assert why == [reasons.get(str(row), "") for row in range(len(TEXTS))]
    rewritten = after.to_list()
    assert {row: rewritten[int(row)] for row in kept} == kept
    return reasons


@pytest.mark.parametrize(("name", "settings"), SETTINGS)
def test_verdicts_reasons_and_texts_equal_datatroves_own_step(name: str, settings: dict[str, Any]) -> None:
    # Their own constructor wants the tuple for this one.
    if "stop_chars" in settings:
        kept = datatrove_filters._tuples(settings["stop_chars"])
        assert assert_same(name, {**settings, "stop_chars": kept}, URLS)
    else:
        assert assert_same(name, settings, URLS)


@old_property
def test_the_url_filter_sees_the_url(monkeypatch: pytest.MonkeyPatch) -> None:
    # Without this it would ask the network for the list of public suffixes.
    monkeypatch.setattr(tldextract, "TLDExtract", functools.partial(tldextract.TLDExtract, suffix_list_urls=()))
    urls = [*URLS[:-3], "https://bad.example.org/x", "https://example.com/casino-now", "https://ok.com/freebooze"]
    settings = {
        "use_integrated_lists": False,
        "extra_domains": ["example.org"],
        "banned_words": ["casino"],
        "banned_subwords": ["booze"],
    }
    reasons = assert_same("URLFilter", settings, urls)
    assert reasons == {"9": "domain", "10": "hard_blacklisted", "11": "blacklisted_subword"}


@old_property
def test_an_url_that_is_missing_is_an_error_with_the_filters_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tldextract, "TLDExtract", functools.partial(tldextract.TLDExtract, suffix_list_urls=()))
    family = datatrove_filters.family("datatrove.URLFilter", {"use_integrated_lists": False})
    with pytest.raises(ValueError, match=r"datatrove\.URLFilter failed on document 1: AssertionError: .* url"):
        family.measure(Texts.of(["a", "b"], urls=["https://example.com", None]), **family.parameters)


def test_later_families_see_the_text_that_c4_leaves() -> None:
    texts = Texts.of(TEXTS[1:3], ["en", None], URLS[1:3])
    dropped, reasons, after = measured("C4QualityFilter", {}, texts)
    assert dropped == [0, 1]
    assert reasons == ["", "too_few_sentences"]
    assert after.to_list() == [SENTENCES, PROSE]
    assert (after.languages, after.urls) == (texts.languages, texts.urls)


def test_texts_that_nothing_changed_are_the_same_object() -> None:
    texts = Texts.of(TEXTS)
    assert measured("C4ParagraphFilter", {}, texts)[2] is texts
    empty = Texts.of([])
    assert measured("C4ParagraphFilter", {}, empty) == ([], [], empty)


def test_the_rule_names_datatroves_reason_as_its_detail() -> None:
    family = datatrove_filters.family("datatrove.C4ParagraphFilter", {})
    [rule] = family.rules
    assert (rule.name, rule.signal, rule.side, rule.bound, rule.detail) == (
        "datatrove.C4ParagraphFilter",
        "dropped",
        "max",
        0,
        "reason",
    )


def test_what_is_measured_depends_on_settings_and_version_and_is_json() -> None:
    one = datatrove_filters.family("datatrove.GopherQualityFilter", {"min_doc_words": 100})
    other = datatrove_filters.family("datatrove.GopherQualityFilter", {"min_doc_words": 101})
    assert json.loads(json.dumps(one.measuring)) == one.measuring != other.measuring
    assert one.measuring["version"] == "0.10.1"
    with pytest.raises(ValueError, match=r"has datatrove 0\.10\.1 and the run datatrove 0\.9; install the same"):
        one.measure(Texts.of(["a"]), version="0.9", settings={})


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("GopherQualtyFilter", {}, r"no filter 'datatrove\.GopherQualtyFilter'; .* 'datatrove\.GopherQualityFilter'"),
        ("BaseFilter", {}, "no filter"),
        ("GopherQualityFilter", {"min_words": 1}, "GopherQualityFilter takes no 'min_words'; it takes min_doc_words, "),
        ("GopherQualityFilter", {"exclusion_writer": "x"}, "takes no 'exclusion_writer'"),
        ("C4ParagraphFilter", {"x": 1}, "it takes none"),
        ("RegexFilter", {}, "RegexFilter needs 'regex_exp'; it takes regex_exp"),
        ("RegexFilter", {"regex_exp": "("}, r"RegexFilter does not take .*unterminated subpattern"),
        ("RegexFilter", {"regex_exp": {1}}, "settings of .*RegexFilter must be JSON"),
        ("GopherQualityFilter", {"min_doc_words": float("nan")}, "must be JSON"),
        ("LambdaFilter", {"filter_function": "len"}, "LambdaFilter cannot be used here: .* a Python function"),
        ("SamplerFilter", {"rate": 0.5, "seed": 1}, "SamplerFilter cannot be used here: .* number of workers"),
        ("C4BadWordsFilter", {"keep_fraction": 0.1}, "C4BadWordsFilter cannot be used here: .* leave it at 0"),
        # Never there: it would overwrite the files of fasttext-numpy2, which crawlmill needs.
        ("LanguageFilter", {}, "LanguageFilter needs packages that are not installed: .*fasttext-numpy2-wheel"),
    ],
)
def test_a_users_mistake_is_named(name: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        datatrove_filters.family(f"datatrove.{name}", settings)


def test_a_setting_of_the_wrong_type_is_an_error_with_the_filters_name() -> None:
    family = datatrove_filters.family("datatrove.GopherQualityFilter", {"min_doc_words": "ten"})
    with pytest.raises(ValueError, match=r"datatrove\.GopherQualityFilter failed on document 0: TypeError"):
        family.measure(Texts.of([PROSE]), **family.parameters)


def test_without_datatrove_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datatrove.pipeline", None)
    with pytest.raises(ValueError, match=r'needs datatrove .*pip install "crawlmill\[datatrove\]"'):
        datatrove_filters.family("datatrove.RegexFilter", {"regex_exp": "not built before"})


def test_datatrove_is_imported_when_it_is_asked_for_and_not_before() -> None:
    code = "import sys, filters.datatrove_filters; sys.exit(any(name.startswith('datatrove.') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A filter of the test's own, and the settings with which it was built."""
    built: list[str] = []

    class Counting(BaseFilter):  # type: ignore[misc]
        name = "counting"

        def __init__(self, letter: str) -> None:
            super().__init__()
            built.append(letter)

        def filter(self, doc: Document) -> bool:
            raise NotImplementedError

        def filter_batch(self, batch: list[Document]) -> list[bool]:
            return [document.metadata == {"language": "de"} for document in batch]

    monkeypatch.setattr(theirs, "Counting", Counting, raising=False)
    yield built
    datatrove_filters._build.cache_clear()


def test_a_filter_is_built_once_for_the_same_settings(counted: list[str]) -> None:
    texts = Texts.of(["x", "y"], ["de", None])
    for letter in "aab":
        assert measured("Counting", {"letter": letter}, texts) == ([0, 1], ["", ""], texts)
    assert counted == ["a", "b"]


def test_verdicts_do_not_build_the_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("filters.datatrove_filters._build", None)
    families = rules.resolve([{"datatrove.GopherQualityFilter": {"min_doc_words": 100}}], check=False)
    verdicts = rules.judge(families, {"datatrove.GopherQualityFilter_dropped": np.array([0, 1])}, 2)
    assert verdicts.first.tolist() == [-1, 0]
