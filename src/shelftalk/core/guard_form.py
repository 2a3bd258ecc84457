"""The form of a text: its length, its characters and script, its ending, and whether it goes round in a circle."""

import itertools
import re
import unicodedata

from shelftalk.core.brief import Brief, Channel
from shelftalk.core.guard_lists import UNSPACED
from shelftalk.core.render import SLOT

#: Characters that a text may have, its slots counted as they render (about ten each): shortest and longest.
LENGTHS: dict[Channel, tuple[int, int]] = {
    Channel.CARD: (18, 140),
    Channel.AD: (14, 110),
    Channel.SOCIAL: (36, 280),
    Channel.COPY: (36, 460),
}

#: A slot counts as this many characters: the median of names, prices and points in the demo store.
_SLOT_LENGTH = 10

_WORD = re.compile(r"[a-z]+(?:['-][a-z]+)*")
_TOKEN = re.compile(r"\{[a-z_0-9]+\}|[a-z]+(?:['-][a-z]+)*")
#: Up to four words said again at once, at most an "and" between: "soft and warm and soft and warm".
_AGAIN = re.compile(r"(?<![\w-])(?:([a-z']{2,}) \1|([a-z']{2,}(?: [a-z']+){1,3})(?: and)? \2)(?![\w'-])")
_CLAUSE_END = re.compile(r"[.,;:!?]")
_MANY_TIMES = re.compile(r"\b(?:([a-z']{2,})(?:,? \1){4}|([a-z']+(?: [a-z']+){1,3})(?:,? (?:and )?\2){2})\b")
_ENDING = re.compile(r"[.?!。？！][\"'”’）)」]?$")  # noqa: RUF001
_CAPITALS = re.compile(r"\b[A-Z]{4,}\b")
_ENTITY = re.compile(r"&#?\w+;")
HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
#: Chinese likes pairs of like halves; a circle is longer, or goes round three times.
_HAN_REPEATED = re.compile(
    r"([\u4e00-\u9fff]{8,}).*\1|([\u4e00-\u9fff]{4,}).*\2.*\2|([\u4e00-\u9fff]{2,})\3\3|([\u4e00-\u9fff])\4{2,}|([\u4e00-\u9fff]{2,})(?:[，、]\5){2}"  # noqa: RUF001
)
#: Half-width stops beside Chinese or a slot: typed in a hurry, or by a model that thinks in English.
_HALF_WIDTH = re.compile(r"(?<=[\u4e00-\u9fff}])[,.;:!?]|[,;!?](?=[\u4e00-\u9fff{])")
#: Nothing between a sign and the next word: "Waterproof Trousers.2 left". An abbreviation has one letter before its stop.
_CRAMPED = re.compile(r"(?<=[a-z}]{2})[,.;:!?](?=[A-Za-z{])")
#: What an ordinary text is made of. The slow look at single characters is for texts that have others.
_ORDINARY = re.compile(
    r"[A-Za-z ,.;:?!'\"()&/\-\u2013\u2014\u2018\u2019\u201c\u201d\u2026\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u017f]*"
)
_ORDINARY_UNSPACED = re.compile(
    r"[A-Za-z ,.;:?!'\"()&/\-\u2014\u2018\u2019\u201c\u201d\u2026\u00b7\u3400-\u4dbf\u4e00-\u9fff，。、；：？！（）「」《》～]*"  # noqa: RUF001
)


_BEGINS_WITH_SIGN = re.compile(r"\s*[,.;:!?)，。；：！？、）」』》]")  # noqa: RUF001


def misshapen(brief: Brief, text: str) -> list[str]:
    """Length, characters, script, repetition, beginning and ending."""
    problems = []
    unspaced = brief.language in UNSPACED
    bare = SLOT.sub("", text)
    shortest, longest = LENGTHS[brief.channel]
    if unspaced:
        shortest = shortest * 2 // 3  # a short line of Chinese says as much
    length = len(SLOT.sub("x" * _SLOT_LENGTH, text)) + (len(HAN.findall(bare)) if unspaced else 0)
    if not shortest <= length <= longest:
        problems.append(f"length: {length}, not {shortest} to {longest}")
    ordinary = _ORDINARY_UNSPACED if unspaced else _ORDINARY
    if not ordinary.fullmatch(bare):
        odd = sorted({char for char in bare if not ordinary.fullmatch(char)})
        problems.append(f"character: {' '.join(f'U+{ord(char):04X}' if _unseen(char) else char for char in odd)}")
    problems += [f"character: {match[0]}" for match in _ENTITY.finditer(bare)]
    if unspaced:
        problems += [f"character: half-width {match[0]}" for match in _HALF_WIDTH.finditer(text)]
    else:
        problems += [f"character: no space after {match[0]}" for match in _CRAMPED.finditer(text)]
    if bare.count("!") + bare.count("！") > 1:  # noqa: RUF001
        problems.append("shouting: exclamation marks")
    given = " ".join((brief.kind, brief.anchor or "", *brief.points))
    problems += [f"shouting: {word}" for word in _CAPITALS.findall(bare) if word not in given]
    words = _TOKEN.findall(text.lower())
    if _repeats(words, text) or (unspaced and _HAN_REPEATED.search(bare)):
        problems.append("repetition: the same words twice")
    if unspaced and len(HAN.findall(bare)) < 2 * len(_WORD.findall(bare.lower())):
        problems.append("language: hardly Chinese")
    if not _ENDING.search(text):
        problems.append("ending: no full stop")
    if _BEGINS_WITH_SIGN.match(text):
        problems.append("beginning: with a sign")
    return problems


def _repeats(words: list[str], text: str) -> bool:
    """Whether a model has run in a circle.

    "It has to be signed, it has to be today" is rhetoric. Five words twice are not, nor a clause of four said again or of three at
    once, nor a word five times, nor a few of them thrice.
    """
    clauses = [tuple(_TOKEN.findall(clause)) for clause in _CLAUSE_END.split(text.lower())]
    long = [clause for clause in clauses if len(clause) > 3]  # noqa: PLR2004
    if len(long) != len(set(long)) or _MANY_TIMES.search(text.lower()):
        return True
    if any(one == other and len(one) > 2 for one, other in itertools.pairwise(clauses)):  # noqa: PLR2004
        return True
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
