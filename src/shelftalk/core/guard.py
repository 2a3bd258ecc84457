"""The guard: what a text must be before it is kept. Pass, hold for a person, or reject and fall back.

Word lists live in ``guard.<language>.json`` beside this module; every entry is a regular expression over the lower-case text,
in which slots stand as their upper-case names (``down to(?= PRICE)``):

``banned``: what no text may say, by the code that a verdict gives as the reason.
``hold``: what a person should look at.
``properties``: words that are a claim about the product, each with further words of the facts that bear it out.
``attributes``: the same, but a claim only where they are said of the product ("in black", "made of glass", "the green kettle").
``counted``: nouns that must not be counted in words ("two batteries") unless the facts count them.
``sale``, ``stock``, ``stocked``, ``back``, ``new``: what may be said only while it is so.
``tells_sale``, ``tells_back``: one of these, or a slot, must be said when it is so.
``function_words``: words without which nobody writes a long sentence in this language; none where that can't be told.
"""

import enum
import itertools
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from importlib import resources

import msgspec

from shelftalk.core.brief import Angle, Brief, Channel, Promotion, slots_for
from shelftalk.core.render import SLOT, slots_in


class Outcome(enum.StrEnum):
    """What becomes of a text."""

    PASS = "pass"  # noqa: S105 - no password
    HOLD = "hold"
    REJECT = "reject"


class Verdict(msgspec.Struct, frozen=True):
    """An outcome and, unless it passed, why: short stable codes with the offending words."""

    outcome: Outcome
    reasons: tuple[str, ...] = ()


#: Characters that a text may have, its slots counted as they render (about ten each): shortest and longest.
LENGTHS: dict[Channel, tuple[int, int]] = {
    Channel.CARD: (18, 140),
    Channel.AD: (14, 110),
    Channel.SOCIAL: (40, 280),
    Channel.COPY: (80, 460),
}

#: A slot counts as this many characters: the median of names, prices and points in the demo store.
_SLOT_LENGTH = 10

#: Languages written without spaces: their phrases have no word borders, and a character counts as two.
_UNSPACED = frozenset({"zh"})

#: The language whose lists judge texts of a language that has none.
_FALLBACK_LANGUAGE = "en"

#: What a line must use so that a promotion is told at all.
_MUST_SAY: dict[Promotion, frozenset[str]] = {
    Promotion.ENDING_SOON: frozenset({"ends_on"}),
    Promotion.LOW_STOCK: frozenset({"stock_left"}),
}

#: Which promotions allow which list of promotional words; everywhere else they are untrue.
_TOLD_BY: dict[str, frozenset[Promotion]] = {
    "sale": frozenset({Promotion.SALE, Promotion.ENDING_SOON}),
    "stock": frozenset({Promotion.LOW_STOCK}),
    "stocked": frozenset({Promotion.LOW_STOCK, Promotion.BACK_IN_STOCK}),
    "back": frozenset({Promotion.BACK_IN_STOCK}),
    "new": frozenset({Promotion.NEW}),
}

_NUMBERS = {
    "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9", "ten": "10",
    "eleven": "11", "twelve": "12", "fifteen": "15", "twenty": "20", "thirty": "30", "forty": "40", "fifty": "50",
    "hundred": "100", "thousand": "1000", "dozen": "12",
}  # fmt: skip

