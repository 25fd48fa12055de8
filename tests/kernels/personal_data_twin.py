"""Personal data by regular expressions and `ipaddress`, a document at a time: what the kernels are held to."""

import ipaddress
import re
import unicodedata

from kernels.personal_data import _CUES, _VERSIONS, COLUMNS
from kernels.personal_numbers import _COUNTRY

L = "0-9A-Za-z" + re.escape("".join(chr(c) for c in range(128, 0x530) if chr(c).isalpha()))
NAME = re.compile(rf"[{L}_](?:[{L}_%+'-]|\.(?![.@]))*@")
LABEL = re.compile(rf"[{L}](?:[{L}-]*[{L}])?")
DIGITS = re.compile("[0-9]+")
BLANK, DASH, OPEN, CLOSE = "[ \u00a0\u202f]", "[-./\u2010-\u2013\uff0d]", "[(\uff08]", "[)\uff09]"
V4 = re.compile(r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![0-9])")
V6 = re.compile("[23][0-9a-fA-F]{3}:[0-9a-fA-F:]*")
NOBODYS = [
    ipaddress.ip_network(net)
    for net in "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 "
    "192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/3 2001::/23 2001:db8::/32 2002::/16 "
    "3fff::/20".split()
]
CUES, VERSIONS = (set(bytes(words).decode().split()) for words in (_CUES, _VERSIONS))


def host_end(text: str, i: int) -> int:
    end, labels = 0, 0
    while label := LABEL.match(text, i):
        labels += 1
        i, name = label.end(), label[0]
        letters = name if name.startswith("xn--") else re.split("[0-9-]", name)[0]
        ends = letters == name or name[len(letters)] == "-"
        if labels > 1 and len(letters.encode()) > 1 and ends and letters not in ("png jpg jpeg gif svg webp".split()):
            end = i - len(name) + len(letters)
        if text[i : i + 1] != ".":
            break
        i += 1
    return end


def twin_emails(text: str) -> tuple[int, str]:
    out, at, n, search = "", 0, 0, 0
    while match := NAME.search(text, search):
        search = match.end()
        if end := host_end(text, match.end()):
            out, at, n = out + text[at : match.start()] + "[email]", end, n + 1
            search = end
    return n, out + text[at:]


def is_word(character: str) -> bool:
    """Of a script with spaces between words."""
    if "\uac00" <= character <= "\ud7a3":
        return False
    word = character.isalnum() or unicodedata.category(character)[0] == "M"
    name = unicodedata.name(character, "")
    unspaced = "IDEOGRAPH" in name or name.startswith(("THAI", "HIRAGANA", "KATAKANA", "LAO ", "KHMER", "MYANMAR"))
    return word and not (unspaced and unicodedata.category(character) in ("Lo", "Lm", "Nl"))


def follows_word(text: str, floor: int, i: int) -> bool:
    return floor > 0 if i == floor else text[i - 1] in "]+" or is_word(text[i - 1])


def is_followed(text: str, i: int) -> bool:
    if re.compile("x[0-9]").match(text, i):
        return False
    goes_on = re.compile(r"[.,:](?=[0-9[])|[%$@=_\[\\°€£]|-(?=[A-Za-z])").match(text, i)
    return bool(goes_on) or (text[i : i + 1] not in ("", ".", ",", ":") and is_word(text[i]))


def after_cue(text: str, floor: int, i: int, cues: set[str]) -> bool:
    for _ in range(4):
        if i <= floor:
            return False
        if is_word(text[i - 1]) or text[i - 1].isalnum():
            break
        if text[i - 1] in "\n[]":
            return False
        i -= 1
    word, size = "", 0
    while i > floor and text[i - 1].isalpha() and size < 24:
        word, size, i = text[i - 1] + word, size + len(text[i - 1].encode()), i - 1
    return any(word.casefold() == cue.casefold() or (cue[0] in "电電手传" and word.endswith(cue)) for cue in cues)


def address_end(text: str, floor: int, i: int) -> int:
    before = text[floor:i][-1:]
    two = text[floor:i][-2:]
    if before and (before in "._" or before >= "\x80" or before.isalnum()):
        return 0
    if (before == "-" and two[0].isascii() and two[:-1].isalpha()) or (before == "/" and two != "//"):
        return 0
    run = V4.match(text, i)
    if run is None:
        run = V6.match(text, i) if before != ":" else None
        size = len(run[0].rstrip(":") if run and run[0][-2:] != "::" else run[0]) if run else 0
        if not run or len(run[0]) - size > 1:
            return 0
        end = i + size
    else:
        end = run.end()
    try:
        address = ipaddress.ip_address(text[i:end])
    except ValueError:
        return 0
    sections = address.version == 4 and max(address.packed) < 20
    return 0 if sections or any(address in net for net in NOBODYS) else end


def luhn(digits: str) -> bool:
    return sum(sum(divmod(int(d) * (1 + k % 2), 10)) for k, d in enumerate(reversed(digits))) % 10 == 0


def is_card(digits: str) -> bool:
    return luhn(digits) and bool(
        re.fullmatch(
            "4[0-9]{15}(?:[0-9]{3})?|5[1-5][0-9]{14}|3[47][0-9]{13}|3(?:0[0-5]|[689][0-9])[0-9]{11}|"
            "(?:222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}|"
            "(?:6011|64[4-9][0-9]|65[0-9]{2}|62[0-9]{2}|352[89]|35[3-8][0-9]|50[0-9]{2}|5[678][0-9]{2}|6304|67(?:59|6[0-3]))"
            "[0-9]{12,15}",
            digits,
        )
    )


