"""Telephone and card numbers in UTF-8 text: runs of digits with what people put between them, and what they can be.

Telephone numbers are what E.164 and national habits allow, of which a run of digits alone is never enough: a "+" or
"00" with a country's code, a trunk zero, an area in parentheses, North America's 3-3-4, or a word for it ("Tel.").
"""

import numpy as np
from numpy.typing import NDArray

from kernels.compiled import inner
from kernels.internet_addresses import address_size

# The longest card number; the longest telephone number has 15 digits and two zeros before them.
MOST_DIGITS = 19
_DIGITS = np.array([chr(byte) in "0123456789" for byte in range(256)])
_LETTERS = np.array([byte < 128 and chr(byte).isalpha() for byte in range(256)])
_JOINS = np.array([chr(byte) in ".,/=-_#$@&?\\+" for byte in range(256)])
_ZERO, _SPACE, _HYPHEN, _DOT, _SLASH, _OPEN, _CLOSE = b"0 -./()"
# Ways in which one group of digits is parted from the next.
_NOTHING, _BLANK, _DASH, _OPENS, _CLOSES = range(5)
# No parenthesis is open, one from before the digits, or one from between them.
_NONE, _OUTER, _INNER = range(3)


def _countries() -> NDArray[np.int8]:
    """Of each number up to 999, whether it is a country's code (ITU E.164, assigned on 1 May 2024)."""
    codes = (
        "1 7 20 27 30-34 36 39 40 41 43-49 51-58 60-66 81 82 84 86 90-95 98 211-213 216 218 220-258 260-269 290 291 "
        "297-299 350-359 370-378 380-383 385-387 389 420 421 423 500-509 590-599 670 672-683 685-692 800 808 850 852 "
        "853 855 856 870 878 880-883 886 888 960-968 970-977 979 992-996 998"
    )
    table = np.zeros(1000, np.int8)
    for entry in codes.split():
        first, _, last = entry.partition("-")
        table[int(first) : int(last or first) + 1] = 1
    return table


_COUNTRY = _countries()


@inner
def read_run(
    data: NDArray[np.uint8],
    floor: int,
    i: int,
    end: int,
    opened: bool,
    digits: NDArray[np.int64],
    groups: NDArray[np.int64],
) -> tuple[int, int, int, bool, bool]:
    """The digits from `i` on, up to something other than one space, hyphen, dot, slash or parenthesis between them.

    Returns where they end, how many groups and digits there are, more than MOST_DIGITS being too many, whether what can
    be an area is in parentheses, and whether the one that opens before `i`, if `opened`, closes among them. `digits`
    and `groups`, their sizes, are filled. An internet address or a card number ends them before.
    """
    number, total, area, closed = 0, 0, False, False
    level = _OUTER if opened else _NONE
    while True:
        first = i
        while i < end and _DIGITS[data[i]]:
            if total < MOST_DIGITS:
                digits[total] = np.int64(data[i]) - _ZERO
            total += 1
            i += 1
        if number < MOST_DIGITS:
            groups[number] = i - first
        number += 1
        # Germans write "030 - 123 456"; between other groups that is a range.
        spaced = number == 1 and digits[0] == 0 and total > 2
        after, opens, closes = _separated(data, i, end, level, spaced)
        # Only a country's code or a trunk prefix stands before an area in parentheses.
        if after == 0 or (opens and total > 4) or address_size(data, floor, after, end):
            return i, number, total, area, closed
        if is_card_start(data, floor, floor, after) and card_size(data, after, end, False):
            return i, number, total, area, closed
        closed |= closes and level == _OUTER
        area |= closes and (number == 1 or (number == 2 and groups[0] == 1))
        level = _INNER if opens else _NONE if closes else level
        i = after