_WORD = re.compile(r"[a-z]+(?:['-][a-z]+)*")
_TOKEN = re.compile(r"\{[a-z_0-9]+\}|[a-z]+(?:['-][a-z]+)*")
#: Up to four words said again at once, at most an "and" between: "soft and warm and soft and warm".
_AGAIN = re.compile(r"(?<![\w-])(?:([a-z']{2,}) \1|([a-z']{2,}(?: [a-z']+){1,3})(?: and)? \2)(?![\w'-])")
#: Before a material that is not the product's: "clings to steel", "nicer than a plastic tub", "like wet wool", "goes with denim".
_ELSEWHERE = re.compile(
    r"\b(?:than|like|unlike|another|(?:cling|stick|clip|screw|fix|attach|stuck|fixed)\w* to"
    r"|(?:go|goes|sits?|works?|pairs?) (?:well )?with)(?: [a-z]+,?){0,3} $"
)
_GIVEN_WORD = re.compile(r"[a-z0-9]+")
_SENTENCE = re.compile(r"[.!?。！？]+(?:\s+|$)")  # noqa: RUF001 - Chinese full stops are meant
_ENDING = re.compile(r"[.?!。？！][\"'”’）)」]?$")  # noqa: RUF001
_CAPITALS = re.compile(r"\b[A-Z]{4,}\b")
#: Two names in a row; the calendar's are nobody's.
_FULL_NAME = re.compile(
    r"\b[A-Z][a-z]+ (?!(?:(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|January|February|March|April|May|June|July|August|September"
    r"|October|November|December|Christmas|Easter|English|British|Eve|Year)\b)[A-Z][a-z]+\b"
)
_ENTITY = re.compile(r"&#?\w+;")
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
#: Chinese likes pairs of like halves; a circle is longer, or goes round three times.
_HAN_REPEATED = re.compile(
    r"([\u4e00-\u9fff]{8,}).*\1|([\u4e00-\u9fff]{4,}).*\2.*\2|([\u4e00-\u9fff]{2,})\3\3|([\u4e00-\u9fff])\4{2,}"
)
#: Half-width stops beside Chinese or a slot: typed in a hurry, or by a model that thinks in English.
_HALF_WIDTH = re.compile(r"(?<=[\u4e00-\u9fff}])[,.;:!?]|[,;!?](?=[\u4e00-\u9fff{])")
#: What an ordinary text is made of. The slow look at single characters is for texts that have others.
_ORDINARY = re.compile(
    r"[A-Za-z ,.;:?!'\"()&/\-\u2013\u2014\u2018\u2019\u201c\u201d\u2026\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u017f]*"
)
_ORDINARY_UNSPACED = re.compile(
    r"[A-Za-z ,.;:?!'\"()&/\-\u2014\u2018\u2019\u201c\u201d\u2026\u00b7\u3400-\u4dbf\u4e00-\u9fff，。、；：？！（）「」《》～]*"  # noqa: RUF001
)
#: From so many words on, a text without a single function word is in another language.
_FEW_WORDS = 8
_ACCENTED = re.compile(r"[\u00c0-\u024f]")


class _Lists(msgspec.Struct, frozen=True):
    """``guard.<language>.json`` as written."""

    banned: dict[str, list[str]]
    hold: list[str]
    properties: dict[str, str]
    attributes: dict[str, str]
    counted: list[str]
    sale: list[str]
    stock: list[str]
    stocked: list[str]
    back: list[str]
    new: list[str]
    tells_sale: list[str]
    tells_back: list[str]
    function_words: frozenset[str]


class _Claim(msgspec.Struct, frozen=True):
    """A property's own pattern, to tell which of many matched, and the stems of words that also bear it out."""

    pattern: re.Pattern[str]
    supporters: frozenset[str]


class _Rules(msgspec.Struct, frozen=True):
    """A language's lists, compiled."""

    banned: re.Pattern[str]
    codes: tuple[tuple[str, re.Pattern[str]], ...]
    hold: re.Pattern[str]
    properties: re.Pattern[str]
    property_claims: tuple[_Claim, ...]
    attributes: re.Pattern[str]
    attribute_claims: tuple[_Claim, ...]
    counted: re.Pattern[str]
    untrue: dict[Promotion, re.Pattern[str]]
    tells_sale: re.Pattern[str]
    tells_back: re.Pattern[str]
    function_words: frozenset[str]


