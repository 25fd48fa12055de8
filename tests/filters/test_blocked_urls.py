"""What lists of UT1's form hold, and datatrove's URLFilter on the URLs of real pages where definitions agree."""

import functools
import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
import tldextract

from filters import rules
from kernels.texts import Texts


def write(path: Path, *lines: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))
    return str(path)


def judged(urls: list[str | None], /, **parameters: Any) -> list[tuple[int, str]]:
    families = rules.resolve([{"blocked_urls": parameters}])
    columns, _ = rules.measure(Texts.of([""] * len(urls), urls=urls), families)
    return list(zip(columns["blocked_urls_blocked"].tolist(), columns["blocked_urls_by"].tolist(), strict=True))


def blocked(urls: list[str], /, **parameters: Any) -> list[str]:
    return [url for url, (lists, _) in zip(urls, judged([*urls], **parameters), strict=True) if lists]


def test_a_domain_is_its_subdomains_and_nothing_else(tmp_path: Path) -> None:
    list_of = write(tmp_path / "adult/domains", "# comment", "Example.com", "", "bücher.example", "192.0.2.1")
    bad = [
        "https://example.com",
        "http://user@WWW.Example.com.:8080/path",
        "https://a.b.example.com/?q=1",
        "https://xn--bcher-kva.example/",
        "https://www.BÜCHER.example/",
        "http://192.0.2.1/a",
    ]
    good = [
        "https://notexample.com/",
        "https://example.com.org/",
        "https://other.org/example.com",
        "https://example.com@other.org/",
        "http://1.192.0.2.1/",
        "",
    ]
    assert blocked(bad + good, domains=list_of) == bad


def test_the_reason_is_the_category_and_the_kind(tmp_path: Path) -> None:
    parameters: dict[str, Any] = {
        "domains": [write(tmp_path / "ut1/adult/domains", "a.com"), write(tmp_path / "my list.txt", "b.com", "a.com")],
        "urls": write(tmp_path / "ut1/games/urls", "b.com/play"),
        "expressions": write(tmp_path / "ut1/adult/expressions", r"(^|[-?+=&/_])(xyzzy|plugh)s?([-?+=&/_]|$)"),
        "words": write(tmp_path / "bets.txt", "kazino"),
        "soft_words": write(tmp_path / "soft/soft_words", "fun", "hot", "top"),
        "allow": write(tmp_path / "allowed", "good.a.com"),
    }
    urls = [
        "https://a.com/",
        "https://x.good.a.com/kazino",
        "https://b.com/Play/1",
        "https://c.com/XYZZYS/",
        "https://c.com/my-Kazino?x",
        "https://c.com/top/hot",
        "https://c.com/top/top",
        "https://c.com/kazinos",
        None,
    ]
    assert judged(urls, **parameters) == [
        (2, "adult.domain"),
        (0, ""),
        (2, "my_list.domain"),
        (1, "adult.expression"),
        (1, "bets.word"),
        (1, "soft.soft_word"),
        (0, ""),
        (0, ""),
        (0, ""),
    ]
    families = rules.resolve([{"blocked_urls": parameters}])
    columns, _ = rules.measure(Texts.of([""] * len(urls), urls=urls), families)
    reasons = rules.reasons(families, rules.judge(families, columns, len(urls)), columns)
    assert reasons.to_pylist()[:2] == ["blocked_url.adult.domain", None]
    assert reasons.to_pylist()[3] == "blocked_url.adult.expression"


def test_an_address_is_what_starts_with_it(tmp_path: Path) -> None:
    listed = write(tmp_path / "urls", "Example.com/~bob/", "www.b.com/view?user=", "c.com/a/b?x=1", "d.com")
    bad = [
        "https://example.com/~bob",
        "https://www.example.com/~Bob/page#x",
        "https://b.com/view?user=eve",
        "https://c.com/a/b?x=1&y=2",
        "https://d.com",
        "https://d.com/a",
        "https://d.com?a",
    ]
    good = [
        "https://example.com/~bobby",
        "https://sub.example.com/~bob",
        "https://example.com/",
        "https://b.com/view?usher=eve",
        "https://c.com/a/b?x=12",
        "https://c.com/a",
        "https://d.community/",
    ]
    assert blocked(bad + good, urls=listed) == bad


def test_words_are_decoded_and_in_any_script(tmp_path: Path) -> None:
    listed = write(tmp_path / "words", "Плохо", "bad")
    bad = ["https://a.com/%D0%BF%D0%BB%D0%BE%D1%85%D0%BE.html", "https://a.com/плохо", "https://bad.com", "x/a_BAD_b"]
    good = ["https://a.com/badly", "https://a.com/bad1", "https://a.com/notbad"]
    assert blocked(bad + good, words=listed) == bad