@inner
def _separated(data: NDArray[np.uint8], i: int, end: int, level: int, spaced: bool) -> tuple[int, bool, bool]:
    """Where the next group of digits starts, 0 where none does; whether a parenthesis opens and closes before it.

    `level`: of the parentheses around what was read last. `spaced`: a hyphen or slash may have spaces around it.
    """
    blanks, dashes, opens, closes = 0, 0, False, False
    for _ in range(3):
        if i < end and _DIGITS[data[i]]:
            break
        kind, size = _mark(data, i, end)
        if kind == _CLOSES and level != _NONE and not (closes or opens or blanks or dashes):
            closes = True
        elif kind == _OPENS and not (opens or closes or level == _INNER):
            opens = True
        elif kind in (_BLANK, _DASH) and not opens and (blanks + dashes == 0 or (spaced and not closes)):
            blanks += kind == _BLANK
            dashes += kind == _DASH
        else:
            return 0, False, False
        i += size
    if dashes > 1 or (blanks > 1 and dashes == 0):
        return 0, False, False
    return (i if i < end and _DIGITS[data[i]] else 0), opens, closes


@inner
def _mark(data: NDArray[np.uint8], i: int, end: int) -> tuple[int, int]:
    """What kind of separator is at `i`, and its bytes."""
    if i >= end:
        return _NOTHING, 0
    byte = data[i]
    if byte == _SPACE:
        return _BLANK, 1
    if byte in (_HYPHEN, _DOT, _SLASH):
        return _DASH, 1
    if byte == _OPEN:
        return _OPENS, 1
    if byte == _CLOSE:
        return _CLOSES, 1
    # No-break spaces (U+00A0, U+202F), hyphens or dashes (U+2010 to U+2013), and the wide forms of East Asia.
    if byte == 0xC2 and data[i + 1] == 0xA0:
        return _BLANK, 2
    if byte == 0xE2 and data[i + 1] == 0x80:
        if data[i + 2] == 0xAF:
            return _BLANK, 3
        if 0x90 <= data[i + 2] <= 0x93:
            return _DASH, 3
    if byte == 0xEF and data[i + 1] == 0xBC:
        if data[i + 2] == 0x8D:
            return _DASH, 3
        if data[i + 2] == 0x88:
            return _OPENS, 3
        if data[i + 2] == 0x89:
            return _CLOSES, 3
    return _NOTHING, 0


@inner
def opening_size(data: NDArray[np.uint8], floor: int, i: int) -> int:
    """The bytes of the opening parenthesis that ends before `i`, 0 where there is none."""
    if i > floor and data[i - 1] == _OPEN:
        return 1
    return 3 if i - 2 > floor and data[i - 1] == 0x88 and data[i - 2] == 0xBC and data[i - 3] == 0xEF else 0


@inner
def _value(digits: NDArray[np.int64], start: int, size: int) -> int:
    value = 0
    for k in range(start, start + size):
        value = value * 10 + digits[k]
    return value


@inner
def is_phone(
    digits: NDArray[np.int64],
    total: int,
    groups: NDArray[np.int64],
    number: int,
    plus: bool,
    area: bool,
    cue: bool,
) -> bool:
    """Whether `total` digits in groups can be a telephone number, given what was before them."""
    if plus:
        return _is_international(digits, 0, total)
    if total < 7 or _is_date(digits, groups, number):
        return False
    if cue and total <= 15:
        return True
    if number == 1:
        return False
    if groups[0] >= 2 and digits[0] == 0 and digits[1] == 0:
        return _is_international(digits, 2, total)
    if _is_north_american(digits, groups, number):
        return True
    smallest = groups[0]
    for group in range(1, number):
        smallest = min(smallest, groups[group])
    if digits[0] == 0:
        # Five and four are what an American letter is addressed to (ZIP+4).
        code = number == 2 and groups[0] == 5 and groups[1] == 4
        return 9 <= total <= 12 and groups[0] <= 6 and smallest >= 2 and not code
    # Before an area in parentheses a longer group would be a journal's volume: "92(10)3599-604".
    return area and 9 <= total <= 12 and groups[0] <= 4


@inner
def _is_international(digits: NDArray[np.int64], start: int, total: int) -> bool:
    """Whether the digits from `start` on are a country's code and as many more as it has numbers of."""
    if not 8 <= total - start <= 15 or digits[start] == 0:
        return False
    for size in range(1, 4):
        if _COUNTRY[_value(digits, start, size)] and (size > 1 or digits[start] == 1 or digits[start] == 7):
            rest = start + size
            if size == 1:
                return total - rest == 10 and digits[rest] >= 2
            return digits[rest] > 0 or digits[rest + 1] > 0
    return False


