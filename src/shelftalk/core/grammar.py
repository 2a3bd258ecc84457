"""Grammar: where in a line the words of a product may stand, told from their look alone; no tagger.

A product's kind and points come from shops, so nothing is known of them but their letters. Each is put into a class ("desk
lamps" are many, "folds flat" is something that it does), and places in a line want certain classes: after "with a" stands one
thing, after a name something that it does. What can't be told is ``other``, and may only stand where anything may: in a list,
after a colon, alone. The same rules choose what the small models learn (`train.skeletons`) and judge what a model wrote
(`grounding`).
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from importlib import resources
from types import MappingProxyType

import orjson

from shelftalk.core.brief import Brief, point_slots
from shelftalk.core.kinds import sort_of
from shelftalk.core.remarks import REMARK
from shelftalk.core.word_slots import take_words, word_values

_HAN = re.compile(r"[\u4e00-\u9fff]")
_COLOUR = "black|white|red|blue|navy|green|olive|yellow|pink|purple|grey|brown|tan|cream|orange|silver|gold|beige"
_MATERIAL = (
    "steel|glass|bamboo|cotton|wool|linen|silk|leather|wood|oak|walnut|ash|rubber|ceramic|aluminium|cashmere|canvas"
    "|porcelain|stoneware|plastic|silicone|iron|brass|copper|crystal|nylon|polyester|fleece|denim|suede|cork|beech|pine"
)

#: What ends the noun phrase that a point begins with: "lid | that locks", "depth marks | on the blade".
_TAIL = re.compile(
    r",| (?:that|which|with|of|for|in|from|on|to|at|inside|over|under|all|by|you|you'd|without|big|long|wide|as|per|round|"
    r"above|below|each|when|like|while|so|and|or|up)\b"
)
_ENGLISH_CLASSES = (
    ("pack", re.compile(r"(?:set|pack|box|roll|pair|bag|tube|tin|bottle|case) of\b")),
    ("like", re.compile(r"[\d.,]+\s?(?:cm|mm|m|metres?|inch(?:es)?) (?:wide|tall|high|long|deep|thick)$")),
    (
        "measure",
        re.compile(r"[\d.,]+\s?[\w%/]{1,12}$|\d.* (?:bag|box|tin|bottle|jar|tub|tube|roll|reel|pack|pouch|sack)$"),
    ),
    ("with", re.compile(r"(?:with|for|in|from|on|under|to) \w")),
    (
        "made",
        re.compile(
            r"(?:made|suitable|designed|lined|filled|printed|coated|covered|woven|knitted|cut|sold|balanced|blended|roasted|padded)"
            r" (?:for|of|in|from|with|at|as|by|on|to|so)\b"
        ),
    ),
    ("other", re.compile(r"no \w+er\b")),  # "no bigger than a biscuit"
    ("without", re.compile(r"no \w")),
    ("colour", re.compile(rf"(?:[a-z-]+ )?(?:{_COLOUR})$")),
    ("material", re.compile(rf"(?:[a-z-]+ )?(?:{_MATERIAL})$")),
)
_ADJECTIVE = re.compile(
    r"(?:[\w-]+ )?(?:safe|[\w-]*(?:proof|resistant|sized|sided|(?<!\bc)(?<!\bt)able|less)|[\w]+-free|non-\w+"
    r"|reversible|[a-z]+-[a-z]+ed|[a-z]+ scented|lidded|quilted|padded|insulated)$"
    r"|\w+[ -](?:free|mounted|powered|pressed|ground|drying|stitched|tufted|thrown|lined|based|ready|brushed|dyed"
    r"|painted|knitted|firm)$"
)
#: "Deep pockets and seals", "two locks": here a word that may be a verb is a noun; last in a point it mostly is.
_BEHIND_A_NOUN = frozenset({"and", "or", "with", "on", "in", "for", ""})
_PARTICIPLE = re.compile(r"\w+ed\b")
#: What begins an object or the manner of doing, rather than says which thing is meant.
_OBJECT = re.compile(r"(?:the|any|from|to|as|without|before|after|with a|together)\b")
#: What goes with a verb as well as with a noun.
_DIRECTION = re.compile(r"(?:on|off|in|out|up|down|over|under|onto|into|through|away|back|together|apart)\b")
_MANY = re.compile(r"[^s\Wui]s$|[^s]ses$|scissors$|jeans$|ies$")
_CHINESE_HEAD = "(?:[罩窗垫层膜网扣袋盒圈底边条钩架绳胆轮灯杆]|面料|玻璃)"
_CHINESE_CLASSES = (
    ("measure", re.compile(r".*\d")),
    # "防水" is what it does, "防雨罩" is a thing that it has; "可视窗" likewise.
    ("does", re.compile(r"可(?!视)|不(?!锈)|能|会|易|免|一键|无|有|带|附|适合|支持|按|配")),
    ("does", re.compile(rf"(?:防|耐|自动|速)(?!.*{_CHINESE_HEAD}$)")),
    ("short", re.compile(r"[^一二两三四五六七八九十]{2,4}$")),
)


@cache
def _words() -> dict[str, frozenset[str]]:
    lists: dict[str, str] = orjson.loads((resources.files("shelftalk.core") / "grammar.en.json").read_bytes())
    return {name: frozenset(words.split()) for name, words in lists.items()}


def verbs() -> frozenset[str]:
    """Verbs that a point may begin with, as one thing does them: "folds"."""
    return _words()["verbs"]


@lru_cache(maxsize=16_384)
def point_class(point: str) -> str:
    """The grammar of a selling point.

    English: ``pack`` ("set of 4"), ``measure`` ("900 ml"), ``without`` ("no lid"), ``with`` ("for wet roads"), ``made`` ("made
    of oak"), ``does`` ("folds flat"), ``colour`` ("slate grey"), ``material`` ("waxed cotton"), ``like`` ("dishwasher safe"),
    ``plural`` ("deep pockets"), ``thing`` (one that can be counted: "hanging loop"), ``other``.
    Chinese: ``measure``, ``does``, ``short``, ``thing``.
    """
    if _HAN.search(point):
        return next((name for name, rule in _CHINESE_CLASSES if rule.match(point)), "thing")
    lower = point.lower()
    if _counted(lower):
        return "plural"
    return next((name for name, rule in _ENGLISH_CLASSES if rule.match(lower)), None) or _phrase_class(lower)


def _counted(point: str) -> bool:
    """Whether a number of parts is had: "7 ports", not "30 hours" nor "500 sheets"."""
    match = _PARTS.fullmatch(point)
    if match is None or _PACKAGES.fullmatch(match[1]):
        return False
    return bool({match[1], match[1].removesuffix("e")} & _words()["count"])


_PACKAGES = re.compile(r"bag|boxe?|tin|bottle|jar|tub|tube|roll|reel|pack|pouche?|sack|case|sachet|sheet")
_PARTS = re.compile(r"\d+ (\w+?)s")


def _phrase_class(point: str) -> str:
    """The class of a point that its first words do not tell."""
    head, _, rest = point.partition(" ")
    if _is_verb(head, rest):
        return "does"
    if rest and (_PARTICIPLE.match(rest) is None) and _says_more(head, rest):
        return "other"
    core = _TAIL.split(point, maxsplit=1)[0]
    if " " not in core and _DIRECTION.match(rest):
        return "other"  # "straps on without tools": a noun, or what it does
    if _ADJECTIVE.fullmatch(core) or core in _words()["like"]:
        return "like" if " and " not in point and "," not in point else "other"
    if "," in point or point.endswith(("included", "supplied")):
        return "other"
    before, _, last = core.rpartition(" ")
    if before and last in _words()["had"]:
        return "plural"  # not counted either: "with night vision"
    if last in verbs() and " " in before:
        return "other"  # "ink dry before a left hand arrives"
    if _number(last) == "many":
        return "plural"
    return "thing" if last in _words()["count"] else "other"


def _is_verb(head: str, rest: str) -> bool:
    """Whether a point begins with what its thing does: "folds flat", not "measures marked inside" nor "rolls fit any dispenser"."""
    joined = re.match(r"(?:and|or) ([\w-]+)", rest)
    return (
        head in verbs()
        and not rest.startswith("of ")
        and (joined is None or joined[1] in verbs())
        and not _PARTICIPLE.match(rest)
        and not _is_clause(head, rest)
    )


def _is_clause(head: str, rest: str) -> bool:
    """Several things and what they do to something: "rolls fit any dispenser"."""
    words = rest.split(" ")
    return (
        head.endswith("s")
        and f"{words[0]}s" in verbs()
        and words[1:2] in (["any"], ["the"], ["a"], ["most"], ["every"])
    )


def _says_more(head: str, rest: str) -> bool:
    """Whether a point is a sentence of its own: "cover the forearm" of several, "lid doubles as a plate" of a part."""
    if does_of_many(f"{head} {rest}"):
        return True
    words = [head, *rest.split(" "), ""]
    if _is_clause(head, rest):
        return True
    return any(
        words[at] in verbs() and words[at - 1] not in {"that", "which"} and words[at + 1] not in _BEHIND_A_NOUN
        for at in range(1, len(words) - 1)
    )


def does_of_many(point: str) -> bool:
    """Whether a point says what several things do: "cover the forearm"."""
    head, _, rest = point.partition(" ")
    return (f"{head}s" in verbs() or f"{head}es" in verbs()) and bool(_OBJECT.match(rest))


def _number(noun: str) -> str:
    if noun in _words()["one"]:
        return "one"
    return "many" if _MANY.search(noun) else "mass" if noun in _words()["mass"] else "one"


@lru_cache(maxsize=16_384)
def kind_class(kind: str) -> str:
    """Whether a product is ``one`` ("kettle"), ``many`` ("socks"), or ``mass``, not counted ("compost").

    Chinese has no such difference; there it is the domain, if one is known, since a shoe wants other words than a lamp.
    """
    if _HAN.search(kind):
        return sort_of(kind).domain
    if not kind:
        return ""
    head = re.split(r" (?:of|for|with|in) ", kind.lower(), maxsplit=1)[0].rpartition(" ")[2]
    return _number(head)


def name_class(kind: str) -> str:
    """Whether the name of such a product is ``one``, ``many`` or ``mass``; ``other`` where either may be."""
    return "other" if _SET.search(kind.lower()) else kind_class(kind)


_SET = re.compile(r"\b(?:set|kit|pair|pack|mix|range|collection|game|food)$")


@lru_cache(maxsize=4096)
def classes(brief: Brief) -> Mapping[str, str]:
    """The class of each slot that stands for words of the brief; ``name`` is as many as its kind.

    Of a set ("bike light set") nobody can tell: its name may be "Firefly Bike Lights", and a verb must not hang on it.
    """
    values = word_values(brief)
    found = {slot: kind_class(values[slot]) for slot in ("kind", "noun", "anchor") if slot in values}
    points = {**point_slots(brief.points), **{slot: value for slot, value in values.items() if slot[0] == "w"}}
    of_points = {slot: point_class(point) for slot, point in points.items()}
    return MappingProxyType({"name": name_class(brief.kind)} | found | of_points)


#: One point of a list, or several.
_LISTED = r"(?:an? )?\{[pw]\d\}(?:, (?:an? )?\{[pw]\d\})*"

_A_POINT = re.compile(r"\{[pw]\d\}")

#: A point between these words and the next must be of one of these classes.
_POINT_PLACES: dict[str, tuple[tuple[re.Pattern[str], frozenset[str]], ...]] = {
    "en": (
        (re.compile(r"\b(?:it|that|which) \{([pw]\d)\}", re.IGNORECASE), frozenset({"does"})),
        (re.compile(r"\{(?:name|kind|noun)\} \{([pw]\d)\}"), frozenset({"does", "with", "made"})),
        (re.compile(r"\b(?:they|these|those) \{([pw]\d)\}", re.IGNORECASE), frozenset()),
        (
            re.compile(r"\b(?:has|have|having|of|about|get|gives|brings|by|to|at|into)"
                r" \{([pw]\d)\}(?! \{(?:kind|noun))", re.IGNORECASE),
            frozenset({"plural"}),
        ),
        (
            re.compile(r"\b(?:its|their|your) \{([pw]\d)\}(?! \{(?:kind|noun))", re.IGNORECASE),
            frozenset({"plural", "thing"}),
        ),
        (re.compile(r"\bwith \{([pw]\d)\}(?! \{(?:kind|noun))", re.IGNORECASE), frozenset({"plural", "without"})),
        (re.compile(r"\bthe \{([pw]\d)\}(?! \{(?:kind|noun))", re.IGNORECASE), frozenset({"plural", "thing"})),
        (re.compile(r"\bin \{([pw]\d)\}(?! \{(?:kind|noun))", re.IGNORECASE), frozenset({"material", "colour"})),
        (re.compile(r"\b(?:is|are|it's|they're) \{([pw]\d)\}", re.IGNORECASE), frozenset({"like", "colour", "material", "made"})),
        (re.compile(r"\{([pw]\d)\} \{(?:kind|noun|[pw]\d)\}"), frozenset({"like", "colour", "material"})),
        (re.compile(r"\b(?:an?|one|another) \{([pw]\d)\}(?! \{(?:kind|noun))", re.IGNORECASE), frozenset({"thing", "pack"})),
        (re.compile(r"\b(?:on|for|from) \{([pw]\d)\}", re.IGNORECASE), frozenset()),
        (re.compile(r"\bpriced \{([pw]\d)\}"), frozenset()),
        (re.compile(r"\{([pw]\d)\},? was \{was_price\}"), frozenset()),  # only a price was another
        # What comes second has the first one's place: not "with deep plates and folds upright".
        (re.compile(rf"\b(?:with|has|have|its|their|your) {_LISTED} and \{{([pw]\d)\}}", re.IGNORECASE), frozenset({"plural"})),
        (re.compile(rf"\b(?:it|that|which) {_LISTED} and \{{([pw]\d)\}}", re.IGNORECASE), frozenset({"does"})),
        (
            re.compile(rf"\b(?:is|are) {_LISTED} and \{{([pw]\d)\}}", re.IGNORECASE),
            frozenset({"like", "colour", "material", "made"}),
        ),
        (
            re.compile(rf"\b(?:a|an|with|the) {_LISTED} and an? \{{([pw]\d)\}}(?! \{{(?:kind|noun))", re.IGNORECASE),
            frozenset({"thing"}),
        ),
        (re.compile(r"\b(?:this|these) \{([pw]\d)\}(?! \{(?:kind|noun))", re.IGNORECASE), frozenset()),
        (re.compile(r"\{([pw]\d)\} (?:are|have)\b"), frozenset()),  # "deep pockets are", but "night vision is"
        (re.compile(r"\{([pw]\d)\} (?:is|has)\b"), frozenset({"thing", "material"})),
        # What the point then does ("the {w1} stay put") fits one product.
        (
            re.compile(r"\{([pw]\d)\} (?!(?:and|or|on|at|in|for|is|are|too|as|but|plus|now|until|perhaps|to go)\b)[a-z]"),
            frozenset(),
        ),
    ),
    "zh": (
        (re.compile(r"\{([pw]\d)\}的?\{(?:kind|[pw]\d)\}"), frozenset({"short", "does"})),
        (re.compile(r"\{([pw]\d)\}的\{name\}"), frozenset({"short", "does"})),
        (re.compile(r"\{(p\d)\}的?\{"), frozenset()),
        (re.compile(r"\{([pw]\d)\}的一款\{[pw]"), frozenset()),  # said twice before one noun
        (re.compile(r"\{(?:brand|price|was_price)\}\{([pw]\d)\}"), frozenset()),
        (re.compile(r"\{(?:name|kind)\}\{([pw]\d)\}"), frozenset({"does"})),
        (re.compile(r"[带附配有]\{([pw]\d)\}"), frozenset()),
        (re.compile(r"[也还]\{([pw]\d)\}"), frozenset({"does"})),
        # What follows without a stop ("{w1}轮着用") fits one product.
        (re.compile(r"\{([pw]\d)\}(?!照旧|算|也|吧|的|和|与|、)[\u4e00-\u9fff]"), frozenset()),
    ),
}  # fmt: skip

_SUBJECT = (
    r"(?:^|[.:;!?,] |\b(?:if|when|while|that|what|because|since) )"
    r"(?:(?P<det>an?|the|this|that|these|those|your|another|one|each|every) )?(?:\{[pw]\d\} )?"
    r"\{(?P<slot>name|kind|noun|anchor)\}"
    r"(?: (?:in|on) (?:your|the) (?:cart|basket|shelf|page)"
    r"| (?:that )?you (?:viewed|bought|chose|picked|saved|kept|added|carted))?"
)
_SINGULAR_VERB = (
    r"is|isn't|has|goes|was|comes|needs|waits|sits|works|makes|holds|keeps|does|looks|costs|stays|fits|stands|belongs"
)
_PLURAL_VERB = r"are|aren't|have|go|were|come|need|wait|sit|work|make|hold|keep|do|look|cost|stay|fit|stand|belong"
_AGREEMENT = re.compile(rf"{_SUBJECT} (?:(?P<one>{_SINGULAR_VERB})|(?P<many>{_PLURAL_VERB}))\b", re.IGNORECASE)
_DETERMINED = re.compile(
    r"\b(?P<det>an?|another|one|each|every|this|that|these|those|few|many)(?: (?!of\b)[\w-]+)?(?: \{[pw]\d\})?"
    r" \{(?P<slot>kind|noun|anchor)\}(?!['’-]| \{)",  # noqa: RUF001
    re.IGNORECASE,
)
#: After these, one thing wants an article: "the kettle that you viewed", not "viewed kettle".
_BARE = re.compile(
    r"\b(?:viewed|bought|chose|picked|added|carted|with|beside|for|like|than|near|behind|after|before|of|to|is|was|need|at|on)"
    r" \{(?P<slot>kind|noun|anchor)\}(?!['’-]| \{)",  # noqa: RUF001
    re.IGNORECASE,
)
#: What is said of one thing only: "the lamp folds flat", "it has a lid"; of a price it may be said of many.
_OF_ONE = re.compile(
    r"\{(?:name|kind|noun)\} \{(?P<point>[pw]\d)\}|\bit (?:is(?! \{(?:price|was))|has|\{[pw]\d\})|\b(?:which|that) \{[pw]\d\}",
    re.IGNORECASE,
)
_OF_MANY = re.compile(r"(?:^|[.;:,] |\band )they (?:are|have|come)\b", re.IGNORECASE)

#: Words without a blank between: "a fitted sheetfits mattresses".
_GLUED = re.compile(r"[\w}]\{|\}\w")

#: A product's name mostly holds its kind: "Ember Kettle, a kettle"; in a list of Chinese it stands twice.
_SAID_AGAIN = {
    "en": re.compile(
        r"\{name\}(?:,| is| are) (?:an? )?\{(?:kind|noun)\}|\{(?:kind|noun)\} (?:is|are) \{name\}", re.IGNORECASE
    ),
    "zh": re.compile(r"^\{kind\}，.*\{name\}(?=[，。：])|\{name\}，(?:一款)?\{kind\}(?=[，。：])"),  # noqa: RUF001
}

#: A remark is a sentence of its own, and the only one: two scenes beside each other have nothing to do with each other, and what
#: stands before a colon promises what no remark keeps. So said judges of finished cards.
_REMARK_PLACED = {
    "en": re.compile(r"(?:^|[.?!] )\{(?:use|benefit)\}(?=\.)"),
    "zh": re.compile(r"(?:^|[。？！])\{(?:use|benefit)\}(?=。)"),  # noqa: RUF001
}

#: The numbers that a determiner takes; those that are not here take one.
_TAKES = {
    "this": frozenset({"one", "mass"}), "that": frozenset({"one", "mass"}),
    "these": frozenset({"many"}), "those": frozenset({"many"}), "few": frozenset({"many"}), "many": frozenset({"many"}),
}  # fmt: skip


def misplaced(brief: Brief, text: str) -> list[str]:
    """What of a product's words can't stand where the text has it; empty if nothing, or if the language has no rules.

    Args:
        brief: what the text was written for.
        text: with its words put in; slots of facts unfilled.
    """
    return list(_misplaced(take_words(brief, text), classes(brief), brief.language))


def remarks_misplaced(skeleton: str, language: str) -> list[str]:
    """What is wrong with the remarks of a short text with word slots: there are two, or one is part of a sentence."""
    remarks = len(REMARK.findall(skeleton))
    if remarks > 1:
        return ["grammar: two remarks"]
    placed = _REMARK_PLACED[language].findall(skeleton) if language in _REMARK_PLACED else ()
    return ["grammar: a remark inside a sentence"] if remarks > len(placed) else []


def _misplaced(skeleton: str, of: Mapping[str, str], language: str) -> Iterator[str]:
    points = _A_POINT.search(skeleton)  # without one, none of the rules about points need look
    for rule, fitting in _POINT_PLACES.get(language, ()) if points else ():
        for match in rule.finditer(skeleton):
            if of.get(match[1]) not in {None, *fitting}:
                yield f"grammar: {match[0]}, which is {of[match[1]]}"
    for match in _SAID_AGAIN[language].finditer(skeleton) if language in _SAID_AGAIN else ():
        yield f"grammar: {match[0]}, which the name says already"
    yield from remarks_misplaced(skeleton, language)
    if language == "en":
        yield from (f"grammar: {match[0]}, glued" for match in _GLUED.finditer(skeleton))
        yield from _disagreeing(skeleton, of)
        yield from _without_article(skeleton, of)


def _disagreeing(skeleton: str, of: Mapping[str, str]) -> Iterator[str]:
    """Verbs, pronouns and determiners of another number than their product."""
    many = of.get("kind") == "many"
    for match in (_OF_ONE if many else _OF_MANY).finditer(skeleton):
        if many and match["point"] and of.get(match["point"]) != "does":
            continue  # "tyres for winter roads", "socks made of wool"
        yield f"grammar: {match[0].strip()}, which is {of.get('kind', 'one')}"
    for match in _AGREEMENT.finditer(skeleton):
        number = of.get(match["slot"], "one")
        if number == "other" or match["one" if number == "many" else "many"]:
            yield f"grammar: {match[0].strip()}, which is {number}"
    for match in _DETERMINED.finditer(skeleton):
        number = of.get(match["slot"], "one")
        if number not in _TAKES.get(match["det"].lower(), frozenset({"one"})):
            yield f"grammar: {match[0]}, which is {number}"


def _without_article(skeleton: str, of: Mapping[str, str]) -> Iterator[str]:
    """One thing without "a" or "the" where a sentence wants it; a heading ("Kettle, {price}.") does not."""
    for match in _AGREEMENT.finditer(skeleton):
        if not match["det"] and match["slot"] != "name" and of.get(match["slot"]) == "one":
            yield f"grammar: {match[0].strip()} wants an article"
    for match in _BARE.finditer(skeleton):
        if of.get(match["slot"]) == "one":
            yield f"grammar: {match[0]} wants an article"
