"""Personal data in a batch of texts: found, counted, and replaced by what kind it was.

In come texts, out come a row of counts a text, and the texts with placeholders where e-mail addresses, public IP
addresses, telephone and card numbers were. Every other byte is as it was, and a second pass changes nothing: what comes
before a number is looked at no further back than the last thing found, and a placeholder stops whatever follows it just
as what it stands for did. `filters.personal_data` says what counts as what.
"""

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from kernels.characters import LETTER, SCRIPT, WORD, Characters, characters, decode, flags_of, folded
from kernels.compiled import inner, kernel
from kernels.email_addresses import host_end, name_start, start_of
from kernels.internet_addresses import address_size
from kernels.personal_numbers import MOST_DIGITS, card_size, is_card_start, is_phone, opening_size, read_run
from kernels.strings import holds
from kernels.texts import Texts

KINDS = ("email", "ip", "phone", "card")
COLUMNS = ("emails", "ips", "phones", "cards")
_EMAIL, _IP, _PHONE, _CARD = range(len(KINDS))
# Markup takes angle brackets for a tag and braces for a template; these are text to HTML, Markdown and C4's rules.
_MARKS = tuple(f"[{kind}]".encode() for kind in KINDS)
_SHORTEST_EMAIL = len("a@b.cc")

_AT, _DOT, _COMMA, _HYPHEN, _PLUS, _OPEN, _CLOSE, _COLON, _SPACE, _NEW_LINE, _X = b"@.,-+[]: \nx"
_DIGITS = np.array([chr(byte) in "0123456789" for byte in range(256)])
_LETTERS = np.array([byte < 128 and chr(byte).isalpha() for byte in range(256)])
# Directly before a number these make it a part of something else: a path, a decimal, a price, a name.
_JOINS = np.array([chr(byte) in ".,/=-_#$@&?\\" for byte in range(256)])
# Directly after it, likewise: "%", or what a second placeholder starts with.
_ENDS = np.array([chr(byte) in "%$@=_[\\" for byte in range(256)])
_UNITS = tuple(unit.encode() for unit in "°€£")
_HANGUL, _LAST_HANGUL = 0xAC00, 0xD7A3
_CUE_GAP, _LONGEST_CUE = 4, 24


def _listed(words: str) -> NDArray[np.uint8]:
    return np.frombuffer(f" {words} ".encode(), np.uint8)


# Words that say that a number is one to call, in the languages with most pages; and those that say it is a version.
_CUES = _listed(
    "tel fon phone telephone fax telefax telefon telefono telefone teléfono téléphone tél tlf tfno mobile mobil mob "
    "móvil celular handy gsm call hotline whatsapp phones telephones telefoon puhelin тел телефон факс моб τηλ "
    "τηλέφωνο φαξ κιν τηλεφωνο 电话 電話 手机 传真 전화 هاتف"
)
_VERSIONS = _listed(
    "version versión versione versie ver v release build firmware driver update section chapter revision rev версия"
)


