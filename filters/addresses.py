"""Hosts and addresses in the one form in which lists and pages can be compared.

In come URLs as a crawl has them and lines as lists have them; out come a host in lower case and ASCII (Punycode), and
what follows it. What stays true: any string is some address, so no page's URL is an error; a list's line may be one.
"""

import ipaddress
import re
import unicodedata
from typing import NamedTuple
from urllib.parse import unquote

import idna

from kernels.host_lists import LONGEST_HOST

_URL = re.compile(
    r"\s*(?:(?:[a-z][a-z0-9+.-]*:)?[/\\]{2})?(?:[^/\\?#]*@)?(\[[^\]/\\?#]*\]|[^:/\\?#]*)(?::[0-9]*)?([^#]*)",
    re.IGNORECASE,
)
_SCHEME = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)
_DOTS = str.maketrans("。．｡", "...")
_LONGEST_LABEL = 63
_HOST = re.compile(rf"(?:[a-z0-9_-]{{1,{_LONGEST_LABEL}}}\.)*[a-z0-9_-]{{1,{_LONGEST_LABEL}}}")


class Address(NamedTuple):
    """`host` as `host_of` has it; `rest` is the path and query in lower case, "" for the root of a host."""

    host: str
    rest: str

    @property
    def without_www(self) -> "Address":
        return Address(self.host.removeprefix("www."), self.rest)


def parsed(url: str) -> Address:
    """The address that a browser would take a URL for: without scheme, user, port and fragment."""
    match = _URL.match(url)
    assert match, "every part of it may be empty"
    rest = match[2].strip().lower().replace("\\", "/").rstrip("/")
    return Address(host_of(match[1]), f"/{rest}" if rest.startswith("?") else rest)


def host_of(name: str) -> str:
    """A host's name in lower case, without a dot at its end, in ASCII as browsers have it (IDNA 2008 and UTS #46).

    What IDNA does not allow (emoji are registered all the same) is encoded by the same rule, Punycode (RFC 3492).
    """
    name = name.strip()
    if name.startswith("["):
        return _ip(name) or name.lower()
    name = unquote(name).rstrip(".")
    if name.isascii():
        return name.lower()
    # To encode a host of thousands of letters, which DNS cannot have, would take minutes.
    if len(name) > LONGEST_HOST:
        return _encoded(name)
    try:
        return idna.encode(name, uts46=True).decode()
    except idna.IDNAError:
        return _encoded(name)


def _encoded(name: str) -> str:
    name = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name.translate(_DOTS)).lower())
    return ".".join(label if label.isascii() else _punycode(label) for label in name.rstrip(".").split("."))


def _punycode(label: str) -> str:
    """The label in ASCII; one that is too long for DNS stays as it is, which no list's line is equal to."""
    return "xn--" + label.encode("punycode").decode("ascii") if len(label) <= _LONGEST_LABEL else label


def _ip(name: str) -> str:
    """An IP address as it is written shortest, "" for what is none."""
    try:
        return ipaddress.ip_address(name.strip("[]")).compressed
    except ValueError:
        return ""


def domain_on(line: str) -> str:
    """The host on a list's line. Raises ValueError, which says what is wrong with it, for what is none."""
    if "/" in line:
        raise ValueError("is an address; a list of domains has hosts alone, addresses belong in one of urls")
    if ip := _ip(line):
        return ip
    host = host_of(line).removeprefix(".")
    if len(host) > LONGEST_HOST or not _HOST.fullmatch(host):
        raise ValueError('is no domain and no IP address; write "example.com", of which subdomains are part')
    return host


def address_on(line: str) -> Address:
    """The host and path on a list's line. Raises ValueError, which says what is wrong with it, for what is none."""
    if _SCHEME.match(line):
        raise ValueError('has a scheme; write "example.com/path"')
    if any(character.isspace() for character in line):
        raise ValueError("has white space in it; write an address a line, with %20 for a space")
    address = parsed(line)
    return Address(domain_on(address.host), address.rest)