@cache
def _rules(language: str) -> _Rules:
    folder = resources.files("shelftalk.core")
    path = folder / f"guard.{language}.json"
    if not path.is_file():
        return _rules(_FALLBACK_LANGUAGE)
    lists = msgspec.json.decode(path.read_bytes(), type=_Lists)
    spaced = language not in _UNSPACED

    def compiled(phrases: Iterable[str]) -> re.Pattern[str]:
        return _alternation(phrases, spaced=spaced)

    def claims(words: dict[str, str]) -> tuple[_Claim, ...]:
        return tuple(
            _Claim(compiled([word]), _stems(bearers.lower()) if spaced else frozenset(bearers.split()))
            for word, bearers in words.items()
        )

    number = "|".join(sorted(_NUMBERS, key=len, reverse=True))
    attribute = "|".join(sorted(lists.attributes, key=len, reverse=True))
    # Said of the product: "in black.", "made of glass and", "NAME is black", or straight before a noun that `_claims` looks at.
    attributed = (
        r"\b(?:in|made of|made from|(?:NAME|it|they) (?:is|are)|it's|they're) "
        r"(?:(?!(?:the|an?|your|our|my|this|that|every|any|no) )[a-z]+ )?"
        rf"(?P<said>{attribute})(?=[.,;:?!]|$| and\b| or\b| with\b)"
        rf"|\b(?P<before>{attribute}) (?P<noun>[A-Z]+|[a-z]+)\b"
        if spaced
        else f"(?P<said>{attribute})(?P<noun>[款色版制质])(?P<before>)"
    )
    return _Rules(
        banned=compiled(phrase for phrases in lists.banned.values() for phrase in phrases),
        codes=tuple((code, compiled(phrases)) for code, phrases in lists.banned.items()),
        hold=compiled(lists.hold),
        properties=compiled(lists.properties),
        property_claims=claims(lists.properties),
        attributes=re.compile(attributed),
        attribute_claims=claims(lists.attributes),
        counted=re.compile(
            rf"\b(?P<number>{number})[ -](?:of )?(?:[a-z]+[ -])?(?P<noun>{'|'.join(lists.counted)})\b"
            if spaced
            else f"(?P<number>[两二三四五六七八九十百千]+)(?P<noun>{'|'.join(lists.counted)})"
        ),
        untrue={
            promotion: compiled(
                phrase
                for name, told_by in _TOLD_BY.items()
                if promotion not in told_by
                for phrase in getattr(lists, name)
            )
            for promotion in Promotion
        },
        tells_sale=compiled(lists.tells_sale),
        tells_back=compiled(lists.tells_back),
        function_words=lists.function_words,
    )


def _alternation(phrases: Iterable[str], *, spaced: bool) -> re.Pattern[str]:
    """One pattern of all phrases, longest first, on word borders where the script has them.

    Phrases are grouped by their first letter: a word is then held against a dozen of them, not all three hundred.
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for phrase in sorted(phrases, key=len, reverse=True):
        literal = phrase[0].isalpha() and phrase[1:2] not in {"?", "*", "{"}
        groups[phrase[0] if literal else ""].append(phrase[1:] if literal else phrase)
    branches = [f"{letter}(?:{'|'.join(rest)})" for letter, rest in groups.items()]
    # Most words begin no phrase at all; one look at the first letter settles those.
    first = "" if "" in groups else f"(?=[{''.join(groups)}])"
    border = r"\b" if spaced else ""
    return re.compile(f"{border}{first}(?:{'|'.join(branches)}){border}")


def judge(brief: Brief, text: str) -> Verdict:
    """Hold a slotted text against its brief."""
    rules = _rules(brief.language)
    said = _said(text)
    reject = [*_form(brief, text), *_slots(brief, text), *_claims(brief, said, rules), *_promotion(brief, said, rules)]
    if reject:
        return Verdict(Outcome.REJECT, tuple(dict.fromkeys(reject)))
    nouns = f"{brief.kind} {brief.anchor}".lower()
    hold = [f"doubtful: {match[0]}" for match in rules.hold.finditer(said) if match[0] not in nouns]
    hold += [
        f"person: {match[0]}" for match in _FULL_NAME.finditer(SLOT.sub("", text)) if not _is_given(match[0], brief)
    ]
    if _is_foreign(brief, text, said, rules.function_words):
        hold.append("language: no common words")
    return Verdict(Outcome.HOLD, tuple(dict.fromkeys(hold))) if hold else Verdict(Outcome.PASS)


def _is_given(name: str, brief: Brief) -> bool:
    """Whether a word of a name is the facts' own: "a Bluetooth speaker" beside "Bluetooth"."""
    return not _given(name).isdisjoint(_facts(brief))


def breach(text: str, language: str) -> str | None:
    """What a shop's own words may not say on a card, whoever wrote them: the code, or ``None``.

    What passes for a fact of the product is the shop's to claim. What the law forbids, addresses and prices, what is untrue as
    soon as the price or the stock moves, and what talks to a machine is not.
    """
    rules = _rules(language)
    said = _said(text)
    for match in rules.banned.finditer(said):
        code = next((code for code, pattern in rules.codes if pattern.match(said, match.start())), "banned")
        if not (code == "guarantee" and _WARRANTY.search(said)):
            return code
    return "untrue now" if rules.untrue[Promotion.NONE].search(said) else None


#: "2-year warranty" is a fact of the product, unlike "guaranteed to please".
_WARRANTY = re.compile(r"\d[- ](?:years?|months?)[- ](?:warranty|guarantee)|\d年(?:质保|保修)")