@pytest.mark.parametrize(
    ("parameter", "line", "message"),
    [
        ("domains", "https://example.com", "list, line 3: 'https://example.com' is an address; a list of domains has"),
        ("domains", "two words", "list, line 3: 'two words' is no domain and no IP address; write \"example.com\""),
        ("allow", "*.example.com", "list, line 3: '*.example.com' is no domain"),
        ("urls", "http://a.com/b", "list, line 3: 'http://a.com/b' has a scheme; write \"example.com/path\""),
        ("expressions", "(a", "list, line 3: '(a' is no regular expression of Python's (missing )"),
        ("expressions", "[[:alpha:]]x", "list, line 3: '[[:alpha:]]x' is no regular expression of Python's (Possible"),
        ("words", "two words", "list, line 3: 'two words' is no single word; write letters and digits alone"),
        ("soft_words", "x_y", "list, line 3: 'x_y' is no single word"),
    ],
)
def test_a_line_that_is_no_entry_is_named(tmp_path: Path, parameter: str, line: str, message: str) -> None:
    ok = write(tmp_path / "ok", "example")
    listed = write(tmp_path / "list", "# lines", "example", line)
    with pytest.raises(ValueError, match=re.escape(message)):
        rules.resolve([{"blocked_urls": {"words": ok, parameter: listed}}])


def test_without_lists_there_is_nothing_to_block(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="blocked_urls: there is nothing to block; name lists"):
        rules.resolve(["blocked_urls"])
    with pytest.raises(ValueError, match="there is nothing to block"):
        rules.resolve([{"blocked_urls": {"allow": write(tmp_path / "allow", "a.com")}}])


def test_gzip_and_a_list_that_changes(tmp_path: Path) -> None:
    listed = tmp_path / "adult/domains.gz"
    listed.parent.mkdir()
    listed.write_bytes(gzip.compress(b"a.com\n"))
    assert judged(["https://a.com", "https://b.com"], domains=str(listed)) == [(1, "adult.domain"), (0, "")]
    listed.write_bytes(gzip.compress(b"a.com\nb.com\n"))
    assert judged(["https://a.com", "https://b.com"], domains=str(listed)) == [(1, "adult.domain")] * 2


@pytest.fixture(scope="module")
def real_urls(shared_data: Path) -> list[str]:
    with gzip.open(shared_data / "pages/index.jsonl.gz", "rt") as lines:
        return [json.loads(line)["url"] for line in lines]


@pytest.fixture
def without_network(monkeypatch: pytest.MonkeyPatch) -> None:
    # It would ask for the list of public suffixes.
    monkeypatch.setattr(tldextract, "TLDExtract", functools.partial(tldextract.TLDExtract, suffix_list_urls=()))


def theirs(urls: list[str], **settings: Any) -> list[str]:
    families = rules.resolve([{"datatrove.URLFilter": {"use_integrated_lists": False, **settings}}])
    columns, _ = rules.measure(Texts.of([""] * len(urls), urls=urls), families)
    return [url for url, drop in zip(urls, columns["datatrove.URLFilter_dropped"].tolist(), strict=True) if drop]


@pytest.mark.usefixtures("without_network")
@pytest.mark.filterwarnings("ignore:The 'registered_domain' property is deprecated:DeprecationWarning")
def test_verdicts_on_real_urls_equal_datatroves(tmp_path: Path, real_urls: list[str]) -> None:
    extract = tldextract.TLDExtract(suffix_list_urls=())
    domains = sorted({extract(url).top_domain_under_public_suffix for url in real_urls} - {""})[::3]
    by_domain = theirs(real_urls, extra_domains=domains)
    assert len(by_domain) > 200
    assert blocked(real_urls, domains=write(tmp_path / "domains", *domains)) == by_domain
    # Whose words have another case or are encoded it does not see.
    plain = [url for url in real_urls if url == url.lower() and url.isascii() and "%" not in url]
    words = sorted({word for url in plain for word in re.findall("[a-z0-9]+", url)})
    for step, threshold, name in (40, 1, "words"), (5, 2, "soft_words"):
        key = "banned_words" if threshold == 1 else "soft_banned_words"
        by_word = theirs(plain, **{key: words[::step]})
        assert len(by_word) > 50
        assert blocked(plain, **{name: write(tmp_path / name, *words[::step])}) == by_word


@pytest.mark.usefixtures("without_network")
@pytest.mark.filterwarnings("ignore:The 'registered_domain' property is deprecated:DeprecationWarning")
def test_addresses_that_datatrove_drops_are_dropped(tmp_path: Path, real_urls: list[str]) -> None:
    whole = [url for url in real_urls[::7] if "#" not in url and " " not in url]
    assert len(whole) > 200
    by_url = theirs(real_urls, extra_urls=whole)
    listed = write(tmp_path / "urls", *(url.split("://", 1)[1] for url in whole))
    assert set(by_url) <= set(blocked(real_urls, urls=listed))
