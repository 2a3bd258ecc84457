"""The review of what a model wrote: the guard, then the stricter rules that people's lines need not pass."""

from shelftalk.core.brief import Brief
from shelftalk.core.fluency import stumbles
from shelftalk.core.grounding import ungrounded
from shelftalk.core.guard import Outcome, Verdict, judge
from shelftalk.core.style import tics


def review(brief: Brief, text: str) -> Verdict:
    """Whether a model's text may be kept: what the guard forbids, what the brief does not hold, and what nobody would write so."""
    verdict = judge(brief, text)
    if verdict.outcome is Outcome.REJECT:
        return verdict
    problems = ungrounded(brief, text) or tics(brief, text) or stumbles(brief, text)
    return Verdict(Outcome.REJECT, tuple(problems)) if problems else verdict