@inner
def _is_north_american(digits: NDArray[np.int64], groups: NDArray[np.int64], number: int) -> bool:
    """3-3-4, perhaps after a 1; neither area nor exchange begins with 0 or 1."""
    k = number - 3
    if k == 1:
        if groups[0] != 1 or digits[0] != 1:
            return False
    elif k != 0:
        return False
    return groups[k] == 3 and groups[k + 1] == 3 and groups[k + 2] == 4 and digits[k] >= 2 and digits[k + 3] >= 2


@inner
def _is_date(digits: NDArray[np.int64], groups: NDArray[np.int64], number: int) -> bool:
    """Whether it begins with a date, or a range of years."""
    at = 0
    for group in range(min(number, 3)):
        if groups[group] == 4:
            year = _value(digits, at, 4)
            first_day = group == 0 and number > 1 and (groups[1] <= 2 or groups[1] == 4)
            if 1800 <= year < 2100 and (first_day or (group == 2 and groups[0] <= 2 and groups[1] <= 2)):
                return True
        at += groups[group]
    return False


@inner
def is_card_start(data: NDArray[np.uint8], floor: int, start: int, i: int) -> bool:
    """Whether a card's number may begin at `i`: not within a path, a name or a decimal."""
    return i == floor or not (_JOINS[data[i - 1]] or _LETTERS[data[i - 1]] or data[i - 1] == ord("]"))


@inner
def card_size(data: NDArray[np.uint8], i: int, end: int, grouped: bool) -> int:
    """The bytes of the card number at `i`, 0 where there is none: 14 to 19 digits of an issuer, with Luhn's sum.

    `grouped`: also where it is in groups as cards have them, with one space or hyphen between.
    """
    digits = np.zeros(MOST_DIGITS, np.int64)
    start, total, sizes, separator = i, 0, 0, 0
    while i < end:
        first = i
        while i < end and _DIGITS[data[i]]:
            if total == MOST_DIGITS:
                return 0
            digits[total] = np.int64(data[i]) - _ZERO
            total += 1
            i += 1
        # The sizes of the groups as a decimal number: 4040404 is four of four.
        sizes = sizes * 100 + i - first
        if _is_layout(sizes, total) and _is_card(digits, total):
            return i - start
        if not grouped or total >= 16 or i + 1 >= end or not _DIGITS[data[i + 1]]:
            return 0
        if data[i] not in (_SPACE, _HYPHEN) or (separator and data[i] != separator):
            return 0
        separator = data[i]
        i += 1
    return 0


@inner
def _is_layout(sizes: int, total: int) -> bool:
    """Whether a card's digits are in such groups: one, four of four, or American Express's and Diners Club's three."""
    return (sizes == total and total >= 14) or sizes in (4040404, 40605, 40604)


@inner
def _is_card(digits: NDArray[np.int64], total: int) -> bool:
    """Whether an issuer has numbers that begin so and are that long, and the last digit is Luhn's (ISO/IEC 7812-1)."""
    two, three, four = _value(digits, 0, 2), _value(digits, 0, 3), _value(digits, 0, 4)
    # Not the 13 digits that were Visa's once and would be every tenth article's number (EAN).
    visa = digits[0] == 4 and (total == 16 or total == 19)
    mastercard = total == 16 and (51 <= two <= 55 or 2221 <= four <= 2720)
    american_express = total == 15 and (two == 34 or two == 37)
    diners = total == 14 and (300 <= three <= 305 or two == 36 or two == 38 or two == 39)
    # Discover, UnionPay and JCB.
    others = total >= 16 and (four == 6011 or 644 <= three <= 659 or two == 62 or 3528 <= four <= 3589)
    maestro = total >= 16 and (two == 50 or 56 <= two <= 58 or four == 6304 or 6759 <= four <= 6763)
    if not (visa or mastercard or american_express or diners or others or maestro):
        return False
    luhn = 0
    for k in range(total):
        digit = digits[total - 1 - k] * (1 + k % 2)
        luhn += digit - 9 if digit > 9 else digit
    return luhn % 10 == 0
