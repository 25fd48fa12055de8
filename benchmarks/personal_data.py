"""Personal data: what is found of planted addresses and numbers, what is replaced wrongly, by us and by datatrove.

Everything is made up by a seed, by formats written down here and not by the rules that look for them. It is planted one
at a time into real texts in which neither side finds anything, so what comes out is right if it is the text with one
placeholder in the place of what was planted, to the byte. Decoys are planted likewise and have to stay.
"""

import random
from collections.abc import Callable, Sequence
from itertools import cycle

from datatrove.pipeline.formatters.pii import PIIFormatter

from benchmarks.inputs import Inputs
from benchmarks.results import SPREAD, Table
from benchmarks.timing import interleave
from filters.personal_data import FAMILY
from kernels.texts import Texts

SEED = 0
DOCUMENT = 7000
PASSES = 20
EMAIL, IP = "email@example.com", "22.214.171.124"
MARKS = ("[email]", "[ip]", "[phone]", "[card]", EMAIL, IP)
# "#" is any digit, "N" 2 to 9, "*" a letter, "^" a hexadecimal digit, {o} and {p} numbers of an IPv4 address, {c} the
# rest of a card's; what is before "=" says what it is and is no part of it.
PLANTED = {
    "e-mail": "****@******.com|**.****@****.co.uk|***+**@***-***.org|****_**##@**.****.edu|A**.A***@*****.de|*@**.io",
    "e-mail, letters beyond ASCII": "mü***@****.de|**é*.**@****.fr|и*и*@почта.рф|josé@*****ñ.es",
    "IPv4": "{o}.{p}.{p}.{p}",
    "IPv6": "2a0N:^^^^:^^^^:^^^^:^^^^:^^^^:^^^^:^^^^|2a0N:^^^^::^^^^|26##:^^^^:^^^^::N|240N:^^^^:^^^^:^^^^::^^^^:^^^^",
    "phone, international": (
        "+49 30 N######|+1 N## N##-####|+1 (N##) N##-####|+44 20 #### ####|+33 N ## ## ## ##|+7 (495) ###-##-##|"
        "+86 10 N### ####|+91 9#### #####|+61 2 #### ####|+34 9## ### ###|+49N0#######|0049 N0 #######|+39 06 #######"
    ),
    "phone, North America": "(N##) N##-####|N##-N##-####|N##.N##.####|1-800-N##-####|N## N## ####|N##/N##-####",
    "phone, trunk zero or area": (
        "0N0/#######|(0N0) ### ## ##|0N0 - ### ### ###|01 N# ## ## ##|0N.##.##.##.##|020 N### ####|0N###-######|"
        "03-N###-####|010-N#######|8 (495) ###-##-##|(0N#) ### ####|(11) 9####-####"
    ),
    "phone, after a word": (
        "Tel. =N######|Tel: =N## ## ## ##|fax =N##-####|Телефон: =N## ## ##|电话：=N#######|Phone =N## ### ###"
    ),
    "phone, nothing but digits": "N## ### ###|N#########|0N#########|N######",
    "card": "4## {c}|51 {c}|55 {c}|37 {c}|6011 {c}",
}
DECOYS = {
    "dates and times": "20##-0N-1#|1N.0N.201#|0N/1#/199#|201#-0N-1# 1#:2#:3#|19N#-199#|0N.00 - 1#.30",
    "private addresses": "10.#.#.N|192.168.N.##|172.16.N.N|127.0.0.1|fe80::^:^^^^|2001:db8::N|::1",
    "versions and sections": "version 4N.{p}.{p}.{p}|1.2.N.4|v1.N.3|N.1.1.1|Chrome/9N.0.{p}.{p}",
    "ISBN, ISSN, EAN": "978-3-16-148N#0-#|0-306-40N1#-2|N###-####|40########N##",
    "prices and amounts": "$N,###,###.00|N ### ### EUR|€N.###.###|+N0 000 000|N##,### km",
    "numbers and codes": "N########|#N#-##|GR-####.##|N### ####|^^^^^^^^-^^^^-^^^^-^^^^-^^^^^^^^^^^^|DE N#########",
    "coordinates, tables": "N#.######, 1#.######|1 2 N 4 5 6 7|N# N# N# N#|0.### 0.### 0.###",
    "handles, files": "@****|***@2x.png|***@N.1.#|**** at ****.com|**@****|^00:^^:^^:^^:^^:^^",
}


