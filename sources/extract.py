from resiliparse.extract.html2text import extract_plain_text

EXTRACTORS = ("resiliparse", "trafilatura")


def extract(html: str, extractor: str) -> str:
    return extract_plain_text(html, main_content=True, alt_texts=False, list_bullets=False)
