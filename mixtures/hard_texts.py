"""Texts that have told tokenizers apart: two that give the same ids for all of these read text alike.

What stays true: every pattern's kinds of characters meet each other here, and long runs of each.
"""

# Every kind of white space, number, mark and case that patterns tell apart, and what has broken encoders before.
HARD = [
    *(before + chr(c) * n + after for c in range(0x250) for before, n, after in (("a", 1, "b"), (" ", 2, "1"))),
    *(f"x{space * n}{after}" for space in " \t\n\r\v\f\x85\xa0\u1680\u2003\u2028\u202f\u3000\ufeff\u200b\x1c"
      for n in (1, 2, 3, 17) for after in ("", "x", "1", "!", "\n ", " \n", "'s", "é", "日")),
    "it's IT'S we'll WE'LL don't I'd you've they're 's 'S ''s 'ſ x'st", "1 12 123 1234 12345 1,234.5 ٣٤٥ Ⅷ ² ½ 四 १२३",
    "e\u0301 n\u0303o \u0301 a\u0300\u0301\u0302 \u200d\u200c क्षि กำ", "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 🇩🇪🇫🇷 ☺️ 🦊🦊🦊",
    "日本語のテキスト、漢字かな交じり文。 中文 한국어 ไทย العربية עברית Ελληνικά кириллица ǅ ﬁ İi ß ẞ",
    "<|endoftext|> <|endoftext|><|im_start|> <s></s>[INST] <pad> <unk>", "a" * 3000, "ab" * 1500, "!?" * 500,
    "é" * 500, "".join(chr(97 + i * i % 26) for i in range(3000)), "=" * 300 + "\n" * 300 + " " * 300 + "1" * 300,
    "\0\x01\x7f\ufffd\uffff", "def f(x):\n\tif x:\n\t\treturn  x  # y\r\n\r\n", "https://example.org/a_b-c?d=%20&e#f",
    "CamelCaseWords snake_case 1st 2nd x1y2z3",
    *("".join(map(chr, range(start, start + 512)))
      for start in (*range(0x250, 0x3000, 512), 0xA000, 0xF900, 0xFE00, 0x1D400, 0x1F300)),
]  # fmt: skip