def made(template: str, luck: random.Random) -> str:
    """One of the "|" alternatives of a template, filled in."""
    text = luck.choice(template.split("|"))
    first, card = "", "{c}" in text
    if "{o}" in text:
        first = str(
            luck.choice([*range(20, 100), *range(101, 127), *range(128, 169), *range(193, 198), *range(204, 224)])
        )
    filled = [
        {"#": "0123456789", "N": "23456789", "*": "abcdefghiklmnoprstuvw", "^": "0123456789abcdef"}.get(c, c)
        for c in text.replace("{o}", "\0").replace("{p}", "\1").replace(" {c}", "")
    ]
    chosen = "".join(luck.choice(choices) for choices in filled)
    while "\1" in chosen:
        chosen = chosen.replace("\1", str(luck.randrange(256)), 1)
    return _card(chosen, luck) if card else chosen.replace("\0", first)


def _card(prefix: str, luck: random.Random) -> str:
    """A number of that beginning with Luhn's last digit, in one of the ways in which cards have them."""
    size = 15 if prefix == "37" else 16
    digits = prefix + "".join(luck.choice("0123456789") for _ in range(size - 1 - len(prefix)))
    luhn = sum(sum(divmod(int(d) * (2 - k % 2), 10)) for k, d in enumerate(reversed(digits)))
    digits += str(-luhn % 10)
    cuts = (4, 10, 15) if size == 15 else (4, 8, 12, 16)
    groups = [digits[a:b] for a, b in zip((0, *cuts), cuts, strict=False)]
    return luck.choice(["", " ", "-"]).join(groups)


def crawlmill(texts: Sequence[str]) -> list[str]:
    return FAMILY.measure(Texts.of(texts), **FAMILY.parameters)[1].to_list()


def datatrove(texts: Sequence[str]) -> list[str]:
    formatter = PIIFormatter(email_replacement=EMAIL, ip_replacement=IP)
    return [formatter.format(text) for text in texts]


SIDES: dict[str, Callable[[Sequence[str]], list[str]]] = {"crawlmill": crawlmill, "datatrove": datatrove}


def planted(template: str, hosts: Sequence[str], luck: random.Random) -> list[tuple[str, str, str, str]]:
    """For each host its text before, a word for it, what is planted, and its text after: between two words, in
    parentheses, or where a sentence ends."""
    found = []
    for text, after in zip(hosts, cycle([" ", ".", ", ", ")"]), strict=False):
        place = luck.choice([place for place, character in enumerate(text) if character == " "])
        before = "(" if after == ")" else ""
        word, _, it = made(template, luck).rpartition("=")
        found.append((f"{text[:place]} {before}", word, it, f"{after}{text[place:]}"))
    return found


def share(
    side: Callable[[Sequence[str]], list[str]], template: str, hosts: Sequence[str], luck: random.Random, stays: bool
) -> float:
    """How often the text comes out with a placeholder for what was planted and nothing else, or as it went in."""
    rows = [(f"{before}{word}", it, after) for before, word, it, after in planted(template, hosts, luck)]
    right = 0
    for (before, it, after), text in zip(rows, side(["".join(row) for row in rows]), strict=True):
        right += text == before + it + after if stays else any(text == before + mark + after for mark in MARKS)
    return right / len(rows)


def run(inputs: Inputs) -> list[Table]:
    texts = [text for text in inputs.texts if text.count(" ") >= 20]
    hosts = [text for text in texts if crawlmill([text]) == [text] == datatrove([text])]
    rows: dict[str, dict[str, float]] = {}
    for templates, stays in ((PLANTED, False), (DECOYS, True)):
        for name, template in templates.items():
            found = {who: share(side, template, hosts, random.Random(SEED), stays) for who, side in SIDES.items()}
            rows[f"{'decoys: ' if stays else ''}{name}"] = {"texts": len(hosts), **found}
    note = (
        "One planted in each of as many real texts. Right is the text with one placeholder where it was planted, to "
        "the byte, and for decoys the text as it was. datatrove's PIIFormatter knows e-mail and IPv4 addresses only."
    )
    columns = {"texts": ",d", "crawlmill": ".1%", "datatrove": ".1%"}
    return [Table("Personal data: planted", note, columns, rows), _speed(texts, inputs.repeats)]


def _speed(texts: Sequence[str], repeats: int) -> Table:
    def often(some: Sequence[str]) -> list[str]:
        for _ in range(PASSES):
            out = crawlmill(some)
        return out

    rounds = interleave({"crawlmill": often, "datatrove": datatrove}, texts, repeats, texts[:20])
    size = sum(len(text.encode()) for text in texts)
    seconds = {who: side.median / (PASSES if who == "crawlmill" else 1) for who, side in rounds.items()}
    rows = {
        who: {
            "documents": len(texts),
            "µs per 7 kB": seconds[who] * 1e6 * DOCUMENT / size,
            "ratio": seconds[who] / seconds["crawlmill"],
            "slowest/fastest": side.spread,
        }
        for who, side in rounds.items()
    }
    note = "All texts, in memory: crawlmill's four kinds, datatrove's two."
    return Table(
        "Personal data: time", note, {"documents": ",d", "µs per 7 kB": ",.0f", "ratio": ".1f", **SPREAD}, rows
    )
