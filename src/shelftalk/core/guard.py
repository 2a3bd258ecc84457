"""The guard: what a text must be before it is kept. Pass, hold for a person, or reject and fall back.

Word lists are `guard_lists`' business, the outer form is `guard_form`'s; here a text is held against its brief.
"""

import enum
import re
import unicodedata
from collections.abc import Iterator

import msgspec

from shelftalk.core.brief import Angle, Brief, Promotion, slots_for
from shelftalk.core.guard_form import HAN, misshapen
from shelftalk.core.guard_lists import NUMBERS, UNSPACED, Claim, Rules, rules_of
from shelftalk.core.render import SLOT, slots_in
from shelftalk.core.stems import all_facts, given, stated, stem, stems


class Outcome(enum.StrEnum):
    """What becomes of a text."""

    PASS = "pass"  # noqa: S105 - no password
    HOLD = "hold"
    REJECT = "reject"


class Verdict(msgspec.Struct, frozen=True):
    """An outcome and, unless it passed, why: short stable codes with the offending words."""

    outcome: Outcome
    reasons: tuple[str, ...] = ()


#: What a line must use so that a promotion is told at all.
_MUST_SAY: dict[Promotion, frozenset[str]] = {
    Promotion.ENDING_SOON: frozenset({"ends_on"}),
    Promotion.LOW_STOCK: frozenset({"stock_left"}),
}

_WORD = re.compile(r"[a-z]+(?:['-][a-z]+)*")
#: Before a material that is not the product's: "clings to steel", "nicer than a plastic tub", "like wet wool", "goes with denim".
_ELSEWHERE = re.compile(
    r"\b(?:than|like|unlike|another|(?:cling|stick|clip|screw|fix|attach|stuck|fixed)\w* to"
    r"|(?:go|goes|sits?|works?|pairs?) (?:well )?with)(?: [a-z]+,?){0,3} $"
)
#: Two names in a row; the calendar's are nobody's.
_FULL_NAME = re.compile(
    r"\b[A-Z][a-z]+ (?!(?:(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|January|February|March|April|May|June|July|August|September"
    r"|October|November|December|Christmas|Easter|English|British|Eve|Year)\b)[A-Z][a-z]+\b"
)
#: From so many words on, a text without a single function word is in another language.
_FEW_WORDS = 8
_ACCENTED = re.compile(r"[\u00c0-\u024f]")


def judge(brief: Brief, text: str) -> Verdict:
    """Hold a slotted text against its brief."""
    rules = rules_of(brief.language)
    said = _said(text)
    reject = [
        *misshapen(brief, text),
        *_slots(brief, text),
        *_claims(brief, said, rules),
        *_promotion(brief, said, rules),
        *_brand(brief, said, rules),
    ]
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
    return not given(name).isdisjoint(stated(brief))


def breach(text: str, language: str) -> str | None:
    """What a shop's own words may not say on a card, whoever wrote them: the code, or ``None``.

    What passes for a fact of the product is the shop's to claim. What the law forbids, addresses and prices, what is untrue as
    soon as the price or the stock moves, and what talks to a machine is not.
    """
    rules = rules_of(language)
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
        if not HAN.search(lower):
            decomposed = unicodedata.normalize("NFKD", lower)
            lower = "".join(char for char in decomposed if not unicodedata.combining(char))
    return SLOT.sub(lambda match: match[1].upper(), lower)


def _slots(brief: Brief, text: str) -> list[str]:
    """Only offered slots, a name at most once, and the promotion's facts told."""
    used = slots_in(text)
    problems = [f"slot: {slot}" for slot in sorted(used.difference(slots_for(brief)))]
    if text.count("{name}") > 1:
        problems.append("slot: name twice")
    missing = _MUST_SAY.get(brief.promotion, frozenset()) - used
    return problems + [f"untold: {slot}" for slot in sorted(missing)]


def _brand(brief: Brief, said: str, rules: Rules) -> Iterator[str]:
    """A card that is shown for its brand names it, or says that it is for that ("by a brand you often choose")."""
    shown_for_it = brief.angle is Angle.YOUR_BRAND and brief.branded
    if shown_for_it and "BRAND" not in said and not rules.tells_brand.search(said):
        yield "untold: brand"


def _claims(brief: Brief, said: str, rules: Rules) -> Iterator[str]:
    """Nothing that the law, honesty or the facts forbid."""
    for match in rules.banned.finditer(said):
        code = next((code for code, pattern in rules.codes if pattern.match(said, match.start())), "banned")
        # A "blood pressure monitor" may be called one, and a screen with three leaves ("three tenths of the price", 三折) as well.
        named = {"health": f"{brief.kind} {brief.anchor}".lower(), "money": all_facts(brief)}
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
        given = stated(brief)
        if brief.language in UNSPACED and match[0] in all_facts(brief):
            continue
        if number not in given and NUMBERS.get(number, number) not in given:
            yield f"claim: {match[0]}"


def _promotion(brief: Brief, said: str, rules: Rules) -> Iterator[str]:
    """What the facts say of price and stock is told, and nothing else."""
    for match in rules.untrue[brief.promotion].finditer(said):
        yield f"untrue now: {match[0]}"
    if brief.promotion is Promotion.SALE:
        if not ("WAS_PRICE" in said or "PERCENT_OFF" in said or rules.tells_sale.search(said)):
            yield "untold: the saving"
    elif brief.promotion is Promotion.BACK_IN_STOCK and not rules.tells_back.search(said):
        yield "untold: back in stock"


def _borne_out(claim: str, claims: tuple[Claim, ...], brief: Brief) -> bool:
    """Whether the facts hold every word of a claim, or one that means as much."""
    if brief.language in UNSPACED:
        facts = all_facts(brief)
        bearers = (one.supporters for one in claims if one.pattern.fullmatch(claim))
        return claim in facts or any(word in facts for words in bearers for word in words)
    given = stated(brief)
    words = [stem for stem in stems(claim) if stem not in _SMALL_STEMS]
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
    given = stated(brief)
    words = [word for word in _WORD.findall(said) if word not in given]
    common = sum(word in function_words for word in words)
    return bool(function_words) and len(words) >= _FEW_WORDS and common < 1 + bool(_ACCENTED.search(text))