def _said(text: str) -> str:
    """The text as the lists see it: lower case, accents off, typographic apostrophes plain, slots as upper-case names."""
    lower = text.lower()
    if not lower.isascii():
        lower = unicodedata.normalize("NFKC", lower).replace("\u2019", "'")
        if not _HAN.search(lower):
            decomposed = unicodedata.normalize("NFKD", lower)
            lower = "".join(char for char in decomposed if not unicodedata.combining(char))
    return SLOT.sub(lambda match: match[1].upper(), lower)


def _form(brief: Brief, text: str) -> list[str]:
    """Length, characters, script, repetition, ending."""
    problems = []
    unspaced = brief.language in _UNSPACED
    bare = SLOT.sub("", text)
    shortest, longest = LENGTHS[brief.channel]
    if unspaced:
        shortest = shortest * 2 // 3  # a short line of Chinese says as much
    length = len(SLOT.sub("x" * _SLOT_LENGTH, text)) + (len(_HAN.findall(bare)) if unspaced else 0)
    if not shortest <= length <= longest:
        problems.append(f"length: {length}, not {shortest} to {longest}")
    ordinary = _ORDINARY_UNSPACED if unspaced else _ORDINARY
    if not ordinary.fullmatch(bare):
        odd = sorted({char for char in bare if not ordinary.fullmatch(char)})
        problems.append(f"character: {' '.join(f'U+{ord(char):04X}' if _unseen(char) else char for char in odd)}")
    problems += [f"character: {match[0]}" for match in _ENTITY.finditer(bare)]
    if unspaced:
        problems += [f"character: half-width {match[0]}" for match in _HALF_WIDTH.finditer(text)]
    if bare.count("!") + bare.count("！") > 1:  # noqa: RUF001
        problems.append("shouting: exclamation marks")
    given = " ".join((brief.kind, brief.anchor or "", *brief.points))
    problems += [f"shouting: {word}" for word in _CAPITALS.findall(bare) if word not in given]
    words = _TOKEN.findall(text.lower())
    if _repeats(words, text) or (unspaced and _HAN_REPEATED.search(bare)):
        problems.append("repetition: the same words twice")
    if unspaced and len(_HAN.findall(bare)) < 2 * len(_WORD.findall(bare.lower())):
        problems.append("language: hardly Chinese")
    if not _ENDING.search(text):
        problems.append("ending: no full stop")
    return problems


def _repeats(words: list[str], text: str) -> bool:
    """Whether a model has run in a circle. "It has to be signed, it has to be today" is rhetoric; five words twice are not."""
    pairs = list(itertools.pairwise(words))
    if len(pairs) == len(set(pairs)) and all(a != b for a, b in pairs):
        return False  # nearly every text: nothing longer can recur either
    if _AGAIN.search(text.lower()):
        return True
    fives = list(zip(*(words[start:] for start in range(5)), strict=False))
    triples = list(zip(words, words[1:], words[2:], strict=False))
    return len(fives) != len(set(fives)) or any(triples.count(triple) > 2 for triple in triples)  # noqa: PLR2004


def _unseen(char: str) -> bool:
    """Whether a character shows nothing by itself: controls, zero-width signs, strange blanks, accents on their own."""
    return unicodedata.category(char)[0] in "CZM"


def _slots(brief: Brief, text: str) -> list[str]:
    """Only offered slots, a name at most once, and the promotion's facts told."""
    used = slots_in(text)
    problems = [f"slot: {slot}" for slot in sorted(used.difference(slots_for(brief)))]
    if text.count("{name}") > 1:
        problems.append("slot: name twice")
    missing = _MUST_SAY.get(brief.promotion, frozenset()) - used
    if brief.angle is Angle.YOUR_BRAND and brief.branded:
        missing |= {"brand"} - used
    problems += [f"untold: {slot}" for slot in sorted(missing)]
    return problems


def _claims(brief: Brief, said: str, rules: _Rules) -> Iterator[str]:
    """Nothing that the law, honesty or the facts forbid."""
    for match in rules.banned.finditer(said):
        code = next((code for code, pattern in rules.codes if pattern.match(said, match.start())), "banned")
        # A "blood pressure monitor" may be called one, and a screen with three leaves ("three tenths of the price", 三折) as well.
        named = {"health": f"{brief.kind} {brief.anchor}".lower(), "money": _all_facts(brief)}
        if match[0] not in named.get(code, ""):
            yield f"{code}: {match[0]}"
    for match in rules.properties.finditer(said):
        if not (_borne_out(match[0], rules.property_claims, brief) or _ELSEWHERE.search(said[: match.start()])):
            yield f"claim: {match[0]}"
    head = stem(brief.kind.lower().rpartition(" ")[2])
    for match in rules.attributes.finditer(said):
        attribute = match["said"] or match["before"]
        of_product = match["said"] or match["noun"] == "NAME" or stem(match["noun"]) == head
        if of_product and not _borne_out(attribute, rules.attribute_claims, brief):
            yield f"claim: {attribute}"
    for match in rules.counted.finditer(said):
        number = match["number"]
        given = _facts(brief)
        if brief.language in _UNSPACED and match[0] in _all_facts(brief):
            continue
        if number not in given and _NUMBERS.get(number, number) not in given:
            yield f"claim: {match[0]}"


