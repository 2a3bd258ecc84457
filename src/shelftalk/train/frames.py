"""What follows what in the hand-written frames: ``python -m shelftalk.train.frames`` writes ``core/fluency.json``."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from importlib import resources
from pathlib import Path

import orjson

from shelftalk.core.brief import Channel
from shelftalk.core.fluency import Triple, tokens
from shelftalk.train.mixture import LANGUAGES, gather
from shelftalk.train.skeletons import Skeleton

_SHORT = frozenset({Channel.CARD, Channel.AD})


def short_frames(skeletons: Iterable[Skeleton], language: str) -> list[str]:
    """The texts of cards and ads, each once."""
    return list(dict.fromkeys(one.text for one in skeletons if one.language == language and one.channel in _SHORT))


def triples(frames: Iterable[str], language: str) -> Counter[Triple]:
    """Three tokens in a row, and how often."""
    found: Counter[Triple] = Counter()
    for frame in frames:
        said = tokens(frame, language)
        found.update(zip(said, said[1:], said[2:], strict=False))
    return found


def main() -> None:
    """Write the counts."""
    skeletons = gather().skeletons
    stored: dict[str, dict[str, dict[str, int]]] = {}
    for language in LANGUAGES:
        grouped: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for (first, second, third), times in sorted(triples(short_frames(skeletons, language), language).items()):
            grouped[f"{first} {second}"][third] = times
        stored[language] = grouped
    path = Path(str(resources.files("shelftalk.core"))) / "fluency.json"
    path.write_bytes(orjson.dumps(stored) + b"\n")


if __name__ == "__main__":
    main()
