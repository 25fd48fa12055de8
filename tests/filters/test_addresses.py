import re
import time

import idna
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from filters.addresses import address_on, domain_on, host_of, parsed


@pytest.mark.parametrize(
    ("url", "host", "rest"),
    [
        ("https://Example.COM/Path/?Q=1#top", "example.com", "/path/?q=1"),
        ("http://user:pass@example.com.:8080/a/", "example.com", "/a"),
        ("http://example.com@evil.example/", "evil.example", ""),
        ("https://example.com?q", "example.com", "/?q"),
        ("//example.com/a", "example.com", "/a"),
        ("example.com/a", "example.com", "/a"),
        ("http:\\\\example.com\\a", "example.com", "/a"),
        ("https://Bücher.example/", "xn--bcher-kva.example", ""),
        ("https://XN--BCHER-KVA.example/", "xn--bcher-kva.example", ""),
        ("https://b%C3%BCcher.example/", "xn--bcher-kva.example", ""),
        ("https://例え。テスト/", "xn--r8jz45g.xn--zckzah", ""),
        ("http://[2001:DB8:0:0::1]:80/x", "2001:db8::1", "/x"),
        ("http://192.0.2.1/x", "192.0.2.1", "/x"),
        ("book-12", "book-12", ""),
        ("", "", ""),
    ],
)
def test_addresses(url: str, host: str, rest: str) -> None:
    assert parsed(url) == (host, rest)


@given(st.text())
def test_any_string_is_an_address(url: str) -> None:
    _, rest = parsed(url)
    assert "#" not in rest
    assert not rest.endswith("/")


@given(
    st.sampled_from(["", "//", "https://", "FTP:\\\\"]),
    st.sampled_from(["", "user@", "user:p@ss@"]),
    st.sampled_from(["", ".", ":80", ".:8080", ":"]),
    st.sampled_from(["", "/", "/a", "/a?b=c@d:e//f", "/A/"]),
    st.sampled_from(["", "#", "#/a@b?c"]),
)
def test_only_host_path_and_query_are_kept(scheme: str, user: str, port: str, rest: str, fragment: str) -> None:
    assert parsed(f"{scheme}{user}Example.com{port}{rest}{fragment}") == ("example.com", rest.lower().rstrip("/"))


@given(st.text(st.characters(codec="utf-8", categories=["Ll", "Lu", "Lo", "Nd"]), min_size=1, max_size=12))
def test_hosts_are_encoded_as_idna_encodes_them(label: str) -> None:
    try:
        encoded = idna.encode(f"{label}.example", uts46=True).decode()
    except idna.IDNAError:
        assume(False)
    assert host_of(f"{label}.example") == encoded
    assert host_of(f"{label}。EXAMPLE.") == encoded
    assert host_of(encoded.upper()) == encoded


@pytest.mark.parametrize(
    ("line", "domain"),
    [
        ("example.com", "example.com"),
        (".Example.com.", "example.com"),
        ("xxx", "xxx"),
        ("a_b.example", "a_b.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:DB8::1]", "2001:db8::1"),
    ],
)
def test_domains_on_lines(line: str, domain: str) -> None:
    assert domain_on(line) == domain


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("https://example.com", "is an address"),
        ("example.com/path", "is an address"),
        ("two words.com", "is no domain"),
        ("*.example.com", "is no domain"),
        ("example..com", "is no domain"),
        ("example.com:80", "is no domain"),
        ("a" * 64 + ".com", "is no domain"),
        (".".join(["abcdefgh"] * 30), "is no domain"),
        ("", "is no domain"),
    ],
)
def test_what_is_no_domain_is_refused(line: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=re.escape(wrong)):
        domain_on(line)


def test_addresses_on_lines() -> None:
    assert address_on("Example.com/~Bob/") == ("example.com", "/~bob")
    assert address_on("web.example/1/http://a.com/") == ("web.example", "/1/http://a.com")
    assert address_on("[2001:DB8::1]:80/x") == ("2001:db8::1", "/x")
    with pytest.raises(ValueError, match=re.escape('has a scheme; write "example.com/path"')):
        address_on("http://example.com/a")
    with pytest.raises(ValueError, match="white space"):
        address_on("example.com/a b")
    with pytest.raises(ValueError, match="is no domain"):
        address_on("exam*ple.com/a")


def test_emoji_hosts_are_equal_either_way() -> None:
    assert host_of("i❤.ws") == host_of("xn--i-7iq.ws") == "xn--i-7iq.ws"


def test_a_host_too_long_for_dns_costs_no_more_than_its_letters() -> None:
    """Punycode of 10,000 different letters takes most of a minute; under a listed domain it is in that all the same."""
    label = "".join(chr(0x4E00 + k) for k in range(10_000))
    started = time.process_time()
    assert host_of(f"{label}.Bücher.example") == f"{label}.xn--bcher-kva.example"
    assert parsed(f"http://{'é.' * 10_000}com/").host.endswith(".xn--9ca.com")
    assert time.process_time() - started < 2
