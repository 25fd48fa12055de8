"""URLs as they are compared: what is one page, what is another, and archives' copies."""

import string
from urllib.parse import quote, unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.urls import TRACKING, archived, cited_key, same_url

SCHEMES = ["http://", "https://", "HTTP://", "//", ""]
hosts = st.lists(
    st.text(string.ascii_letters + string.digits + "-üß日", min_size=1, max_size=5), min_size=2, max_size=4
)
pieces = st.text(string.ascii_letters + string.digits + "-._~!$'()*+,;:@%/é日 ", max_size=12)
queries = st.lists(pieces, max_size=3).map("&".join)


@given(st.text() | st.builds("http://{}/{}?{}".format, hosts.map(".".join), pieces, queries))
def test_a_key_is_its_own_key(url: str) -> None:
    key = cited_key(url)
    assert cited_key(key) == key
    for scheme in SCHEMES:
        assert cited_key(scheme + key) == key
    assert key.isascii()
    assert key == "".join(key.split())


@given(st.sampled_from(SCHEMES[:4]), pieces, queries, st.sampled_from(["", "#part", "#!/a?b"]))
def test_the_spelling_makes_no_other_page(scheme: str, path: str, query: str, fragment: str) -> None:
    path = path.replace("%", "")
    key = cited_key(f"http://bücher.example/{path}?{query}")
    spelt = "".join(f"%{ord(c):02x}" if c.isalnum() and c.isascii() else c for c in path)
    tracked = "&".join(["utm_source=x", *([query] if query else []), "FBCLID=1", "gclid"])
    for host in "bücher.example", "www.BÜCHER.example", "xn--bcher-kva.example.", "user:word@bücher.example:443":
        assert cited_key(f"{scheme}{host}/{spelt}?{tracked}{fragment}") == key


@given(hosts.map(".".join), hosts.map(".".join), pieces, pieces)
def test_other_hosts_paths_and_queries_are_other_pages(one: str, other: str, path: str, more: str) -> None:
    a, b = (cited_key(f"http://{host}/{path}") for host in (one, other))
    if a and b and one.casefold() != other.casefold() and (one + other).isascii():
        assert a != b
    # Bytes are what a server gets: those that differ, but for slashes at the end, are another path.
    raw = [unquote_to_bytes(quote(p.strip(), safe="/%")).rstrip(b"/") for p in (path + "x", more + "x")]
    keys = [cited_key(f"http://example.org/{p.strip()}x") for p in (path, more)]
    if raw[0] != raw[1]:
        assert keys[0] != keys[1]
    if more.strip():
        assert cited_key(f"http://example.org/a?b={more}") != cited_key("http://example.org/a")


@given(st.sampled_from(SCHEMES), hosts.map(".".join), pieces, st.booleans(), st.booleans())
def test_what_is_one_page_to_deduplication_is_one_citation(
    scheme: str, host: str, path: str, www: bool, slash: bool
) -> None:
    plain = f"http://{host}/{path}".rstrip()
    spelt = f"{scheme}{'www.' if www else ''}{host}/{path}".rstrip() + ("/" if slash else "")
    assert same_url(spelt) == same_url(plain) or host.startswith("www.")
    assert cited_key(spelt) == cited_key(plain)


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("http://www.example.org/%7euser/%c3%a9%2f?q=%41+b&utm_medium=x#top", "example.org/~user/%C3%A9%2F?q=A+b"),
        ("https://example.org?x=1", "example.org/?x=1"),
        ("https://example.org/?", "example.org"),
        ("https://example.org/a/?x=1", "example.org/a/?x=1"),
        ("example.org/a?u=http://other.example/", "example.org/a?u=http://other.example/"),
        ("http://example.org:8080/a/", "example.org:8080/a"),
        ("http://www.com/", "www.com"),
        ("http://www.www.example.org/a", "example.org/a"),
        ("http://[2001:DB8::1]:80/a", "[2001:db8::1]/a"),
        ("http://☃.example/", "xn--n3h.example"),
        ("http://example.org/100%", "example.org/100%25"),
        ("http://example.org/%4%31", "example.org/%2541"),
        ("http://example.org/a b", "example.org/a%20b"),
        ("ftp://example.org/a", ""),
        ("mailto:me@example.org", ""),
        ("http://localhost/a", ""),
        ("http://exa mple.org/", ""),
        ("http:///a", ""),
        ("not a URL", ""),
        ("", ""),
    ],
)
def test_some_keys(url: str, key: str) -> None:
    assert cited_key(url) == key


def test_every_tracking_parameter_is_dropped_and_its_like_is_not() -> None:
    for name in TRACKING:
        assert cited_key(f"http://example.org/a?{name}=1&id={name}") == f"example.org/a?id={name}"
        assert cited_key(f"http://example.org/a?x{name}=1") == f"example.org/a?x{name}=1"


@pytest.mark.parametrize(
    ("url", "original"),
    [
        ("http://web.archive.org/web/20100203040506/http://example.org/a?b", "http://example.org/a?b"),
        ("https://web.archive.org/web/2010*/https://example.org/", "https://example.org/"),
        ("//web.archive.org/web/20100203040506id_/http:/example.org/http:/x", "http://example.org/http:/x"),
        ("https://www.archive.org/web/20100203/www.example.org/a", "http://www.example.org/a"),
        ("http://wayback.archive.org/web/*/http://example.org/", "http://example.org/"),
        ("http://archive.is/20120910/http://example.org/a", "http://example.org/a"),
        ("https://archive.today/2012.09.10-010203/http://example.org/a", "http://example.org/a"),
        ("http://www.webcitation.org/query?date=2010&url=http%3A%2F%2Fexample.org%2Fa", "http://example.org/a"),
        ("http://www.webcitation.org/5kwOcrZvF", None),
        ("https://archive.org/details/book", None),
        ("http://example.org/web/2010/http://other.example/", None),
    ],
)
def test_an_archives_copy_tells_whose_it_is(url: str, original: str | None) -> None:
    assert archived(url) == original


def test_a_url_within_a_url_without_scheme_is_not_the_page() -> None:
    assert same_url("example.org/a?u=http://other.example/b") == "example.org/a?u=http://other.example/b"


@pytest.mark.parametrize("upper", [True, False])
def test_every_byte_that_is_encoded_stays_so_unless_it_need_not_be(upper: bool) -> None:
    for byte in range(256):
        encoded = f"%{byte:02X}" if upper else f"%{byte:02x}"
        plain = chr(byte) if chr(byte).isascii() and (chr(byte).isalnum() or chr(byte) in "-._~") else encoded.upper()
        assert cited_key(f"http://example.org/a{encoded}b?c={encoded}d") == f"example.org/a{plain}b?c={plain}d"
