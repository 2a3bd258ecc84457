"""Judging: was anything lost, or wrong? What should be there is worked out anew from the input topics."""

from collections import defaultdict
from collections.abc import Mapping

from tests.chaos.answers import answers
from tests.chaos.cards import fence, prices
from tests.chaos.evidence import Evidence, Place
from tests.chaos.poison import KINDS
from tests.chaos.state import profiles, shelves
from tests.chaos.topics import Record
from tests.chaos.traffic import KIND_HEADER
from tests.chaos.verdict import Verdict

_LETTER = "dead-letter-"


def judge(evidence: Evidence) -> Verdict:
    """Hold what came out against what went in."""
    verdict = Verdict()
    topics = evidence.topics
    for name in ("behaviour", "inventory"):
        for record in topics[name]:
            verdict.inputs["poison" if KIND_HEADER in record.headers else name] += 1
    _all_committed(evidence, verdict)
    _poison(topics, verdict)
    shelves(topics, verdict)
    profiles(topics, verdict)
    answers(topics, verdict)
    fence(topics, verdict)
    prices(topics, verdict)
    return verdict


def _all_committed(evidence: Evidence, verdict: Verdict) -> None:
    for topic, ends in evidence.ends.items():
        for partition, end in ends.items():
            done = evidence.committed[topic].get(partition, 0)
            if done != end:
                verdict.losses["not_committed"] += end - done - 1
                verdict.lose("not_committed", f"{topic}[{partition}]: {done} of {end}")


def _poison(topics: Mapping[str, list[Record]], verdict: Verdict) -> None:
    """Each bad record lies in the dead letters as it was, with its reason; no good one does."""
    letters: dict[Place, list[Record]] = defaultdict(list)
    for letter in topics["dead_letters"]:
        heads = {name: letter.headers.get(_LETTER + name, b"").decode() for name in ("topic", "partition", "offset")}
        letters[heads["topic"], int(heads["partition"]), int(heads["offset"])].append(letter)
    reasons = {poison.kind: poison.reason for poison in KINDS}
    kinds = set()
    for record in (*topics["behaviour"], *topics["inventory"]):
        kind = record.headers.get(KIND_HEADER)
        if kind is None:
            continue
        kinds.add(kind)
        found = letters.pop(record.place, [])
        verdict.dead_letters += bool(found)
        verdict.dead_letter_repeats += max(len(found) - 1, 0)
        if not found:
            verdict.lose("poison_vanished", f"{record.place} {kind.decode()}")
        for letter in found:
            reason = letter.headers.get(_LETTER + "reason", b"").decode()
            if letter.value != record.value or letter.key != record.key:
                verdict.lose("poison_altered", f"{record.place} {kind.decode()}")
            if reason != reasons[kind.decode()]:
                verdict.lose("poison_misjudged", f"{record.place} {kind.decode()}: {reason}")
    verdict.poison_kinds = len(kinds)
    for place, found in letters.items():
        reason, detail = (found[0].headers.get(_LETTER + name, b"").decode() for name in ("reason", "detail"))
        verdict.lose("good_in_dead_letters", f"{place}: {reason}: {detail[:200]}")
