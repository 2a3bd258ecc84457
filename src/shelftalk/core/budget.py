"""The budget for words: what keeps the cost of texts in proportion to what happens, however many reasons there are."""


class Budget:
    """A token bucket that events fill, or time where little happens. A text costs a token.

    Events say how much is going on: a shop with ten times the traffic may write ten times as much, and none more than its share.
    Time lets a quiet shop write at all; it pays what events have not, so that a busy shop has nothing of it. Seconds and savings
    are the whole deployment's: a worker has the part of them that it has of all partitions, so that ten workers write no more than
    one. Nothing of it is persisted.

    Args:
        per_event: texts that an event pays for.
        per_s: texts that a second pays for at least, in the whole deployment.
        at_once: texts that can be saved up in the whole deployment, and that there are in the beginning.
    """

    #: These parts are kept: of what is written at leisure for shoppers who wait, since copy for everybody has a phrase and nobody
    #: waits for it; of what is written ahead for both.
    _FOR_SHOPPERS, _FOR_NOW = 0.25, 0.5

    def __init__(self, per_event: float, per_s: float, at_once: int) -> None:
        self._per_event, self._per_ms, self._at_once = per_event, per_s / 1000, at_once
        self._left = 0.0
        self._by_events = 0.0  # paid by events, and not yet set against time
        self._share = self._granted = 0.0
        self._paid_ms: int | None = None

    def share(self, share: float) -> None:
        """Have this part of the whole from now on; none in the beginning.

        What a worker gives up takes its part of the savings along. What it takes brings savings only the first time that it has so
        much: those of before went with whoever had it, and partitions that go to and fro earn nothing by it.

        Args:
            share: 0 to 1: partitions of ours among all.
        """
        if share < self._share and self._left > 0:
            self._left *= share / self._share
        elif share > self._granted:
            self._left += (share - self._granted) * self._at_once
            self._granted = share
        self._share = share

    def event(self, now_ms: int) -> None:
        """Something happened."""
        self._pass(now_ms)
        self._left = min(self._left + self._per_event, self._most)
        # A second's worth is set against time at most: a rush does not make the quiet hour after it poorer.
        self._by_events = min(self._by_events + self._per_event, 1_000 * self._per_ms * self._share)

    def spend(self, now_ms: int, *, urgent: bool, ahead: bool = False) -> bool:
        """Pay for a text.

        Args:
            now_ms: the time; a clock that goes back pays nothing.
            urgent: whether a shopper waits for it.
            ahead: whether it is for a moment that may never come.

        Returns:
            Whether there was enough; if not, nothing is spent.
        """
        self._pass(now_ms)
        kept = 0.0 if urgent else self._FOR_NOW if ahead else self._FOR_SHOPPERS
        if self._left < 1 + kept * self._most:
            return False
        self._left -= 1
        return True

    def charge(self) -> None:
        """Take a token for what has to be paid whether there is enough or not: a text that the guard refused is tried again."""
        self._left -= 1

    def _pass(self, now_ms: int) -> None:
        """Time pays what events have not."""
        if self._paid_ms is not None:
            by_time = max(now_ms - self._paid_ms, 0) * self._per_ms * self._share
            self._left = min(self._left + max(by_time - self._by_events, 0.0), self._most)
            self._by_events = max(self._by_events - by_time, 0.0)
        self._paid_ms = max(now_ms, self._paid_ms or 0)

    @property
    def _most(self) -> float:
        """What can be saved up: a text at least, however small the share."""
        return max(self._share * self._at_once, 1.0)