def _promotion(brief: Brief, said: str, rules: _Rules) -> Iterator[str]:
    """What the facts say of price and stock is told, and nothing else."""
    for match in rules.untrue[brief.promotion].finditer(said):
        yield f"untrue now: {match[0]}"
    if brief.promotion is Promotion.SALE:
        if not ("WAS_PRICE" in said or "PERCENT_OFF" in said or rules.tells_sale.search(said)):
            yield "untold: the saving"
    elif brief.promotion is Promotion.BACK_IN_STOCK and not rules.tells_back.search(said):
        yield "untold: back in stock"


def _facts(brief: Brief) -> frozenset[str]:
    """Stems and numbers of everything that the brief states."""
    return _given(" ".join((brief.kind, brief.anchor or "", *brief.points)))


def _all_facts(brief: Brief) -> str:
    return "\n".join((brief.kind, brief.anchor or "", *brief.points)).lower()


@lru_cache(maxsize=4096)
def _given(facts: str) -> frozenset[str]:
    words = _GIVEN_WORD.findall(facts.lower())
    return frozenset(words) | frozenset(map(stem, words))


def _stems(words: str) -> frozenset[str]:
    return frozenset(map(stem, _GIVEN_WORD.findall(words)))


@lru_cache(maxsize=4096)
def stem(word: str) -> str:
    """A word without its commonest endings, so that ``washes``, ``washable`` and ``washing`` meet. Crude, and enough."""
    for ending in (
        "ability",
        "ably",
        "able",
        "ible",
        "proof",
        "ingly",
        "ings",
        "ing",
        "edly",
        "ied",
        "ies",
        "ed",
        "es",
        "en",
        "ly",
        "ers",
        "er",
        "s",
        "y",
    ):
        stem = word.removesuffix(ending)
        if stem != word and len(stem) >= 3:  # noqa: PLR2004 - "wool" keeps its letters, "red" stays red
            word = stem
            break
    # "dimmed", "zipped": the doubled letter belongs to the ending; "folde" and "fold" are one.
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "els":  # noqa: PLR2004
        word = word[:-1]
    return word.removesuffix("e")


def _borne_out(claim: str, claims: tuple[_Claim, ...], brief: Brief) -> bool:
    """Whether the facts hold every word of a claim, or one that means as much."""
    if brief.language in _UNSPACED:
        facts = _all_facts(brief)
        bearers = (one.supporters for one in claims if one.pattern.fullmatch(claim))
        return claim in facts or any(word in facts for words in bearers for word in words)
    given = _facts(brief)
    words = [stem for stem in _stems(claim) if stem not in _SMALL_STEMS]
    if words and all(stem in given for stem in words):
        return True
    return any(not given.isdisjoint(one.supporters) for one in claims if one.pattern.fullmatch(claim))


#: Parts of compound claims that bear nothing: "oven safe" rests on "oven".
_SMALL_STEMS = frozenset(
    {
        "saf",
        "proof",
        "fre",
        "non",
        "anti",
        "made",
        "mad",
        "in",
        "powered",
        "resistant",
        "fabric",
        "light",
        "dark",
        "pal",
        "bright",
    }
)


def _is_foreign(brief: Brief, text: str, said: str, function_words: frozenset[str]) -> bool:
    """Whether a text of some length has none of the words that its language can't do without; what the facts lend it aside.

    One alone proves nothing in a text with accents: without its own the French "the" of tea looks English.
    """
    given = _facts(brief)
    words = [word for word in _WORD.findall(said) if word not in given]
    common = sum(word in function_words for word in words)
    return bool(function_words) and len(words) >= _FEW_WORDS and common < 1 + bool(_ACCENTED.search(text))


def sentences(text: str) -> list[str]:
    """The sentences of a text, for measures that count them."""
    return [part for part in _SENTENCE.split(text) if part]
