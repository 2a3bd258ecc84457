"""Grounding: a generated text says nothing that its brief does not hold.

Stricter than the guard, which only knows what is *forbidden*: here every word must come from the facts (kind, points, anchor) or be
a generic word of the trade. A small model's imagination is mostly nonsense ("the radiator in your cart has a castor on it"), so it
is given room for none. Hand-written lines need not pass this; people have read them.
"""

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache, lru_cache
from importlib import resources

import orjson

from shelftalk.core.brief import Angle, Brief, Promotion
from shelftalk.core.grammar import kind_class, misplaced
from shelftalk.core.kinds import measures
from shelftalk.core.remarks import REMARK
from shelftalk.core.render import SLOT
from shelftalk.core.stems import stem
from shelftalk.core.word_slots import take_remarks

_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")

#: What may be said only for one reason: it is untrue for any other shopper.
_ANGLE_WORDS: tuple[tuple[frozenset[Angle], re.Pattern[str]], ...] = (
    (
        frozenset({Angle.IN_CART, Angle.PRICE_DROPPED}),
        re.compile(r"\b(?:(?:your|the) (?:cart|basket|trolley)|carted)\b"),
    ),
    (frozenset({Angle.SEARCH_MATCH}), re.compile(r"\bsearch(?:ed|es)?\b")),
    (
        frozenset({Angle.POPULAR}),
        re.compile(r"\b(?:people|shoppers|eyes|crowd|popular|queue|being looked|getting looks)\b"),
    ),
    (frozenset({Angle.LIKE_VIEWED, Angle.GOES_WITH}), re.compile(r"\b(?:you viewed|you were looking)\b")),
    (
        frozenset({Angle.REPLENISH}),
        re.compile(r"\b(?:running (?:low|out)|run out|top up|last time|next (?:bag|box|pack))\b"),
    ),
)

#: The guard knows what says so for certain ("new in"); a small model may not come near it.
_NEW = re.compile(r"\bnew\b")

#: The same in Chinese.
_CHINESE_ANGLE_WORDS: tuple[tuple[frozenset[Angle], re.Pattern[str]], ...] = (
    (frozenset({Angle.IN_CART, Angle.PRICE_DROPPED}), re.compile("购物车|你选的|你看中|你放进")),
    (frozenset({Angle.SEARCH_MATCH}), re.compile("你?搜(?:的|到|索|过)|按你搜")),
    (frozenset({Angle.POPULAR}), re.compile("不少人|好些人|很多人|许多人|人不少|人气")),
    (frozenset({Angle.LIKE_VIEWED, Angle.GOES_WITH}), re.compile("刚才?看(?:的|过)|你?看过")),
    (frozenset({Angle.REPLENISH}), re.compile("快用完|该添|上次(?:买|那)|又到了?该|再来一份")),
    (frozenset({Angle.YOUR_BRAND}), re.compile("你常(?:看|选|买)")),
)
_LATIN_WORD = re.compile(r"[A-Za-z]{3,}")

#: "{name} has a kettle": a thing does not have itself.
#: Its maker does: "{brand} has a new kettle".
_A_MAKER = "maker"
_HAS = rf"(?<!{_A_MAKER} )\b(?:has|have|having|with|includes|comes with)\s+(?:(?:a|an|the|its|some)\s+)?(?:[\w'-]+\s+){{0,2}}?"

#: Joined wrongly, each as seen: doubled spaces, an article before a title, a price that "has not changed", a price page.
_BROKEN = re.compile(
    r"\b(?:a|an) \{(?:name|brand|price|was_price)\}|\s{2,}|\s[,.]|(?<!of )\{name\} left\b|[^,] with \{stock_left\}"
    r"|\bwith [^.,:;]* and \{percent_off\}"
    r"|\band an? [^,.:;]{1,40}, (?:is|are)\b|\bpeople are looking\.|[,:;]\s*$"
    r"|(?:not changed|as before|as it was|favour|in short|impression|you (?:get|see)):? "
    r"\{(?:price|was_price|percent_off|stock_left)\}"
    r"|\{name\} is an? \{p\d\}|\bin (?:an? )?[\w-]+ lined\b|\ban? (?:\w+[^sSuUiI\W]s)\b(?! of\b)"
    r"|\bwith a price\b|\bha(?:s|ve) (?:the|a) price\b|\bunder \{brand\}"
    r"|\bprice (?:has|page|label|says)\b|\bnot been\b|\bbasket, and in your cart\b|\{brand\}, from\b"
    r"|(?:price is|costs|price:|cost is) (?:just )?\{(?:name|brand)\}|\{percent_off\} (?!off\b|less\b|cheaper\b|lower\b)",
    re.IGNORECASE,
)


