"""Personal data against a twin of regular expressions and `ipaddress`, and against what is planted."""

import ipaddress
import re
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kernels.personal_data import COLUMNS, KINDS, replace
from kernels.personal_numbers import _COUNTRY
from kernels.texts import Texts
from tests.kernels.personal_data_twin import NOBODYS, twin


def found(text: str, kinds: Sequence[str] = KINDS) -> tuple[dict[str, int], str]:
    counts, replaced = replace(Texts.of([text]), kinds)
    return dict(zip(COLUMNS, counts[0].tolist(), strict=True)), replaced.to_list()[0]


def one(text: str) -> str:
    return found(text)[1]


PIECES = (
    "john@example.com john .doe @example .org müller иван@почта.рф @2x .png a@b.cc x@y 'o 邮箱 -- _ % "
    "91.198.174.192 8.8.8.8 10.0.0.1 1.2.3.4 192.168.1.1 .5 300.1.1.1 2a00:1450:4001:81b::200e 2001:db8::1 2001:: :: : "
    "2606:4700:4700::1111 ::1 +49 +1 +7 0049 (0) 30 030 (030) 1234567 123 45 67 89 (212) 212 555 1234 555-1234 (495) "
    "01 06 0800 1-800 8 2012 01.02.2012 2012-01-02 12:30 / - . – ( ) （ ） － [ ] [phone] [email] 4111111111111111 "
    "4111 1111 378282246310005 3782 822463 10005 30569309025904 5555-5555-5555-4444 5105105105105100 6011111111111117 "
    "Tel. tel: fax ТЕЛ. 电话 电话： version v 전화 $ € % ° x x9 abc é 漢 ° = \\ # , 0 00 1 9 22 333 666666 ISBN "
    "978-3-16-148410-0"
).split(" ")
text = st.lists(
    st.sampled_from(PIECES)
    | st.sampled_from([" ", " ", " ", "\n", "\u00a0", "-", ".", "/", "+", "("])
    | st.text(max_size=2),
    max_size=25,
).map("".join)
numbers = st.text(alphabet="0123456789 -.+()/:[]x\n", max_size=60)


@settings(max_examples=600)
@given(text | numbers)
@example("Tel. +49 (0)30 1234567-89 / 0049 30 1234567")
@example("8.8.8.8.8 91.198.174.192/24 030 1234567 91.198.174.192")
def test_as_the_twin_says(value: str) -> None:
    assert found(value) == twin(value)


@settings(max_examples=600)
@given(text | numbers | st.text())
def test_a_second_pass_changes_nothing_and_the_rest_is_untouched(value: str) -> None:
    counts, once = found(value)
    assert found(once) == (dict.fromkeys(COLUMNS, 0), once)
    parts = re.split(r"(\[(?:email|ip|phone|card)\])", once)
    pattern = "".join("(?:.+)" if n % 2 else re.escape(part) for n, part in enumerate(parts))
    if sum(map(once.count, ("[email]", "[ip]", "[phone]", "[card]"))) == sum(counts.values()):
        assert re.fullmatch(pattern, value, re.DOTALL)


@given(st.lists(text, max_size=6), st.sets(st.sampled_from(KINDS)))
def test_kinds_that_are_not_wanted_are_counted_and_stay(values: list[str], kinds: set[str]) -> None:
    counts, replaced = replace(Texts.of(values), kinds)
    for value, row, new in zip(values, counts.tolist(), replaced.to_list(), strict=True):
        for kind, n in zip(KINDS, row, strict=True):
            assert new.count(f"[{kind}]") - value.count(f"[{kind}]") <= (n if kind in kinds else 0)
        if not kinds:
            assert new == value


@given(
    st.integers(0, 2**32 - 1)
    | st.sampled_from([int(net.network_address) + d for net in NOBODYS[:13] for d in (-1, 0, 1)])
)
def test_ipv4_as_ipaddress_has_it(value: int) -> None:
    address = ipaddress.IPv4Address(value % 2**32)
    # Not multicast, which is global to Python, nor two addresses of protocols.
    ours = address.is_global and not address.is_multicast and max(address.packed) >= 20
    ours &= address not in ipaddress.ip_network("192.0.0.0/24")
    assert one(f"from {address}.") == ("from [ip]." if ours else f"from {address}.")


@given(
    st.integers(2**125, 2**126 - 1)
    | st.lists(st.sampled_from([0, 0, 0, 1, 0xDB8, 0x1FF, 0x200, 0xFFFF]), min_size=7, max_size=7).flatmap(
        lambda rest: st.sampled_from([0x2001, 0x2002, 0x2A00, 0x3FFF]).map(
            lambda first: sum(group << 16 * (7 - k) for k, group in enumerate([first, *rest]))
        )
    ),
    st.booleans(),
)
def test_ipv6_in_either_form(value: int, exploded: bool) -> None:
    address = ipaddress.IPv6Address(value)
    written = address.exploded if exploded else str(address)
    ours = not any(address in net for net in NOBODYS)
    assert one(f"from {written}, port 80") == (f"from {'[ip]' if ours else written}, port 80")


