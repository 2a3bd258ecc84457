"""Keywords and selling points, from attributes and descriptions, English and Chinese."""

import functools
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from shelftalk.core.grounding import words_of
from shelftalk.core.wording import clean_points
from shelftalk.train.catalogues import Entry
from shelftalk.train.clean import plain, sentences

#: A feature is named after one of these, or stands alone as a bullet.
_FEATURE = re.compile(
    r"\b(?:with|features?|featuring|has|includes?|including|offers?|boasts?|and) (?:an? |the |its |built-in )?"
    r"((?:[a-z]+(?:-[a-z]+)?\s){0,3}[a-z]+(?:-[a-z]+)?)(?=[,.;]| and\b| for\b| that\b| to\b| which\b| in\b| on\b)"
)
_MADE = re.compile(
    r"\b(?:made (?:of|from|with)|crafted (?:of|from)) ((?:[a-z-]+ ){0,2}[a-z-]+)(?=[,.;]| and\b| for\b|$)"
)

#: Praise, not a feature: nobody could check it.
_PRAISE = re.compile(
    r"\b(?:perfect|best|great|ideal|stylish|style|comfort\w*|beautiful\w*|elegan\w*|luxur\w*|superior|quality|premium|ultimate|unique"
    r"|stunning|chic|timeless|sophisticat\w*|look|feel|experience|performance|confidence|ease|touch|charm|flair|vibes?|appeal|statement"
    r"|versatil\w*|effortless\w*|essential|must|any|every|your|you|our|their|this|these|it|all|more|most|design|finish)\b"
)  # fmt: skip
_SMALL = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "by",
        "can",
        "for",
        "from",
        "has",
        "have",
        "in",
        "into",
        "is",
        "it",
        "its",
        "not",
        "of",
        "on",
        "or",
        "our",
        "so",
        "that",
        "the",
        "their",
        "this",
        "to",
        "up",
        "with",
        "you",
        "your",
        "will",
        "these",
        "they",
        "while",
        "when",
        "than",
        "all",
        "any",
        "more",
        "also",
        "just",
        "even",
        "whether",
    ]
)

#: Attributes that say nothing to a shopper.
_DULL = re.compile(
    r"执行标准|产地|注意|温馨提示|货号|型号|生产|包装|保质|说明|quality|警示|备注|厂|颜色|规格|sku", re.IGNORECASE
)
_HAN = re.compile(r"[\u4e00-\u9fff]")


@functools.cache
def jieba() -> Any:
    """Chinese word segmentation, quiet; of the extra `corpus`."""
    import logging  # noqa: PLC0415
    import warnings  # noqa: PLC0415

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # jieba still asks for pkg_resources
        import jieba as package  # noqa: PLC0415
    package.setLogLevel(logging.WARNING)
    return package


def words(text: str) -> list[str]:
    """The words of a text in either language."""
    if _HAN.search(text):
        return [word for word in jieba().lcut(text) if _HAN.search(word) or word.isalpha()]
    return words_of(text)


class Keywords:
    """The words that set a text apart from the others of its corpus (tf-idf)."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._in: Counter[str] = Counter()
        self._texts = 0
        for text in texts:
            self._texts += 1
            self._in.update(set(words(text)))

    def of(self, text: str, count: int = 5) -> list[str]:
        """The most telling words, the first first."""
        said = Counter(word for word in words(text) if len(word) > 1 and word not in _SMALL)
        weight = {
            word: times * math.log(self._texts / self._in[word]) for word, times in said.items() if self._in[word]
        }
        return sorted(weight, key=lambda word: (-weight[word], word))[:count]


def selling_points(entry: Entry, keywords: Sequence[str]) -> tuple[str, ...]:
    """Short facts of an entry that a card may claim: attributes, bullets, features named in the description.

    Args:
        entry: of a catalogue.
        keywords: what sets its text apart; features that hold one go first.
    """
    if entry.language == "zh":
        return clean_points(tuple(_chinese_points(entry)))
    found = [_attribute(name, value) for name, value in entry.attributes.items()]
    text = plain(entry.text)
    found += [
        line.rstrip(".")[0].lower() + line.rstrip(".")[1:]
        for line in text.split("\n")[1:]
        if 1 <= len(line.split()) <= 5 and not re.search(r'["\u2033]', line)  # noqa: PLR2004
    ]
    named = [
        match[1] for sentence in sentences(text) for rule in (_FEATURE, _MADE) for match in rule.finditer(sentence)
    ]
    named = [point for point in named if 1 < len(point.split()) <= 4 and not set(point.split()) <= _SMALL]  # noqa: PLR2004
    telling = set(keywords)
    found += sorted(named, key=lambda point: telling.isdisjoint(point.split()))
    kept = [point for point in found if point and not _PRAISE.search(point.lower())]
    return clean_points(tuple(kept))


def _attribute(name: str, value: str) -> str:
    """An attribute as a shopper would say it: "material: steel" is "steel", "weight: 2 kg" is "2 kg"."""
    value = value.replace("|", ",").split(",")[0].strip().lower()
    if value in {"", "yes", "no", "true", "false", "none", "0", "dontcare", "?"}:
        return ""
    return (
        f"{value} {name}" if re.fullmatch(r"[\d.]+ (?:gb|hours?|inch|kg|tb)|excellent|good|standard", value) else value
    )


def _chinese_points(entry: Entry) -> Iterable[str]:
    for name, whole in entry.attributes.items():
        value = re.split(r"[\n，,;；。/（(、]", whole)[0].strip()
        if _DULL.search(name) or not 2 <= len(value) <= 14 or re.search(r"[≥≤±×*]|见|详|参考|误差", value):  # noqa: PLR2004
            continue
        if name in {"材质", "面料", "填充物", "主材质"} or _HAN.search(value):
            yield value
        elif re.fullmatch(r"[\d.]+ ?\w{1,3}", value):
            yield f"{name}{value}"


def chinese_kind(name: str) -> str:
    """The noun at the end of a Chinese product name: "秋冬保暖加厚澳洲羊毛被" is a "羊毛被"."""
    name = re.split(r"[（(【\[]", name.strip())[0].strip()
    name = name.split()[-1] if name.split() else ""
    parts = [part for part in jieba().lcut(name) if _HAN.search(part)]
    kind = ""
    while parts and len(kind) < 2:  # noqa: PLR2004 - one character is rarely a noun
        kind = parts.pop() + kind
    if parts and len(kind) + len(parts[-1]) <= 4 and kind != name:  # noqa: PLR2004 - "羊毛" + "被"
        kind = parts.pop() + kind
    return kind
