"""Frames: what follows what in people's, how they begin, and which of them go where no other goes.

``python -m shelftalk.train.frames`` writes ``core/fluency.json`` and ``core/voices.json``; run it after a change of lines,
phrasebook or forms.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path

import orjson

from shelftalk.core.brief import LANGUAGES, Channel
from shelftalk.core.fluency import Counts, Triple, triples
from shelftalk.core.voices import Wants, voice_of
from shelftalk.train.skeletons import Skeleton

_SHORT = frozenset({Channel.CARD, Channel.AD})

#: A line of a product whose least likely stretch lies below this among all other frames is about that product, whatever its words
#: ("the {anchor} has an empty place, just right to roll {name} out"); read by hand, most of those are.
_STRAY = -9.0


def short_frames(skeletons: Iterable[Skeleton], language: str) -> list[str]:
    """The texts of cards and ads, each once."""
    return list(dict.fromkeys(one.text for one in skeletons if one.language == language and one.channel in _SHORT))


def counted(frames: Iterable[str], language: str) -> Counter[Triple]:
    """The triples of all frames."""
    seen: Counter[Triple] = Counter()
    for frame in frames:
        seen.update(triples(frame, language))
    return seen


def without_strays(lines: Sequence[Skeleton], others: Sequence[Skeleton], language: str) -> list[Skeleton]:
    """The skeletons of hand-written lines that share their turns of phrase with other frames; long texts are not looked at."""
    counts = Counts(counted(short_frames([*lines, *others], language), language))
    kept = []
    for line in lines:
        own = triples(line.text, language)
        counts.add(own, -1)
        if line.channel not in _SHORT or counts.worst(line.text, language) >= _STRAY:
            kept.append(line)
        counts.add(own)
    return kept


def tables(skeletons: Sequence[Skeleton], languages: Iterable[str]) -> dict[str, dict[str, dict[str, int]]]:
    """What ``fluency.json`` holds: for each language, what followed two tokens, and how often."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    for language in languages:
        grouped: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for (first, second, third), times in sorted(counted(short_frames(skeletons, language), language).items()):
            grouped[f"{first} {second}"][third] = times
        found[language] = grouped
    return found


def voices(skeletons: Iterable[Skeleton]) -> dict[str, dict[str, dict[str, list[str]]]]:
    """What ``voices.json`` holds: for each language and head of a brief, the voices of its frames, and what each wants."""
    found: defaultdict[str, defaultdict[str, defaultdict[str, set[Wants]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(set))
    )
    for one in skeletons:
        if one.channel in _SHORT:
            voice = voice_of(one.text, one.language)
            found[one.language][f"{one.angle}/{one.promotion}"][voice].add(_wants(one))
    return {
        language: {
            name: {voice: _fewest(wants) for voice, wants in sorted(of.items())} for name, of in sorted(heads.items())
        }
        for language, heads in found.items()
    }


def _wants(one: Skeleton) -> Wants:
    points = tuple(sorted((slot[0], wanted) for slot, wanted in one.needs.items()))
    anchor = (one.anchor or "") if "{anchor}" in one.text else ""
    return Wants(one.kind, anchor, "{brand}" in one.text, points)


def _fewest(wants: Iterable[Wants]) -> list[str]:
    """Without those that ask for more than another one does."""
    kept: list[Wants] = []
    for one in sorted(wants, key=lambda want: (len(want.points), str(want))):
        if not any(other.covers(one) for other in kept):
            kept = [other for other in kept if not one.covers(other)] + [one]
    return sorted(map(str, kept))


def main() -> None:
    """Write the counts and the voices."""
    from shelftalk.train.mixture import gather  # noqa: PLC0415  it sorts its lines with this module

    folder = Path(str(resources.files("shelftalk.core")))
    skeletons = gather().skeletons
    (folder / "fluency.json").write_bytes(orjson.dumps(tables(skeletons, LANGUAGES)) + b"\n")
    (folder / "voices.json").write_bytes(orjson.dumps(voices(skeletons)) + b"\n")


if __name__ == "__main__":
    main()
