"""How well the guard tells bad texts from good ones: recall and precision on hand-written corpora.

``guard/bad.<language>.jsonl`` holds texts that nobody may print, each with the reason that the guard should give;
``guard/good.<language>.jsonl`` holds honest ones, many of them close to the line. A row is a text and what its brief holds
(`Case`); add a row wherever the guard was wrong. The lists are tuned on these, so they say that nothing known slips through.
``guard/held-out.<language>.jsonl`` has both kinds, about other products, and the lists were never changed after a look at it: it
says what lists do with what they have not seen. Never mend the guard for a row of it; write new rows if you must look.
"""

from collections import Counter
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import msgspec

from shelftalk.core.brief import LANGUAGES, Angle, Brief, Channel, Promotion, Tone
from shelftalk.core.guard import Outcome, judge
from shelftalk.core.prompt import DEFAULT_VARIANT
from shelftalk.core.review import review
from shelftalk.errors import ConfigError

#: How names of corpora end whose texts nobody is shown.
HELD_OUT = "held out"


class Case(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A text and its brief.

    Attributes:
        reason: the code that the guard should give (``"superlative"``, ``"claim"``, ...); ``None`` for a good text.
    """

    text: str
    kind: str
    points: tuple[str, ...] = ()
    locale: str = "en-GB"
    reason: str | None = None
    promotion: Promotion = Promotion.NONE
    channel: Channel = Channel.CARD
    angle: Angle = Angle.INTRODUCE
    anchor: str | None = None
    branded: bool = True

    def brief(self) -> Brief:
        """What the text was written for."""
        return Brief(
            sku="",
            kind=self.kind,
            points=self.points,
            channel=self.channel,
            angle=self.angle,
            anchor=self.anchor,
            promotion=self.promotion,
            tone=Tone.PLAIN,
            branded=self.branded,
            locale=self.locale,
            variant=DEFAULT_VARIANT,
            model="",
        )


class Wrong(msgspec.Struct, frozen=True):
    """A text that the guard judged wrongly, what was expected, and its verdict."""

    text: str
    expected: str
    outcome: Outcome
    reasons: tuple[str, ...]


class Score(msgspec.Struct):
    """What the guard did with a corpus.

    Attributes:
        bad: bad texts; `stopped` of them were rejected or held, `for_the_reason` with the expected reason among those given.
        reviewed: bad texts that a model could not get printed: stopped by the guard, or by the rules for what a model writes.
        good: good texts; `passed` of them passed.
    """

    bad: int = 0
    stopped: int = 0
    for_the_reason: int = 0
    reviewed: int = 0
    good: int = 0
    passed: int = 0
    by_reason: Counter[str] = msgspec.field(default_factory=Counter)
    wrong: list[Wrong] = msgspec.field(default_factory=list)

    @property
    def recall(self) -> float:
        """The share of bad texts that are stopped."""
        return self.stopped / self.bad if self.bad else 1.0

    @property
    def precision(self) -> float:
        """The share of stopped texts that are bad."""
        stopped = self.stopped + self.good - self.passed
        return self.stopped / stopped if stopped else 1.0

    def figures(self) -> dict[str, object]:
        """For a report."""
        return {
            "bad": self.bad,
            "stopped": self.stopped,
            "for_the_reason": self.for_the_reason,
            "recall": round(self.recall, 4),
            "reviewed": self.reviewed,
            "good": self.good,
            "passed": self.passed,
            "precision": round(self.precision, 4),
        }


def read_cases(path: Path) -> Iterator[Case]:
    """The cases of a file.

    Raises:
        ConfigError: a line is no case; the message names file and line.
    """
    decoder = msgspec.json.Decoder(Case)
    for number, row in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if row.strip():
            try:
                yield decoder.decode(row)
            except msgspec.MsgspecError as error:
                raise ConfigError(f"{path.name}:{number}: {error}") from error


def corpus(language: str) -> list[Case]:
    """The cases that the guard was tuned on, bad ones first."""
    return [*_cases(f"bad.{language}.jsonl"), *_cases(f"good.{language}.jsonl")]


def held_out(language: str) -> list[Case]:
    """The cases that it was not tuned on."""
    return _cases(f"held-out.{language}.jsonl")


def corpora_that_come() -> dict[str, list[Case]]:
    """All of them, by name."""
    tuned = {f"{tag}, tuned on": corpus(tag) for tag in LANGUAGES}
    return tuned | {f"{tag}, {HELD_OUT}": held_out(tag) for tag in LANGUAGES}


def _cases(name: str) -> list[Case]:
    with resources.as_file(resources.files("shelftalk.evaluate") / "guard" / name) as path:
        return list(read_cases(path))


def evaluate_guard(cases: list[Case]) -> Score:
    """Have the guard judge every case."""
    score = Score()
    for case in cases:
        verdict = judge(case.brief(), case.text)
        stopped = verdict.outcome is not Outcome.PASS
        codes = {reason.partition(":")[0] for reason in verdict.reasons}
        if case.reason is None:
            score.good += 1
            score.passed += not stopped
        else:
            score.bad += 1
            score.stopped += stopped
            score.reviewed += review(case.brief(), case.text).outcome is not Outcome.PASS
            score.for_the_reason += case.reason in codes
            score.by_reason[case.reason] += stopped
        if stopped != (case.reason is not None) or (case.reason is not None and case.reason not in codes):
            score.wrong.append(Wrong(case.text, case.reason or "pass", verdict.outcome, verdict.reasons))
    return score