#: Words are put in with a capital where a sentence begins; a small letter there is what a model wrote in the wrong place.
_SMALL = re.compile(r"^[a-z]|(?<!\betc)[.?!] [a-z]")

#: A rest that says nothing: "{price}. Many.", "{name} is {price}. It is.", "{price}, The smartphone."
_REST = re.compile(r"(?i:[.,] (?:many|it is|they are|these|this|those))\.$|, The [\w -]+\.$")

_PRICE = re.compile(r"\{price\}")
_TELLING_SLOT = re.compile(r"\{(?:p\d|use|benefit)\}")

#: What may stand before a price: a sentence's beginning, a sign, or words that lead to an amount. Not "an oven safe to {price}".
_BEFORE_PRICE = re.compile(
    r"(?:^|[.,:;?!(-]\s*|\}\s|\b(?:at|for|now|is|it's|are|costs?|and|just|only|priced|makes? it|gone from|you pay)\s"
    r"|\b(?:reduced|down|dropped|come|comes|came|fell|fallen|cut|lowered|marked|gone|drops|falls|from \{was_price\})"
    r"\s(?:\w+\s)?to\s)$",
    re.IGNORECASE,
)


@cache
def _generic() -> frozenset[str]:
    return frozenset(orjson.loads((resources.files("shelftalk.core") / "grounding.en.json").read_bytes()))


@cache
def _chinese() -> dict[str, list[str]]:
    listed: dict[str, list[str]] = orjson.loads((resources.files("shelftalk.core") / "grounding.zh.json").read_bytes())
    return listed


@cache
def _generic_chinese(domains: frozenset[str]) -> frozenset[str]:
    """What may be said of anything, of things of these domains (`core.kinds`), and to count them."""
    return measures().union(*(_chinese().get(domain, ()) for domain in {"", *domains}))


def _must_tell(brief: Brief) -> bool:
    """Whether a text has only the product to speak of: "{name}, {price}. Have a look." is no recommendation."""
    reasonless = {Angle.INTRODUCE, Angle.POPULAR, Angle.YOUR_BRAND}
    return bool(brief.points) and brief.promotion is Promotion.NONE and brief.angle in reasonless


def _says_nothing(brief: Brief, text: str, said: Counter[str], facts: Counter[str]) -> bool:
    """Whether a text that must tell something of the product does not."""
    if not _must_tell(brief) or _TELLING_SLOT.search(text):
        return False
    points = {stem(word) for point in brief.points for word in words_of(point)} - _generic()
    return points.isdisjoint(said) and not (facts.keys() - _generic() <= said.keys())


#: What leads to a fact: "Worth knowing about {name}: {price}." keeps none of what it promises.
_PROMISES = re.compile(
    r"\b(?:worth knowing|(?:good|things?|what) to know|facts?|details?|reasons?|stands? out|in short|in brief"
    r"|up close|like this about|for one thing|one detail|two things|three things|reminder|remember|recap|because)\b"
)


def _promises_more(brief: Brief, text: str, said: Counter[str]) -> bool:
    """Whether a text announces something of the product, and tells none of its points."""
    if not _PROMISES.search(text) or _TELLING_SLOT.search(text):
        return False
    return said.keys().isdisjoint(stem(word) for point in brief.points for word in words_of(point))


def words_of(text: str) -> list[str]:
    """The words of a text without its slots, lower case."""
    return _WORD.findall(SLOT.sub(" ", text).lower())


def ungrounded(brief: Brief, text: str) -> list[str]:
    """Why a text is not grounded in its brief; empty if it is. Whole in English, in part in Chinese; other languages pass."""
    if brief.language not in {"en", "zh"}:
        return []
    problems = misplaced(brief, text)
    text = take_remarks(brief, text)  # people wrote them, of this kind and of these points
    if not _names_it(brief, text):
        problems.append("empty: does not say what it is")
    return problems + (_ungrounded_chinese if brief.language == "zh" else _ungrounded_english)(brief, text)


def _names_it(brief: Brief, text: str) -> bool:
    """Whether a text names the product or its kind: "{price} until {ends_on}" alone is of nothing."""
    if "{name}" in text or not brief.kind or REMARK.search(text):
        return True
    if brief.language == "zh":
        return brief.kind[-2:] in text
    head = words_of(brief.kind)[-1:]
    return not head or head[0].removesuffix("s") in {word.removesuffix("s") for word in words_of(text)}


