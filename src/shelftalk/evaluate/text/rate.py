"""Blind rating: two texts for one brief, nobody says whose, and a count with its uncertainty at the end.

In the terminal (`rate`), or on a sheet for a judge who sits elsewhere: `sheet` and `key` part the texts from their names, `tally`
puts the answers and the names together again.
"""

import json
import math
import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from shelftalk.errors import ConfigError

#: Of the normal distribution at 97.5 %: a 95 % interval.
_Z = 1.959963984540054


class Pair(NamedTuple):
    """Two texts, in the order in which they are shown."""

    brief: str
    left: str
    right: str
    left_name: str
    right_name: str


#: Judges who see no difference.
EVEN = 0.5


class Verdict(msgspec.Struct, frozen=True):
    """How often ``first`` won against ``second``, ties as half a win each, with the 95 % interval of the rate."""

    first: str
    second: str
    ratings: int
    rate: float
    low: float
    high: float

    @property
    def decides(self) -> bool:
        """Whether chance alone would not have it so."""
        return not self.low <= EVEN <= self.high


def wilson(wins: float, ratings: int) -> tuple[float, float]:
    """Wilson's score interval (1927) of a rate, 95 %."""
    if ratings == 0:
        return 0.0, 1.0
    rate, square = wins / ratings, _Z * _Z
    middle = (rate + square / (2 * ratings)) / (1 + square / ratings)
    half = _Z * math.sqrt(rate * (1 - rate) / ratings + square / (4 * ratings**2)) / (1 + square / ratings)
    return max(0.0, middle - half), min(1.0, middle + half)


def pairs_of(texts: Path, first: str, second: str, count: int, seed: int, *, group: str = "") -> list[Pair]:
    """Pairs to rate from what ``evaluate text`` wrote (``texts.jsonl``), sides drawn by the seed; equal texts are left out.

    Args:
        texts: the file.
        first: whose texts.
        second: against whose.
        count: at most so many pairs.
        seed: which ones, and which side.
        group: only of groups whose name holds this.

    Raises:
        ConfigError: the file has no text of one of the two.
    """
    by_brief: dict[str, dict[str, str]] = {}
    for row in texts.read_text(encoding="utf-8").splitlines():
        loaded: dict[str, Any] = json.loads(row)
        if group not in loaded["group"]:
            continue
        by_brief.setdefault(loaded["brief"], {})[loaded["who"]] = loaded["text"]
    both = [
        (brief, who) for brief, who in by_brief.items() if {first, second} <= who.keys() and who[first] != who[second]
    ]
    if not both:
        names = sorted({name for who in by_brief.values() for name in who})
        raise ConfigError(
            f"{texts} has no brief with different texts of {first!r} and {second!r}; it has {', '.join(names)}"
        )
    rng = random.Random(seed)
    pairs = []
    for brief, who in rng.sample(both, min(count, len(both))):
        left, right = rng.sample((first, second), 2)
        pairs.append(Pair(brief, who[left], who[right], left, right))
    return pairs


def rate(pairs: Sequence[Pair], ask: Callable[[str], str], say: Callable[[str], None], log: Path) -> Counter[str]:
    """Ask a person about each pair; every answer is in the log at once, so that a rating may be broken off.

    Returns:
        Wins by name, and ties under ``""``.
    """
    wins: Counter[str] = Counter()
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as file:
        for number, pair in enumerate(pairs, start=1):
            say(f"\n{number} of {len(pairs)}   {pair.brief}\n\n  1  {pair.left}\n  2  {pair.right}\n")
            answer = ""
            while answer not in {"1", "2", "0", "q"}:
                answer = ask("Which would you print? 1, 2, 0 for neither or both, q to stop: ").strip().lower()
            if answer == "q":
                break
            winner = {"1": pair.left_name, "2": pair.right_name, "0": ""}[answer]
            wins[winner] += 1
            file.write(json.dumps({**pair._asdict(), "winner": winner}, ensure_ascii=False) + "\n")
            file.flush()
    return wins


def sheet(pairs: Sequence[Pair]) -> list[dict[str, Any]]:
    """What a judge sees: a number, the product and two texts, ``a`` and ``b``; nothing says who wrote which."""
    return [
        {"pair": number, "product": _FOR_WHOM.sub("", pair.brief), "a": pair.left, "b": pair.right}
        for number, pair in enumerate(pairs, start=1)
    ]


#: What a brief says of the reason, and where the line was written: a judge reads the product.
_FOR_WHOM = re.compile(r" \[.*$")


def key(pairs: Sequence[Pair]) -> list[dict[str, Any]]:
    """Whose the texts of a `sheet` are."""
    return [{"pair": number, "a": pair.left_name, "b": pair.right_name} for number, pair in enumerate(pairs, start=1)]


def tally(answers: Path, names: Path) -> Counter[str]:
    """Wins by name, and ties under ``""``, from a judge's answers and the key.

    Args:
        answers: JSONL, a row a pair: ``{"pair": 1, "better": "a"}``; ``b``, or anything else for neither;
            more fields may stand there.
        names: the key, as JSONL.

    Raises:
        ConfigError: a row is something else, a pair is not in the key or was answered twice.
    """
    whose = {row["pair"]: row for row in map(json.loads, names.read_text(encoding="utf-8").splitlines())}
    wins: Counter[str] = Counter()
    seen: set[int] = set()
    for number, row in enumerate(answers.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            answer = json.loads(row)
            pair, better = answer["pair"], str(answer["better"]).strip().lower()
            of = whose[pair]
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f'{answers}:{number}: wants {{"pair": N, "better": "a"}} with a pair of {names}: {error!r}'
            ) from error
        if pair in seen:
            raise ConfigError(f"{answers}:{number}: pair {pair} was answered before")
        seen.add(pair)
        wins[of[better] if better in {"a", "b"} else ""] += 1
    return wins


def verdict(first: str, second: str, wins: Counter[str]) -> Verdict:
    """The rate at which ``first`` won."""
    ratings = wins[first] + wins[second] + wins[""]
    won = wins[first] + wins[""] / 2
    low, high = wilson(won, ratings)
    return Verdict(first, second, ratings, won / ratings if ratings else 0.0, low, high)
