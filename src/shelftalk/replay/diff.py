"""Two runs of one recording held against each other: what was decided, who answered, and which words were used.

Latency differs from run to run, and with it which rung of the ladder is in time, and sometimes which product is the best at that
moment. So these are told apart, and only the last is a change of text:

*Decisions.* For each event and placement: the product, the angle and the promotion of the first card. A different one is no matter
of words.
*Rungs.* Where the decision is the same: who answered. Cached here and phrasebook there is a matter of time.
*Rewordings.* A card that would begin like the one beside it is given other words, and which one stood there first is a matter of
time, too. Such cards say so themselves; they are counted, and their words are not held against anything.
*Words.* By brief, which is all that decides the words: the texts, slots unfilled, of the model on one side and of the phrasebook on
the other. Same recording, same model, same prompts: same briefs, same texts, whatever the timing. Where the two runs had different
models or prompts, briefs differ by definition, and texts are held against each other by what a brief is about instead: product,
channel, locale, angle, promotion and tone.
"""

import enum
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from hashlib import blake2b

import msgspec

from shelftalk.replay.texts import Said

Texts = dict[Hashable, dict[str, Said]]


class Fate(enum.StrEnum):
    """What became of one card in the other run, where the same product was shown for the same reason."""

    SAME = "the same"
    FACTS = "the same words with other facts"  # a price or stock that moved a little sooner or later
    RUNG = "from another rung"
    REWORDED = "reworded in either run"
    WORDS = "in other words"  # the only one that is no matter of time


class Changed(msgspec.Struct, frozen=True):
    """A brief whose texts differ.

    Attributes:
        before, after: the texts of the two runs, slots unfilled, in alphabetical order.
    """

    about: Said
    before: list[str]
    after: list[str]


class Compared(msgspec.Struct, kw_only=True):
    """Words of one kind in two runs.

    Attributes:
        same: briefs of both runs whose texts are the same, as far as both show them.
        only_before, only_after: briefs that only one run came to write about.
    """

    same: int = 0
    changed: list[Changed] = []
    only_before: int = 0
    only_after: int = 0
    hash_before: str = ""
    hash_after: str = ""


class TextDiff(msgspec.Struct, kw_only=True):
    """All of it.

    Attributes:
        by: ``brief``, or ``question`` where models or prompts differ.
        decisions_same, decisions_differ: events and placements that both runs answered.
        unanswered: that only one answered.
        rungs: where the decision is the same, how often which rung became which.
        cards: where the decision is the same, how many cards had which `Fate`.
        reworded: cards of the two runs that were given other words because of the one beside them.
    """

    by: str
    models: tuple[list[str], list[str]]
    decisions_same: int
    decisions_differ: int
    unanswered: int
    rungs: dict[str, int]
    cards: dict[str, int]
    reworded: tuple[int, int]
    written: Compared
    phrasebook: Compared

    @property
    def same_text(self) -> bool:
        """Whether no text changed."""
        return not (self.written.changed or self.phrasebook.changed)


def digests(said: Iterable[Said]) -> dict[str, str]:
    """Hashes of a run's words: equal ones mean equal words for the same briefs."""
    written, phrasebook = _by_kind(said, "brief")
    return {"written": _digest(written, written.keys()), "phrasebook": _digest(phrasebook, phrasebook.keys())}


def compare(before: Sequence[Said], after: Sequence[Said], *, same_sends: bool) -> TextDiff:
    """Hold two runs against each other.

    Args:
        before: the cards of one run.
        after: of the other.
        same_sends: whether the same number means the same event in both.
    """
    models = (_models(before), _models(after))
    by = "brief" if models[0] == models[1] or not (models[0] and models[1]) else "question"
    written = [_by_kind(said, by)[0] for said in (before, after)]
    phrasebook = [_by_kind(said, by)[1] for said in (before, after)]
    same, differ, unanswered, rungs, cards = (
        _decisions(before, after) if same_sends else (0, 0, 0, Counter[str](), Counter[Fate]())
    )
    return TextDiff(
        by=by,
        models=models,
        decisions_same=same,
        decisions_differ=differ,
        unanswered=unanswered,
        rungs=dict(rungs.most_common()),
        cards={fate.value: count for fate, count in cards.most_common()},
        reworded=(sum(card.reworded for card in before), sum(card.reworded for card in after)),
        written=_compared(*written),
        phrasebook=_compared(*phrasebook),
    )


