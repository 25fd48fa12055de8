import codecs
import gzip
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.charset import decode

RUSSIAN = "Съешь же ещё этих мягких французских булок, да выпей чаю. "
JAPANESE = "いろはにほへと散りぬるを、我が世誰ぞ常ならむ。有為の奥山今日越えて。"
CHINESE = "天地玄黄，宇宙洪荒。日月盈昃，辰宿列张。"
KOREAN = "키스의 고유조건은 입술끼리 만나야 하고 특별한 기술은 필요치 않다. "
GERMAN = "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich – „fünf“ €. "


@pytest.mark.parametrize(
    ("label", "codec", "text"),
    [
        ("utf-8", "utf-8", RUSSIAN + JAPANESE),
        ("UTF8", "utf-8", GERMAN),
        ("windows-1251", "cp1251", RUSSIAN),
        ("koi8-r", "koi8-r", RUSSIAN),
        ("shift_jis", "cp932", JAPANESE + "①㈱髙"),
        ("euc-jp", "euc_jp", JAPANESE),
        ("gb2312", "gb18030", CHINESE + "镕€㐀"),
        ("gbk", "gb18030", CHINESE + "𠀀"),
        ("big5", "big5hkscs", "天地玄黃，宇宙洪荒。㗎"),
        ("euc-kr", "cp949", KOREAN + "똠방각하"),
        ("ks_c_5601-1987", "cp949", KOREAN),
        ("iso-8859-1", "cp1252", GERMAN),
        ("us-ascii", "cp1252", GERMAN),
        ("iso-8859-15", "iso8859-15", GERMAN.replace("–", "-").translate({ord(c): "'" for c in "„“"})),
        ("tis-620", "cp874", "เป็นมนุษย์สุดประเสริฐเลิศคุณค่า…"),
        ("iso-2022-jp", "iso2022_jp", JAPANESE),
        ("iso-2022-kr", "iso2022_kr", KOREAN),
        ("hz-gb-2312", "hz", CHINESE),
        ("utf-16", "utf-16-le", RUSSIAN),
        ("utf-16be", "utf-16-be", RUSSIAN),
    ],
)
def test_named_charsets_mean_what_browsers_take_them_for(label: str, codec: str, text: str) -> None:
    body = text.encode(codec)
    assert decode(body, label) == text
    assert decode(body, f" {label.upper()} ") == text
    if not codec.startswith("utf-16"):
        page = f"<html><head><meta charset={label}></head>"
        assert decode(page.encode() + body, None) == page + text
        page = f"<meta http-equiv='Content-Type' content='text/html; charset={label}'>"
        assert decode(page.encode() + body, None) == page + text
        page = f'<?xml version="1.0" encoding="{label}"?>'
        assert decode(page.encode() + body, "no-such-charset") == page + text


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_is_believed_before_all_else(codec: str) -> None:
    assert decode((GERMAN + RUSSIAN).encode(codec), "iso-8859-1") == GERMAN + RUSSIAN


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_utf16_html_needs_no_mark(codec: str) -> None:
    assert decode(f"<html>{RUSSIAN}".encode(codec), None) == f"<html>{RUSSIAN}"


def test_utf8_is_believed_before_names() -> None:
    assert decode(GERMAN.encode(), "windows-1251") == GERMAN
    assert decode(b"<meta charset=shift_jis>" + RUSSIAN.encode(), "utf-16") == "<meta charset=shift_jis>" + RUSSIAN


def test_the_header_is_believed_before_the_page() -> None:
    body = f"<meta charset=koi8-r>{RUSSIAN}".encode("cp1251")
    assert decode(body, "windows-1251") == f"<meta charset=koi8-r>{RUSSIAN}"


@pytest.mark.parametrize(
    ("codec", "text"),
    [("cp1251", RUSSIAN), ("euc_kr", KOREAN), ("gb18030", CHINESE), ("shift_jis", JAPANESE), ("cp1252", GERMAN)],
)
def test_without_a_name_the_charset_is_detected(codec: str, text: str) -> None:
    assert decode((text * 20).encode(codec), None) == text * 20


def test_few_bytes_without_a_name_are_windows_1252() -> None:
    assert decode("El Niño – café".encode("cp1252"), None) == "El Niño – café"
    assert decode(b"caf\xe9", "utf-8") == "café"


def test_a_few_broken_bytes_do_not_change_the_charset() -> None:
    body = (RUSSIAN * 5).encode()
    broken = body[:101] + b"\xff" + body[101:]
    for header in (None, "utf-8", "windows-1252"):
        text = decode(broken, header)
        assert text.count("\ufffd") <= 3
        assert text.endswith(RUSSIAN * 4)
    assert decode((CHINESE * 9).encode("gb18030") + b"\xff\xff", "gb2312") == CHINESE * 9 + "\ufffd\ufffd"
    # A page that was cut off within a character.
    assert decode(f"<p>{JAPANESE}".encode()[:-1], None) == f"<p>{JAPANESE[:-1]}\ufffd"


@given(st.binary(max_size=200), st.none() | st.text(max_size=20) | st.sampled_from(["hz", "gb2312", "utf-16", "big5"]))
def test_any_bytes_give_text_that_can_be_written(body: bytes, header: str | None) -> None:
    text = decode(body, header)
    assert "\0" not in text
    text.encode()


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufeff")), st.text(max_size=20))
def test_utf8_is_kept(text: str, header: str) -> None:
    assert decode(text.encode(), None) == text
    assert decode(codecs.BOM_UTF8 + text.encode(), header) == text


# Python's names of what browsers read for those of the index.
ACTUAL = {"ascii": "utf-8", "iso-8859-1": "cp1252", "euc-kr": "cp949", "gb2312": "gb18030", "gbk": "gb18030"}


def test_real_pages_are_decoded_as_their_index_says(shared_data: Path) -> None:
    with gzip.open(shared_data / "pages/index.jsonl.gz") as lines:
        rows = [json.loads(line) for line in lines]
    shards = {name: (shared_data / "pages" / name).read_bytes() for name in {row["shard"] for row in rows}}
    different = []
    for row in rows:
        member = shards[row["shard"]][row["offset"] : row["offset"] + row["length"]]
        body = gzip.decompress(member).split(b"\r\n\r\n", 2)[2][: row["body_bytes"]]
        actual = body.decode(ACTUAL.get(row["actual_encoding"], row["actual_encoding"]), "replace")
        actual = actual.removeprefix("\ufeff").replace("\0", "")
        if comparable(decode(body, row["header_charset"])) != comparable(actual):
            different.append((row["header_charset"], row["meta_charset"], row["broken_bytes"]))
    assert len(rows) == 2790
    # Mixtures that the index calls windows-1252, as most of their bytes are, and we UTF-8, as they do themselves.
    assert different == [(None, "utf-8", 2), (None, "utf-8", 1)]


def comparable(text: str) -> str:
    """Without bytes that Python's windows-1252 has no character for, which the web's takes for controls."""
    return re.sub("[\x80-\x9f\ufffd]", "?", text)