def card_end(text: str, i: int, grouped: bool) -> int:
    layouts = ["[0-9]+"]
    if grouped:
        layouts += [rf"[0-9]{{4}}([ -])[0-9]{{{a}}}\1[0-9]{{{b}}}(?![0-9])" for a, b in ((6, 5), (6, 4))]
        layouts += [r"[0-9]{4}([ -])[0-9]{4}\1[0-9]{4}\1[0-9]{4}(?![0-9])"]
    for layout in layouts:
        match = re.compile(layout).match(text, i)
        if match and is_card(re.sub("[ -]", "", match[0])):
            return match.end()
    return 0


def card_starts(text: str, floor: int, i: int) -> bool:
    before = text[floor:i][-1:]
    return not before or not (before in ".,/=-_#$@&?\\+]" or (before.isascii() and before.isalpha()))


def run(text: str, floor: int, i: int, outer: bool) -> tuple[int, list[str], bool, bool]:
    groups: list[str] = []
    area = closed = False
    level = int(outer)
    while True:
        match = DIGITS.match(text, i)
        assert match
        groups.append(match[0])
        i, total = match.end(), sum(map(len, groups))
        ways = [f"{BLANK}?", DASH]
        ways += [f"{CLOSE}(?:{BLANK}|{DASH})?"] * (level > 0) + [f"(?:{BLANK}|{DASH})?{OPEN}"] * (level < 2)
        if len(groups) == 1 and groups[0][0] == "0" and total > 2:
            ways += [f"{BLANK}?{DASH}{BLANK}?"] + [f"(?:{BLANK}{DASH}|{DASH}{BLANK}){OPEN}"] * (level < 2)
        ends = [m.end() for way in ways if (m := re.compile(f"(?:{way})(?=[0-9])").match(text, i)) and m.end() > i]
        opens = bool(ends) and bool(re.search(OPEN, text[i : ends[0]]))
        closes = bool(ends) and bool(re.search(CLOSE, text[i : ends[0]]))
        if not ends or (opens and total > 4) or address_end(text, floor, ends[0]):
            return i, groups, area, closed
        if card_starts(text, floor, ends[0]) and card_end(text, ends[0], False):
            return i, groups, area, closed
        closed |= closes and level == 1
        area |= closes and (len(groups) == 1 or (len(groups) == 2 and len(groups[0]) == 1))
        level = 2 if opens else 0 if closes else level
        i = ends[0]


def is_international(digits: str) -> bool:
    if not 8 <= len(digits) <= 15 or digits[0] == "0":
        return False
    for size in (1, 2, 3):
        if _COUNTRY[int(digits[:size])]:
            rest = digits[size:]
            return (len(rest) == 10 and rest[0] >= "2") if size == 1 else rest[:2] != "00"
    return False


def is_date(groups: list[str]) -> bool:
    def year(group: str) -> bool:
        return len(group) == 4 and 1800 <= int(group) < 2100

    sizes = [len(group) for group in groups]
    first = year(groups[0]) and len(groups) > 1 and sizes[1] in (1, 2, 4)
    return first or (len(groups) > 2 and year(groups[2]) and sizes[0] <= 2 and sizes[1] <= 2)


def is_phone(groups: list[str], plus: bool, area: bool, cue: bool) -> bool:
    digits, sizes = "".join(groups), tuple(map(len, groups))
    if len(digits) > 19:
        return False
    if plus:
        return is_international(digits)
    if len(digits) < 7 or is_date(groups):
        return False
    if cue and len(digits) <= 15:
        return True
    if len(groups) == 1:
        return False
    if groups[0][:2] == "00":
        return is_international(digits[2:])
    local = groups[1:] if sizes == (1, 3, 3, 4) and digits[0] == "1" else groups
    if tuple(map(len, local)) == (3, 3, 4) and local[0][0] >= "2" and local[1][0] >= "2":
        return True
    if digits[0] == "0":
        return 9 <= len(digits) <= 12 and sizes[0] <= 6 and min(sizes) >= 2 and sizes != (5, 4)
    return area and 9 <= len(digits) <= 12 and sizes[0] <= 4


def number(text: str, floor: int, i: int) -> tuple[str, int, int]:
    end = address_end(text, floor, i)
    stands = end and not follows_word(text, floor, i) and (text[end : end + 1] == ":" or not is_followed(text, end))
    if stands and not after_cue(text, floor, i, VERSIONS):
        return "ip", i, end
    if card_starts(text, floor, i) and not follows_word(text, floor, i):
        end = card_end(text, i, True)
        if end and not is_followed(text, end):
            return "card", i, end
    plus = i > floor and text[i - 1] == "+"
    first = i - plus
    opening = int(first > floor and text[first - 1] in "(（")
    last, groups, area, closed = run(text, floor, i, bool(opening))
    cue = after_cue(text, floor, first - opening, CUES)
    if not is_phone(groups, plus, area, cue):
        return "", i, last
    first -= opening * closed
    before = text[floor:first]
    joined = (before[-1:] or " ") in ".,/=-_#$@&?\\" and not plus and not cue
    joined |= bool(re.search("[0-9]:$", before))
    if joined or follows_word(text, floor, first) or is_followed(text, last):
        return "", i, last
    return "phone", first, last


def twin(text: str) -> tuple[dict[str, int], str]:
    n, text = twin_emails(text)
    counts = dict.fromkeys(COLUMNS, 0) | {"emails": n}
    out, floor, i = "", 0, 0
    while match := DIGITS.search(text, i):
        kind, first, i = number(text, floor, match.start())
        if kind:
            counts[kind + "s"] += 1
            out, floor = f"{out}{text[floor:first]}[{kind}]", i
    return counts, out + text[floor:]
