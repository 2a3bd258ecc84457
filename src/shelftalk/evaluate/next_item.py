"""``shelftalk evaluate next-item``: a log is replayed in the order of its time, and each method says what comes next.

Rules, the same for every method:

- The log is replayed row by row. At each step of a session to another product, every method has ranked what may come next, knowing
  only what happened before; then it learns the step. Rows before the split are for learning only.
- A row about the product that the session is at already (a reload, a purchase of what was just viewed) is no step: every method
  may learn from it, none is asked to foretell it, and no list holds the product itself.
- A step back to a product seen earlier in the session counts in the first table and not in the second, whose lists hold no
  product of the session.
"""

from collections.abc import Callable, Iterable, Mapping
from itertools import islice

import msgspec

from shelftalk.evaluate.method import Method, Session
from shelftalk.evaluate.score import CUTS, Score
from shelftalk.events.log_events import Row

#: Sessions that are remembered at one time: more than are open at once in any shop. The longest silent one goes.
MAX_SESSIONS = 200_000

#: A list must still be full when the products of a session are taken out of it; of longer sessions the latest count.
_MARGIN = 20


class Outcome(msgspec.Struct):
    """What a replay found.

    Attributes:
        learned: rows that came before the split.
        scored: rows after it.
        steps: by method, lists against the next step.
        new: likewise, but only where the next product is new to the session.
    """

    learned: int = 0
    scored: int = 0
    steps: dict[str, Score] = msgspec.field(default_factory=dict)
    new: dict[str, Score] = msgspec.field(default_factory=dict)


def replay(
    rows: Iterable[tuple[Row, bool]],
    methods: Mapping[str, Method],
    *,
    stride: int = 1,
    on_row: Callable[[int], None] = lambda _: None,
) -> Outcome:
    """Replay a log.

    Args:
        rows: in order of time, each with whether it is to be foretold, not only learned from.
        methods: by name.
        stride: score every so many-th session; the others are replayed and learned from only.
        on_row: told of the rows so far.
    """
    outcome = Outcome(steps={name: Score() for name in methods}, new={name: Score() for name in methods})
    sessions: dict[str, Session] = {}
    number_of: dict[str, int] = {}
    for number, (row, foretell) in enumerate(rows):
        key = row.session or row.user_id
        session = sessions.pop(key, None) or Session(key)
        sessions[key] = session  # the latest stands last
        if len(sessions) > MAX_SESSIONS:
            gone = next(iter(sessions))
            del sessions[gone]
            number_of.pop(gone, None)
        outcome.scored += foretell
        outcome.learned += not foretell
        onward = foretell and session.steps and session.current.product_id != row.product_id
        if onward and number_of.setdefault(key, len(number_of)) % stride == 0:
            _judge(outcome, methods, session, row)
        for method in methods.values():
            method.learn(row, session)
        session.add(row)
        on_row(number + 1)
    return outcome


def _judge(outcome: Outcome, methods: Mapping[str, Method], session: Session, row: Row) -> None:
    fresh = row.product_id not in session.seen
    for name, method in methods.items():
        ranked = method.rank(session, row.at_ms, CUTS[-1] + min(len(session.seen), _MARGIN))
        outcome.steps[name].add(ranked, row.product_id)
        if fresh:
            unseen = islice((sku for sku in ranked if sku not in session.seen), CUTS[-1])
            outcome.new[name].add(list(unseen), row.product_id)
