"""URLs in the one form in which they are compared.

In come URLs as a crawl, a list or Wikipedia has them; out come strings that are equal where the page is the same. What
stays true: two hosts, paths or queries that differ in more than their spelling are never one; and a form put in again
comes out as it is.
"""

import re
from urllib.parse import unquote

import idna

_SCHEME = re.compile(r"(?:([a-z][a-z0-9+.-]*):)?//", re.IGNORECASE)
# A name with a dot in it, or an IPv6 address, and the port.
_HOST = re.compile(r"((?:[a-z0-9_-]+\.)+[a-z0-9_-]+|\[[0-9a-f:.]+\])(?::([0-9]*))?")
# What RFC 3986 lets stand in a path or query, apart from "%".
_ODD = re.compile(r"%([0-9A-Fa-f]{2})|[^A-Za-z0-9._~!$&'()*+,;=:@/?-]")
# Most URLs are spelt as their key is but for what is before and behind these groups, and take a tenth of the time so.
_PLAIN = re.compile(
    r"(?:https?://)?(?:www\.)?((?!www\.)(?:[a-z0-9_-]+\.)+[a-z0-9_-]+)((?:/[A-Za-z0-9._~!$&'()*+,;=:@-]+)*)/*"
)
_AUTHORITY = re.compile(r"[^/?]*")
_NORMAL = re.compile(
    r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%(?:[01][0-9A-F]|2[0-9A-CF]|3[A-F]|40|5[B-E]|60|7[B-DF]|[89A-F][0-9A-F]))*+"
)
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_DEFAULT_PORTS = {None, "", "80", "443"}

# Parameters that tell where a visitor came from and nothing about the page, with all that start with "utm_".
TRACKING = frozenset(
    "_ga _gl _hsenc _hsmi dclid fb_action_ids fb_action_types fb_ref fb_source fbclid gbraid gclid gclsrc igshid "
    "li_fat_id mc_cid mc_eid mkt_tok msclkid ttclid twclid wbraid yclid".split()
)

_DROPPED = re.compile(
    rf"(?:^|(?<=&))(?:(?:utm_[^&=]*|{'|'.join(sorted(TRACKING))})(?:=[^&]*)?)?(?:&|\Z)", re.IGNORECASE
)

# Where an archive's address has the page's own: after a date, or as a parameter.
_WAYBACK = re.compile(
    r"(?:https?:)?//(?:[a-z-]+\.)?archive\.org(?::80)?/(?:web/)?"
    r"(?:[0-9]{1,14}\*?|\*)(?:[a-z]{2}_)?/(.+)",
    re.IGNORECASE,
)
_ARCHIVE_TODAY = re.compile(
    r"(?:https?:)?//(?:www\.)?archive\.(?:today|is|ph|fo|li|vn|md)/[0-9.-]{4,19}/(.+)", re.IGNORECASE
)
_WEBCITE = re.compile(r"(?:https?:)?//(?:www\.)?webcitation\.org/[^?#]*\?(?:[^#]*&)?url=([^&#]+)", re.IGNORECASE)
_WEB = re.compile(r"https?:/", re.IGNORECASE)
_BROKEN_SCHEME = re.compile(r"^(https?):/(?!/)", re.IGNORECASE)


def same_url(url: str) -> str:
    """The URL as it is compared: http and https, with and without "www." or a "/" at the end, are one page."""
    rest = url.split("#", 1)[0]
    if scheme := _SCHEME.match(rest):
        rest = rest[scheme.end() :]
    host, slash, path = rest.partition("/")
    return host.lower().removeprefix("www.") + (slash + path).rstrip("/")


def cited_key(url: str) -> str:
    """A web page's URL as citations of it are compared: "example.org/a?x=1"; "" for what is no such URL.

    What `same_url` takes for one is one here too. So are, beside it, ports 80, 443 and none; a host in Unicode and in
    Punycode; a character and its percent-encoding where RFC 3986 (sections 2.1 and 6.2.2) has them mean the same; and
    queries that differ in `TRACKING` alone. The key is ASCII without white space, and its own key.
    """
    if plain := _PLAIN.fullmatch(url):
        return plain[1] + plain[2]
    rest = url.strip().split("#", 1)[0]
    scheme = _SCHEME.match(rest)
    if scheme:
        if scheme[1] and scheme[1].lower() not in {"http", "https"}:
            return ""
        rest = rest[scheme.end() :]
    place = _AUTHORITY.match(rest).end()  # type: ignore[union-attr]
    host = _host(rest[:place], has_scheme=scheme is not None)
    if not host:
        return ""
    path, _, query = rest[place:].partition("?")
    path, query = _encoded(path), query and _DROPPED.sub("", _encoded(query)).rstrip("&")
    return f"{host}{path or '/'}?{query}" if query else host + path.rstrip("/")


def _host(authority: str, has_scheme: bool) -> str:
    """The host, with its port where it is another than usual; "" for what is no host."""
    if has_scheme:
        # Without a scheme this would make a page of an address of mail.
        authority = authority.rpartition("@")[2]
    found = _HOST.fullmatch(_ascii(authority))
    if not found:
        return ""
    name, port = found[1], found[2]
    while name.startswith("www.") and name.count(".") > 1:
        name = name.removeprefix("www.")
    return name if port in _DEFAULT_PORTS else f"{name}:{port}"


def _ascii(authority: str) -> str:
    """In lower case and in ASCII as browsers have it (IDNA 2008 and UTS #46), without a dot at the end of the host."""
    if not authority.isascii():
        host, colon, port = authority.partition(":")
        try:
            authority = idna.encode(host, uts46=True).decode() + colon + port
        except UnicodeError:
            # Emoji are registered all the same; by the rule that IDNA is built on, Punycode (RFC 3492).
            labels = (x if x.isascii() else "xn--" + x.lower().encode("punycode").decode() for x in host.split("."))
            authority = ".".join(labels) + colon + port
    host, colon, port = authority.lower().partition(":")
    return authority.lower() if authority.startswith("[") else host.rstrip(".") + colon + port


def _encoded(part: str) -> str:
    """Percent-encoded where it must be and not where it need not be. A "%" that encodes nothing is encoded itself."""
    return part if _NORMAL.fullmatch(part) else _ODD.sub(_encoded_once, part)


def _encoded_once(odd: re.Match[str]) -> str:
    if odd[1]:
        character = chr(int(odd[1], 16))
        return character if character in _UNRESERVED else odd[0].upper()
    return "".join(f"%{byte:02X}" for byte in odd[0].encode("utf-8", "surrogatepass"))


def archived(url: str) -> str | None:
    """The URL that an archive's copy is of: of the Wayback Machine, archive.today or WebCite; None for what is none."""
    # Most are no archive's, and this tells so in a tenth of the time.
    lower = url.lower()
    if "archive." not in lower and "webcitation." not in lower:
        return None
    if found := _WAYBACK.match(url) or _ARCHIVE_TODAY.match(url):
        # Web servers on the way make one slash of two.
        return _BROKEN_SCHEME.sub(r"\1://", found[1], count=1) if _WEB.match(found[1]) else f"http://{found[1]}"
    if found := _WEBCITE.match(url):
        return unquote(found[1])
    return None