def _decisions(before: Sequence[Said], after: Sequence[Said]) -> tuple[int, int, int, Counter[str], Counter[Fate]]:
    first, second = _answers(before), _answers(after)
    both = first.keys() & second.keys()
    rungs, cards = Counter[str](), Counter[Fate]()
    same = 0
    for place in both:
        a, b = first[place], second[place]
        if (a.sku, a.angle, a.promotion) == (b.sku, b.angle, b.promotion):
            same += 1
            was, now = ("reworded" if card.reworded else card.rung for card in (a, b))
            rungs[was if was == now else f"{was} → {now}"] += 1
            cards[_fate(a, b)] += 1
    return same, len(both) - same, len(first.keys() ^ second.keys()), rungs, cards


def _fate(before: Said, after: Said) -> Fate:
    if before.reworded or after.reworded:
        return Fate.REWORDED
    if (before.rung == "phrasebook") != (after.rung == "phrasebook"):
        return Fate.RUNG
    if before.slotted != after.slotted:
        return Fate.WORDS
    return Fate.SAME if before.text == after.text else Fate.FACTS


def _answers(said: Sequence[Said]) -> dict[tuple[int, str], Said]:
    answers: dict[tuple[int, str], Said] = {}
    for card in said:
        if card.trigger == "ask":
            answers.setdefault((card.seq, card.placement), card)
    return answers


def _by_kind(said: Iterable[Said], by: str) -> tuple[Texts, Texts]:
    """Texts by brief: the model's, and the phrasebook's. Those that the neighbour on the page decided are left out."""
    written: Texts = defaultdict(dict)
    phrasebook: Texts = defaultdict(dict)
    for card in said:
        if card.reworded:
            continue
        key: Hashable = card.brief_id
        if by == "question":
            key = (card.sku, card.channel, card.locale, card.angle, card.promotion, card.tone)
        (phrasebook if card.rung == "phrasebook" else written)[key].setdefault(card.slotted, card)
    return written, phrasebook


def _compared(before: Texts, after: Texts) -> Compared:
    both = before.keys() & after.keys()
    found = Compared(only_before=len(before.keys() - both), only_after=len(after.keys() - both))
    hashed: tuple[dict[Hashable, set[str]], dict[Hashable, set[str]]] = {}, {}
    for key in both:
        old, new = set(before[key]), set(after[key])
        # A brief has a few wordings, which shoppers share out; a run shows those of the shoppers to whom it came.
        if old <= new or new <= old:
            found.same += 1
            hashed[0][key] = hashed[1][key] = old & new
        else:
            hashed[0][key], hashed[1][key] = old, new
            about = next(iter(after[key].values()))
            found.changed.append(Changed(about, sorted(old), sorted(new)))
    found.hash_before, found.hash_after = (_digest(texts, both) for texts in hashed)
    found.changed.sort(key=lambda changed: (changed.about.sku, changed.about.channel, changed.after))
    return found


def _digest(texts: Mapping[Hashable, Iterable[str]], keys: Iterable[Hashable]) -> str:
    digest = blake2b(digest_size=12)
    for key in sorted(keys, key=str):
        digest.update(msgspec.json.encode((str(key), sorted(texts[key]))))
    return digest.hexdigest()


def _models(said: Iterable[Said]) -> list[str]:
    return sorted({f"{card.model} {card.variant}" for card in said if card.rung != "phrasebook"})