@lru_cache(maxsize=4096)
def _how_often(brief: Brief) -> Counter[str]:
    """Stems of what the brief states, and how often each may be said. Remembered for the next draft, and only read.

    As often as the one source that names it most: "You viewed a watch. This is a watch" says nothing. But a steam iron and an
    ironing board are two things.
    """
    facts: Counter[str] = Counter()
    for source in (brief.kind, *brief.points):
        facts |= Counter(stem(word) for word in words_of(source))
    anchor = Counter(stem(word) for word in words_of(brief.anchor or ""))
    return facts | anchor if brief.anchor == brief.kind else facts + anchor


def _ungrounded_english(brief: Brief, text: str) -> list[str]:
    facts = _how_often(brief)
    said = Counter(stem(word) for word in words_of(text))
    problems = [f"invented: {word}" for word in said if word not in facts and word not in _generic()]
    # "A pancake pan is a pan": a thing named more often than the facts name it says nothing.
    problems += [
        f"repeated: {word}"
        for word, times in said.items()
        if word in facts and word not in _generic() and times > max(1, facts[word])
    ]
    lower = SLOT.sub(" ", text.replace("{brand}", _A_MAKER)).lower()
    problems += [
        f"untrue for this shopper: {match[0]}"
        for angles, pattern in _ANGLE_WORDS
        if brief.angle not in angles and (match := pattern.search(lower))
    ]
    if brief.promotion is not Promotion.NEW and _NEW.search(lower) and "new" not in facts:
        problems.append("untrue for this promotion: new")
    problems += _of_its_kind(brief, lower)
    if _says_nothing(brief, text, said, facts):
        problems.append("empty: nothing about the product")
    if _promises_more(brief, text.lower(), said):
        problems.append("empty: promises more than it tells")
    slots = Counter(SLOT.findall(text))
    problems += [f"slot twice: {slot}" for slot, times in slots.items() if times > 1]
    if any(not _BEFORE_PRICE.search(text[: match.start()]) for match in _PRICE.finditer(text)):
        problems.append("broken: price out of place")
    if _SMALL.search(text):
        problems.append("broken: begins small")
    if _REST.search(text):
        problems.append("broken: a rest")
    if _BROKEN.search(text):
        problems.append("broken: spacing or article")
    return problems


def _of_its_kind(brief: Brief, lower: str) -> Iterator[str]:
    """What is wrong about the kind, where a text names it: "a socks", a kettle that has a kettle."""
    head = next(reversed(words_of(brief.kind)), "")
    if not head or head not in lower:  # a pattern for each of a shop's kinds is compiled for those alone
        return
    if kind_class(brief.kind) == "many" and re.search(rf"\ban? (?:[\w-]+ ){{0,3}}{re.escape(head)}\b", lower):
        yield f"grammar: a {head}"
    if re.search(rf"{_HAS}{re.escape(head)}\b", lower):
        yield f"tautology: has {head}"


def _ungrounded_chinese(brief: Brief, text: str) -> list[str]:
    """The same for Chinese: reasons that are not this shopper's, a point said twice, words without a source."""
    bare = SLOT.sub(" ", text)
    problems = [
        f"untrue for this shopper: {match[0]}"
        for angles, pattern in _CHINESE_ANGLE_WORDS
        if brief.angle not in angles and (match := pattern.search(bare))
    ]
    problems += [f"repeated: {point}" for point in brief.points if bare.count(point) > 1]
    facts = " ".join((brief.kind, brief.anchor or "", *brief.points)).lower()
    problems += [f"invented: {word}" for word in _LATIN_WORD.findall(bare) if word.lower() not in facts]
    generic = _generic_chinese(frozenset(kind_class(kind) for kind in (brief.kind, brief.anchor or "")))
    problems += [f"invented: {rest}" for run in _HAN_RUN.findall(bare) if (rest := _uncovered(run, facts, generic))]
    if _must_tell(brief) and not _TELLING_SLOT.search(text) and not any(point in text for point in brief.points):
        problems.append("empty: nothing about the product")
    slots = Counter(SLOT.findall(text))
    return problems + [f"slot twice: {slot}" for slot, times in slots.items() if times > 1]


#: Chinese without a stop or a slot in between.
_HAN_RUN = re.compile(r"[\u4e00-\u9fff]+")

#: The longest generic word.
_LONGEST = 6


def _uncovered(run: str, facts: str, generic: frozenset[str]) -> str:
    """What follows the longest beginning of a run that generic words and pieces of facts make up; empty if they make up all.

    Chinese has no spaces, so any cut into words will do: one that works is enough.
    """
    reached = {0}
    for start in range(len(run)):
        if start in reached:
            pieces = ((end, run[start:end]) for end in range(start + 1, len(run) + 1))
            reached.update(
                end
                for end, piece in pieces
                if (end - start <= _LONGEST and piece in generic) or (end - start > 1 and piece in facts)
            )
    return "" if len(run) in reached else run[max(reached) :]
