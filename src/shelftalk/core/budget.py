"""The budget for words: what keeps the cost of texts in proportion to what happens, however many reasons there are."""


class Budget:
    """A token bucket that events fill, and time a little. A text costs a token.

    Events say how much is going on: a shop with ten times the traffic may write ten times as much, and none more than its share.
    Time lets a quiet shop write at all. Not persisted: a worker that starts has its whole allowance.

    Args:
        per_event: texts that an event pays for.
        per_s: texts that a second pays for.
        at_once: texts that can be saved up, and that there are in the beginning.
    """

    #: This part is kept for shoppers who wait; copy for everybody has a phrase, and nobody waits for it.
    _RESERVE = 0.25

    def __init__(self, per_event: float, per_s: float, at_once: int) -> None:
        self._per_event, self._per_ms, self._at_once = per_event, per_s / 1000, at_once
        self._left = float(at_once)
        self._paid_ms: int | None = None

    def event(self) -> None:
        """Something happened."""
        self._left = min(self._left + self._per_event, self._at_once)

    def spend(self, now_ms: int, *, urgent: bool) -> bool:
        """Pay for a text.

        Args:
            now_ms: the time; a clock that goes back pays nothing.
            urgent: whether a shopper waits for it.

        Returns:
            Whether there was enough; if not, nothing is spent.
        """
        if self._paid_ms is not None:
            self._left = min(self._left + max(now_ms - self._paid_ms, 0) * self._per_ms, self._at_once)
        self._paid_ms = max(now_ms, self._paid_ms or 0)
        if self._left < 1 + (0 if urgent else self._RESERVE * self._at_once):
            return False
        self._left -= 1
        return True

    def charge(self) -> None:
        """Take a token for what has to be paid whether there is enough or not: a text that the guard refused is tried again."""
        self._left -= 1
