"""Any filter of datatrove as a family: `rules: [{datatrove.GopherQualityFilter: {min_doc_words: 100}}]`.

In come texts with their URL and language, out come datatrove's own verdict and its own reason for every one, and the
texts as the filter left them. What stays true: the verdict on a document depends on that document, the settings and
datatrove's version alone, so filters that draw random numbers are refused. Made for datatrove 0.10.1.
"""

import difflib
import importlib.metadata
import inspect
import json
from collections.abc import Mapping
from functools import cache, partial
from typing import Any

import numpy as np

from filters.family import Columns, Family, Rule
from kernels.texts import Texts

PREFIX = "datatrove."
_INSTALL = 'pip install "crawlmill[datatrove]"'
_REFUSED = {
    "LambdaFilter": "it takes a Python function, which a recipe cannot hold; write a family of rules instead",
    "SamplerFilter": "its random numbers go by the order in which documents come, so the result would depend on the "
    "number of workers; give the mixture fewer tokens of the source instead",
}


def family(name: str, settings: Mapping[str, Any], check: bool = True) -> Family:
    """The filter called `name` ("datatrove.URLFilter") with `settings`, JSON, as its keyword arguments.

    With `check` it is built here, to find mistakes before a crawl is read, and once more in every process that
    measures; without it, datatrove need not be there.
    Signals: dropped (0 or 1) and reason (datatrove's, "" where it gives none). Raises ValueError for a filter that is
    not there or cannot work here, for settings it does not take, and for packages that are not installed.
    """
    try:
        written = json.dumps(dict(settings), sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"rules: the settings of {name} must be JSON: {error}") from error
    if check:
        _build(name, written)
    version = importlib.metadata.version("datatrove") if check else ""
    return Family(
        name=name,
        measure=partial(_measure, name),
        signals={"dropped": int, "reason": str},
        rules=(Rule(name, "dropped", "max", 0, f"datatrove {version}".strip(), detail="reason"),),
        # Another version of datatrove may judge otherwise, so what was measured with this one is not its work.
        parameters={"version": version, "settings": json.loads(written)},
        rewrites=True,
    )


def _measure(name: str, texts: Texts, *, version: str, settings: Mapping[str, Any]) -> tuple[Columns, Texts]:
    """A verdict for every text. Raises ValueError, with the filter's name, where the filter fails on a document."""
    step = _build(name, json.dumps(settings, sort_keys=True))
    installed = importlib.metadata.version("datatrove")
    if installed != version:
        raise ValueError(f"this worker has datatrove {installed} and the run datatrove {version}; install the same")
    from datatrove.data import Document
    from datatrove.pipeline.filters.base_filter import get_filter_result

    dropped, reasons = np.zeros(len(texts), np.int64), np.full(len(texts), "", object)
    before = texts.to_list()
    after = []
    for row, (text, url, language) in enumerate(zip(before, texts.urls, texts.languages, strict=True)):
        known = {"url": url, "language": language}
        document = Document(text, str(row), metadata={key: value for key, value in known.items() if value is not None})
        try:
            # Through the batch, as datatrove's own `run`: a filter may define either method.
            [result] = step.filter_batch([document])
        except Exception as error:
            raise ValueError(f"{name} failed on document {url or row}: {type(error).__name__}: {error}") from error
        kept, reason = get_filter_result(result)
        if not kept:
            dropped[row], reasons[row] = 1, reason or ""
        after.append(document.text)
    columns: Columns = {"dropped": dropped, "reason": reasons}
    return columns, texts if after == before else Texts.of(after, texts.languages, texts.urls)


@cache
def _build(name: str, settings: str) -> Any:
    """datatrove's filter with these settings, once per process: some load models and lists."""
    filter_class = _find(name)
    keywords = json.loads(settings)
    _check_keywords(name, filter_class, keywords)
    try:
        return filter_class(**{key: _tuples(value) for key, value in keywords.items()})
    except ImportError as error:
        raise ValueError(f"rules: {name} needs packages that are not installed: {error}") from error
    except Exception as error:
        raise ValueError(f"rules: {name} does not take {settings}: {type(error).__name__}: {error}") from error


def _find(name: str) -> type[Any]:
    try:
        from datatrove.pipeline import filters
        from datatrove.pipeline.filters.base_filter import BaseFilter
    except ImportError as error:
        raise ValueError(f"rules: {name} needs datatrove ({error}): {_INSTALL}") from error
    known = {
        PREFIX + key: value
        for key, value in vars(filters).items()
        if inspect.isclass(value) and issubclass(value, BaseFilter) and value is not BaseFilter
    }
    if name not in known:
        nearest = difflib.get_close_matches(name, known, n=1, cutoff=0)[0]
        raise ValueError(f"rules: datatrove has no filter {name!r}; the nearest is {nearest!r}")
    return known[name]


def _check_keywords(name: str, filter_class: type[Any], settings: Mapping[str, Any]) -> None:
    why = _REFUSED.get(name.removeprefix(PREFIX))
    if why is None and settings.get("keep_fraction"):
        why = "its keep_fraction draws random numbers by the order in which documents come; leave it at 0"
    if why is not None:
        raise ValueError(f"rules: {name} cannot be used here: {why}")
    takes = dict(inspect.signature(filter_class).parameters)
    # A writer is an object, and what a rule drops is kept by the pipeline anyway.
    takes.pop("exclusion_writer", None)
    listed = ", ".join(takes) or "none"
    for keyword in settings:
        if keyword not in takes:
            raise ValueError(f"rules: {name} takes no {keyword!r}; it takes {listed}")
    for keyword, parameter in takes.items():
        if parameter.default is parameter.empty and keyword not in settings:
            raise ValueError(f"rules: {name} needs {keyword!r}; it takes {listed}")


def _tuples(value: Any) -> Any:
    """JSON's lists as tuples: datatrove takes a tuple wherever it takes a list, and `stop_chars` only so."""
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
