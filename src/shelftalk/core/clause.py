"""Clauses: a selling point as part of an English sentence, not only behind a colon.

A shop's point is a note: "hanging loop", "folds flat", "dishwasher safe". What its class tells (`core.grammar`) is enough to say
it in a sentence: it *has a* hanging loop, it *folds flat*, it *is* dishwasher safe. Where the class does not tell, there is no
clause, and a line that wants one is passed over.
"""

import re
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from shelftalk.core.grammar import does_of_many, kind_class, point_class, verbs
from shelftalk.core.word_slots import article


class Clause(NamedTuple):
    """What a product does, is or has: "has" and "a hanging loop". The verb is empty where the rest begins with it."""

    verb: str
    rest: str


#: By class of the point: the verb of one thing, of several, and what stands before the point.
_VERBS = {
    "thing": ("has", "have"),
    "plural": ("has", "have"),
    "without": ("has", "have"),
    "like": ("is", "are"),
    "colour": ("is", "are"),
    "material": ("is", "are"),
    "made": ("is", "are"),
    "pack": ("comes", "come"),
}
#: A point that begins so is said with these.
_WITH = {"with": ("comes", "come"), "in": ("comes", "come"), "for": ("is", "are")}

_NUMBER = r"\d+|a dozen|two|three|four|five|six|seven|eight|nine|ten|twelve"
#: How a point must read that would mislead otherwise: "no need to rinse" is not had, "front and rear" is no thing.
_WANTED = {
    "without": re.compile(r"no (?!need|two\b)[\w-]+(?: [\w-]+)?(?<!ed)"),
    "pack": re.compile(rf"(?:set|pack|box|case) of (?:{_NUMBER})"),
    "thing": re.compile(r"(?!\w+ and \w+$).*"),
}
#: "It is mostly wool", not made of it.
_PARTLY = ("mostly", "part", "all ")
_DETERMINED = re.compile(r"(?:an?|the|one|each|its)\b")

#: Said of a part that stays with its thing: "a lid that locks" may end a clause, "wide, sloping sides" would seem to go on.
_ONE_BREATH = re.compile(r"[^,;:]+")

_LONG_VERB = re.compile(r"(?:ch|sh|ss|x|zz|o)es$")


def predicate(point: str, said: str, *, many: bool) -> Clause | None:
    """What is said of a product that has this point.

    Args:
        point: as the brief has it.
        said: as the text has it: the same, or its slot.
        many: whether the product is several ("running socks").
    """
    sort = point_class(point)
    if not _ONE_BREATH.fullmatch(point):
        return None
    if sort == "does":
        if not many:
            return Clause("", said)
        return Clause("", _plain_verbs(point)) if said == point else None
    if sort == "with":
        sort = point.partition(" ")[0].lower()
        return Clause(_WITH[sort][many], said) if sort in _WITH else None
    if sort == "other" and many and does_of_many(point):
        return Clause("", said)
    wanted = _WANTED.get(sort)
    if sort not in _VERBS or (wanted is not None and not wanted.fullmatch(point)):
        return None
    before = {"pack": "as a ", "material": "" if point.startswith(_PARTLY) else "made of "}.get(sort, "")
    if sort == "thing" and not _DETERMINED.match(point):
        before = f"{article(point)} "
    return Clause(_VERBS[sort][many], before + said)


def modifier(point: str, said: str, *, many: bool) -> str:
    """The same behind a noun: "with a hanging loop", "that folds flat", "in waxed cotton"; empty where it can't be told."""
    clause = predicate(point, said, many=many) if point else None
    sort = point_class(point)
    if clause is None or sort == "pack":
        return ""
    if sort in {"thing", "plural", "without"}:
        return f"with {clause.rest}"
    if sort in {"colour", "material"}:
        return "" if point.startswith(_PARTLY) else f"in {said}"
    if sort in {"made", "with"}:
        return said
    return f"that {joined([clause])}"


def joined(clauses: Sequence[Clause]) -> str:
    """Clauses as one: "folds flat and has a hanging loop"; what has one verb is said with one."""
    order = {verb: at for at, verb in reversed(list(enumerate(clause.verb for clause in clauses)))}
    parts: list[str] = []
    for verb, same in groupby(sorted(clauses, key=lambda clause: order[clause.verb]), key=lambda clause: clause.verb):
        rests = [clause.rest for clause in same]
        parts += [f"{verb} {_listed(rests)}"] if verb else rests
    return _listed(parts)


def also(clause: Clause) -> str:
    """What is said second: "also folds flat", "is also waterproof"."""
    if clause.verb in {"comes", "come"}:
        return joined([clause])  # how it is packed is no second merit
    is_so = clause.verb in {"is", "are"}
    return f"{clause.verb} also {clause.rest}" if is_so else f"also {joined([clause])}"


def _listed(parts: Sequence[str]) -> str:
    if len(parts) == 1:
        return parts[0]
    comma = "," if any(" and " in part for part in parts) else ""
    return f"{', '.join(parts[:-1])}{comma} and {parts[-1]}"


def a_kind(kind: str) -> str:
    """The kind as a noun phrase: "a kettle", "running socks", "compost"."""
    return f"{article(kind)} {kind}" if kind_class(kind) == "one" else kind


def this_kind(kind: str) -> str:
    """The kind, pointed at: "this kettle", "these running socks"."""
    return f"{'these' if is_many(kind) else 'this'} {kind}"


def another(kind: str) -> str:
    """One more of the kind: "another kettle", "more running socks"."""
    return f"{'another' if kind_class(kind) == 'one' else 'more'} {kind}"


def is_many(kind: str) -> bool:
    """Whether a product of this kind is several."""
    return kind_class(kind) == "many"


def _plain_verbs(point: str) -> str:
    """What several do: "folds flat" is "fold flat" of them, "hangs or stands" is "hang or stand"."""
    words = point.split(" ")
    for at, word in enumerate(words):
        if word in verbs() and (at == 0 or words[at - 1] in {"and", "or"}):
            words[at] = _plain_verb(word)
    return " ".join(words)


def _plain_verb(verb: str) -> str:
    if verb in {"dies", "lies", "ties"}:
        return verb[:-1]
    if verb.endswith("ies"):
        return verb[:-3] + "y"
    return verb[:-2] if _LONG_VERB.search(verb) else verb[:-1]