def replace(texts: Texts, kinds: Collection[str]) -> tuple[NDArray[np.int64], Texts]:
    """How many of each of COLUMNS a text has, and the texts with a placeholder for each that is of one of `kinds`."""
    counts = np.zeros((len(texts), len(COLUMNS)), np.int64)
    wanted = np.array([kind in kinds for kind in KINDS])
    size = int(texts.offsets[-1] - texts.offsets[0])
    # A placeholder is longer than what it stands for only where that is the shortest address.
    middle, out = np.empty(size + size // _SHORTEST_EMAIL, np.uint8), np.empty(size + size // _SHORTEST_EMAIL, np.uint8)
    between, ends = np.zeros(len(texts) + 1, np.int64), np.zeros(len(texts) + 1, np.int64)
    _emails(texts.data, texts.offsets, characters(), wanted, counts, middle, between)
    _numbers(middle, between, characters(), wanted, counts, out, ends)
    return counts, texts.rewritten(out[: ends[-1]], ends)


@inner
def _moved(data: NDArray[np.uint8], start: int, end: int, out: NDArray[np.uint8], size: int) -> int:
    """Write `data[start:end]` at `size`; where that ends."""
    out[size : size + end - start] = data[start:end]
    return size + end - start


@inner
def _marked(kind: int, out: NDArray[np.uint8], size: int) -> int:
    """Write the placeholder of `kind` at `size`; where that ends."""
    for byte in _MARKS[kind]:
        out[size] = byte
        size += 1
    return size


@kernel
def _emails(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    characters: Characters,
    wanted: NDArray[np.bool_],
    counts: NDArray[np.int64],
    out: NDArray[np.uint8],
    ends: NDArray[np.int64],
) -> None:
    size = 0
    for text in range(len(offsets) - 1):
        # `floor`: up to where all is decided; `copied`: and written.
        floor, end = offsets[text], offsets[text + 1]
        copied = floor
        for at in range(floor, end):
            if data[at] != _AT or at < floor:
                continue
            first, last = name_start(data, floor, at, characters), host_end(data, at + 1, end, characters)
            if first < at and last:
                counts[text, _EMAIL] += 1
                floor = last
                if wanted[_EMAIL]:
                    size = _marked(_EMAIL, out, _moved(data, copied, first, out, size))
                    copied = last
        size = _moved(data, copied, end, out, size)
        ends[text + 1] = size


@kernel
def _numbers(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    characters: Characters,
    wanted: NDArray[np.bool_],
    counts: NDArray[np.int64],
    out: NDArray[np.uint8],
    ends: NDArray[np.int64],
) -> None:
    size = 0
    digits, groups = np.zeros(MOST_DIGITS + 1, np.int64), np.zeros(MOST_DIGITS + 1, np.int64)
    for text in range(len(offsets) - 1):
        start, end = offsets[text], offsets[text + 1]
        i, floor, copied = start, start, start
        while i < end:
            if not _DIGITS[data[i]]:
                i += 1
                continue
            kind, first, last = _number(data, start, floor, i, end, characters, digits, groups)
            i = last
            if kind >= 0:
                counts[text, kind] += 1
                floor = last
                if wanted[kind]:
                    size = _marked(kind, out, _moved(data, copied, first, out, size))
                    copied = last
        size = _moved(data, copied, end, out, size)
        ends[text + 1] = size


@inner
def _number(
    data: NDArray[np.uint8],
    start: int,
    floor: int,
    i: int,
    end: int,
    characters: Characters,
    digits: NDArray[np.int64],
    groups: NDArray[np.int64],
) -> tuple[int, int, int]:
    """The kind of what begins with the digit at `i`, -1 for nothing, where it starts, and where to go on."""
    size = address_size(data, floor, i, end)
    if size and not _follows_word(data, floor, start, i, characters):
        # What follows a colon is a port.
        ends = (i + size < end and data[i + size] == _COLON) or not _is_followed(data, i + size, end, characters)
        if ends and not _after_cue(data, floor, i, characters, _VERSIONS):
            return _IP, i, i + size
    alone = is_card_start(data, floor, start, i) and not _follows_word(data, floor, start, i, characters)
    size = card_size(data, i, end, True) if alone else 0
    if size and not _is_followed(data, i + size, end, characters):
        return _CARD, i, i + size
    plus = i > floor and data[i - 1] == _PLUS
    first = i - 1 if plus else i
    opening = opening_size(data, floor, first)
    last, number, total, area, closed = read_run(data, floor, i, end, opening > 0, digits, groups)
    cue = _after_cue(data, floor, first - opening, characters, _CUES)
    if total > MOST_DIGITS or not is_phone(digits, total, groups, number, plus, area, cue):
        return -1, i, last
    if closed:
        first -= opening
    joined = first > floor and _JOINS[data[first - 1]] and not plus and not cue
    joined |= first - 1 > floor and data[first - 1] == _COLON and _DIGITS[data[first - 2]]
    if joined or _follows_word(data, floor, start, first, characters) or _is_followed(data, last, end, characters):
        return -1, i, last
    return _PHONE, first, last


@inner
def _joins_words(point: int, characters: Characters) -> bool:
    """Whether it is a letter or digit of a script with spaces between words."""
    flags = flags_of(point, characters)
    return flags & WORD != 0 and not flags & SCRIPT and not _HANGUL <= point <= _LAST_HANGUL


@inner
def _follows_word(data: NDArray[np.uint8], floor: int, start: int, i: int, characters: Characters) -> bool:
    """Whether a word, or what was found before, goes right up to `i`."""
    if i == floor:
        return floor > start
    if data[i - 1] == _CLOSE or data[i - 1] == _PLUS:
        return True
    point, _ = decode(data, start_of(data, floor, i))
    return _joins_words(point, characters)


@inner
def _is_followed(data: NDArray[np.uint8], i: int, end: int, characters: Characters) -> bool:
    """Whether what ends at `i` goes on: as a word, a decimal, a time, or with what makes it an amount."""
    if i >= end:
        return False
    byte = data[i]
    if byte == _X and i + 1 < end and _DIGITS[data[i + 1]]:
        return False
    if byte in (_DOT, _COMMA, _COLON):
        return i + 1 < end and (_DIGITS[data[i + 1]] or data[i + 1] == _OPEN)
    if _ENDS[byte] or (byte == _HYPHEN and i + 1 < end and _LETTERS[data[i + 1]]):
        return True
    for unit in _UNITS:
        if holds(data, i, end, unit):
            return True
    point, _ = decode(data, i)
    return _joins_words(point, characters)


@inner
def _after_cue(data: NDArray[np.uint8], floor: int, i: int, characters: Characters, listed: NDArray[np.uint8]) -> bool:
    """Whether the word before `i`, on its line and at most some signs away, is `listed`."""
    for _ in range(_CUE_GAP):
        if i <= floor:
            return False
        before = start_of(data, floor, i)
        point, _ = decode(data, before)
        if flags_of(point, characters) & WORD:
            break
        if data[before] == _NEW_LINE or data[before] == _CLOSE or data[before] == _OPEN:
            return False
        i = before
    last = i
    while i > floor and last - i < _LONGEST_CUE:
        before = start_of(data, floor, i)
        point, _ = decode(data, before)
        if not flags_of(point, characters) & LETTER:
            break
        i = before
    return last > i and _is_listed(data, i, last, characters, listed)


@inner
def _is_listed(data: NDArray[np.uint8], i: int, end: int, characters: Characters, listed: NDArray[np.uint8]) -> bool:
    """Whether `data[i:end]`, in any case, is one of the words; in scripts without spaces, whether it ends in one."""
    word = 1
    while word < len(listed):
        after = word
        while listed[after] != _SPACE:
            after += 1
        at = i
        point, _ = decode(listed, word)
        if flags_of(point, characters) & SCRIPT:
            at = max(i, end - (after - word))
        if end - at == after - word and _same_letters(data, at, listed, word, after, characters):
            return True
        word = after + 1
    return False


@inner
def _same_letters(
    data: NDArray[np.uint8], i: int, other: NDArray[np.uint8], k: int, end: int, characters: Characters
) -> bool:
    while k < end:
        ours, after = decode(data, i)
        theirs, k = decode(other, k)
        if folded(ours, characters) != folded(theirs, characters):
            return False
        i = after
    return True