def test_an_address_with_a_port() -> None:
    for port in (":80", ":8080/x", ":0301234567", ":4111111111111111", ": 1", ":"):
        assert one(f"proxy 91.198.174.192{port}").startswith("proxy [ip]:")
    assert one("91.198.174.192:8080, http://91.198.174.192:80/, [2a00:1450:4001:81b::200e]:80") == (
        "[ip]:8080, http://[ip]:80/, [[ip]]:80"
    )
    assert one("10.0.0.1:80 and version 91.198.174.192:80") == "10.0.0.1:80 and version 91.198.174.192:80"


@pytest.mark.parametrize(
    "value",
    "+49 30 1234567|+49 (0)30 123456-78|+1 (212) 555-1234|+44 20 7946 0958|+33 1 23 45 67 89|+7 (495) 123-45-67|"
    "0049 30 1234567|(030) 123 45 67|030/1234567|030 - 244 249 230|01 23 45 67 89|01.23.45.67.89|020 7946 0958|"
    "212-555-1234|(212) 555-1234|212.555.1234|1-800-555-1234|8 (495) 123-45-67|010－12345678|+4930123456|"
    "+39 06 1234567|03-1234-5678|(11) 98765-4321|+61 2 6653 4241|034771/28076".split("|"),
)
def test_telephone_numbers(value: str) -> None:
    for before, after in (("", ""), ("Write or call ", "."), ("(", ")"), ("热线：", "，"), ("a\n", "\nb"), ("“", "”")):
        assert one(before + value + after) == f"{before}[phone]{after}"


@pytest.mark.parametrize(
    "value",
    "2012-01-02 13:45|01.02.2012|12/31/1999|1939-1945|978-3-16-148410-0|0-306-40615-2|1,234,567.89|$1,000,000|"
    "+20 000 000 euros|52.520008, 13.404954|192.168.100.200|Boston, MA 02205-5819|1998; 92(10)3599-604|"
    "4013389466813|1 2 3 4 5 6 7 8 9 10|09.00 - 17.00|0123456789|1234567890|10:30:45|3.14159265358979|"
    "550e8400-e29b-41d4-a716-446655440000|v4.18.0-348.7.1|ISSN 0028-0836|RFC 2616|#1234567|100 000 000|"
    "0.024 0.744 0.022|A-212-555-1234|1/2 3/4 5/6 7/8|GR-7156.21|00:1A:2B:3C:4D:5E|http://x.example/030-1234567/".split(
        "|"
    ),
)
def test_what_is_no_personal_data(value: str) -> None:
    assert found(f"See {value} there.") == (dict.fromkeys(COLUMNS, 0), f"See {value} there.")


def test_a_word_for_it_makes_a_number_of_digits_a_telephone_number() -> None:
    for cue in ("Tel", "tel.:", "Fax:", "TÉL. ", "Тел.", "ТЕЛЕФОН: ", "电话：", "联系电话: ", "call", "τηλ. "):
        assert one(f"{cue} 2224202, x") == f"{cue} [phone], x"
    for other in ("Nr.", "television", "No.:", "ISBN", "telling", "[phone]"):
        assert one(f"{other} 2224202, x") == f"{other} 2224202, x"


def test_versions_and_paths_are_no_addresses() -> None:
    for text in (
        "version 91.198.174.192",
        "v91.198.174.192",
        "lib-91.198.174.192",
        "1.91.198.174.192",
        "Chrome/91.0.47.7",
    ):
        assert one(text) == text
    assert one("http://91.198.174.192/a, [2a00::1]:80, (91.198.174.192)") == "http://[ip]/a, [[ip]]:80, ([ip])"


def test_card_numbers() -> None:
    for card in (
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "5105105105105100",
        "3782 822463 10005",
        "3056 930902 5904",
    ):
        assert one(f"Card {card} 12/26") == "Card [card] 12/26"
    for other in ("4111 1111 1111 1112", "4111 1111-1111 1111", "9111111111111111", "id=4111111111111111"):
        assert one(f"Card {other} 12/26") == f"Card {other} 12/26"


def test_emails() -> None:
    assert one("'o'brien@x.co.uk' <a.b+c@d-e.org>, mailto:müller@straße.de.") == "'[email]' <[email]>, mailto:[email]."
    assert one("联系john@x.com请 a@b.com-- x@xn--e1afmkfd.xn--p1ai") == "联系[email]请 [email]-- [email]"
    for text in ("icon@2x.png", "@handle", "foo@bar", "npm i foo@1.2.3", "a@.com", "a@b..com", "a.@b.com", "@@"):
        assert one(text) == text


def test_hard_texts_take_linear_time() -> None:
    """A minute each if anything were looked at twice for every place."""
    n = 200_000
    for hard in (
        "a." * n,
        "a@" * n,
        "1" * n,
        "1 " * n,
        "(1" * n,
        "+1" * n,
        "1.1." * n,
        "2a00:" * n,
        "a" * n + "@",
        "a-" * n,
    ):
        assert one(hard) == hard
    assert one("a@b.cc " * n) == "[email] " * n


def test_country_codes_are_those_that_numbers_are_given_out_for() -> None:
    phonenumbers = pytest.importorskip("phonenumbers", reason="the list to compare with comes with phonenumbers")
    known = set(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)
    ours = set(np.flatnonzero(_COUNTRY).tolist())
    assert known <= ours
    assert ours - known <= {
        210,
        *range(213, 300),
        379,
        384,
        388,
        671,
        684,
        693,
        694,
        695,
        696,
        697,
        698,
        699,
        *range(800, 1000),
    }
