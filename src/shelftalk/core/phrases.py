"""Phrases: a long list of patterns, tried only where one of them can begin.

Hardly a word of an honest text begins any of a thousand forbidden phrases, yet an alternation tries nearly all of them at each word
to know that. So it is kept how each phrase can begin, some letters long, and the alternation is tried where a text has those.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

#: Letters that are kept of a beginning: with those few places are left, and not yet many beginnings.
_LONGEST = 6

#: A beginning is found by its first letters, then compared.
_KEY = 2

_SPECIAL = frozenset(r"\.^$*+?{}[]|()")
#: A choice of letters that are no more than those: "[- ]".
_LETTERS = re.compile(r"\[(-?[^\\^\]-]+)\]")
#: What a phrase consists of: escapes, choices of letters, how often, any other sign.
_SIGN = re.compile(r"\\.|\[\^?\]?[^\]]*\]|\{[\d,]+\}|.", re.DOTALL)

#: A sign that stands for itself: a letter, an escaped dot, a choice of one.
_ITSELF = re.compile(r"[^\\.^$*+?{}\[\]|()]|\\(\W)|\[([^\\^])\]")

_Begun = set[tuple[str, bool]]


class Phrases:
    """Regular expressions over lower-case text, as one, the longest first.

    Attributes:
        pattern: the alternation of them all. `finditer` finds what it finds.
    """

    def __init__(self, phrases: Iterable[str], *, spaced: bool) -> None:
        r"""Compile them.

        Args:
            phrases: anything that `re` takes, without groups of a number.
            spaced: whether they begin and end at borders of words.
        """
        phrases = _apart(phrases)
        self.pattern = alternation(phrases, spaced=spaced)
        self._places = re.compile(r"\b\w" if spaced else ".", re.DOTALL)
        #: Phrases that can begin anyhow, "\w+ lovers agree": what a text with one must have, and their own patterns.
        self._anyhow: list[tuple[str, re.Pattern[str]]] = []
        begins: dict[str, set[str]] = defaultdict(set)
        for phrase in phrases:
            found = beginnings(phrase)
            if any(len(one) < _KEY or (spaced and not re.match(r"\w", one)) for one in found):
                self._anyhow.append((_needed(phrase), alternation([phrase], spaced=spaced)))
            else:
                for one in found:
                    begins[one[:_KEY]].add(one)
        self._begins = {key: tuple(sorted(those)) for key, those in begins.items()}

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        """All matches that do not overlap, as `re.Pattern.finditer` has them."""
        if any(needed in text and pattern.search(text) for needed, pattern in self._anyhow):
            yield from self.pattern.finditer(text)
            return
        end = 0
        for place in self._places.finditer(text):
            at = place.start()
            those = self._begins.get(text[at : at + _KEY])
            if those is None or at < end or not text.startswith(those, at):
                continue
            match = self.pattern.match(text, at)
            if match is not None:
                yield match
                end = match.end()


def alternation(phrases: Iterable[str], *, spaced: bool) -> re.Pattern[str]:
    """One pattern of all phrases, longest first, on word borders where the script has them.

    Phrases are grouped by their first letter: a word is then held against a dozen of them, not all three hundred.
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for phrase in sorted(_apart(phrases), key=len, reverse=True):
        literal = _is_literal(phrase)
        groups[phrase[0] if literal else ""].append(phrase[1:] if literal else phrase)
    branches = [f"{letter}(?:{'|'.join(rest)})" for letter, rest in groups.items()]
    # Most words begin no phrase at all; one look at the first letter settles those.
    first = "" if "" in groups else f"(?=[{''.join(groups)}])"
    border = r"\b" if spaced else ""
    return re.compile(f"{border}{first}(?:{'|'.join(branches)}){border}")


def _apart(phrases: Iterable[str]) -> list[str]:
    """The phrases, those with bars outside a group cut there: each choice begins with a letter of its own."""
    return [choice for phrase in phrases for choice in _choices(phrase)]


def _is_literal(phrase: str) -> bool:
    return phrase[0].isalpha() and phrase[1:2] not in {"?", "*", "+", "{"}


def beginnings(phrase: str) -> set[str]:
    """How a phrase can begin: whatever it matches begins with one of these. An empty one says that nothing is known."""
    return {text for choice in _choices(phrase) for text, _ in _begun(choice)}


def _begun(sequence: str) -> _Begun:
    """How a sequence can begin, each with whether that is all of it."""
    whole, cut, at = {""}, set[str](), 0
    while whole and at < len(sequence):
        unit, after = _unit(sequence, at)
        if unit and sequence[after : after + 1] == "?":
            unit, after = unit | {("", True)}, after + 1
        if not unit or sequence[after : after + 1] in {"*", "+", "{", "?"}:  # what follows is not looked at
            break
        grown = {(text + more, ends) for text in whole for more, ends in unit}
        whole = {text for text, ends in grown if ends and len(text) < _LONGEST}
        cut |= {text[:_LONGEST] for text, ends in grown if not ends or len(text) >= _LONGEST}
        at = after
    return {(text, False) for text in cut} | {(text, at == len(sequence)) for text in whole}


def _unit(sequence: str, at: int) -> tuple[_Begun, int]:
    """How a letter, a choice of letters or a group can begin, and what lies behind it; nothing where it is something else."""
    if sequence.startswith("(?:", at):
        end = at + 3 + len("|".join(_choices(sequence[at + 3 :], inside=True)))
        return {one for choice in _choices(sequence[at + 3 : end]) for one in _begun(choice)}, end + 1
    if letters := _LETTERS.match(sequence, at):
        return {(letter, True) for letter in letters[1]}, letters.end()
    return (set() if sequence[at] in _SPECIAL else {(sequence[at], True)}), at + 1


def _choices(phrase: str, *, inside: bool = False) -> list[str]:
    """A phrase cut at the bars outside its groups; of one that is the ``inside`` of a group, up to its end."""
    choices, depth = [""], 0
    for sign in _SIGN.findall(phrase):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if depth < 0 and inside:
            break
        if sign == "|" and not depth:
            choices.append("")
        else:
            choices[-1] += sign
    return choices


def _needed(phrase: str) -> str:
    """The longest run of letters that whatever matches must have; empty if none is found. A phrase of one choice."""
    runs, depth = [""], 0
    signs = _SIGN.findall(phrase)
    for sign, behind in zip(signs, [*signs[1:], ""], strict=True):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        itself = _ITSELF.fullmatch(sign)
        if depth or itself is None or behind[:1] in {"?", "*", "{"}:
            runs.append("")
        else:
            runs[-1] += itself[itself.lastindex or 0]
    return max(runs, key=len)
