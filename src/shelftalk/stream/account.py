"""Accounts of inputs: what must be done before their offsets may be committed."""

from collections.abc import Callable, Iterable
from typing import Protocol


class Entry(Protocol):
    """One input's account: it is settled when every hold is done."""

    @property
    def forgotten(self) -> bool:
        """Whether its partition was taken away: another worker has the input now."""

    def hold(self) -> None:
        """Something more is owed."""

    def done(self) -> None:
        """One hold less."""

    def fail(self, error: Exception) -> None:
        """One hold that cannot be done."""


class Together:
    """Many inputs that one piece of work answers: each is held once, and let go when all of the work is done.

    A storm of a thousand price changes to a product with a thousand live cards would otherwise be a million holds.
    """

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._entries: list[Entry] = []
        self._holds = 1
        self._failed = False
        self.add(entries)

    def add(self, entries: Iterable[Entry]) -> None:
        """More inputs that the same work answers."""
        for entry in entries:
            entry.hold()
            self._entries.append(entry)

    @property
    def forgotten(self) -> bool:
        """Whether the partition of every one of them was taken away."""
        return bool(self._entries) and all(entry.forgotten for entry in self._entries)

    def hold(self) -> None:
        """Something more is owed."""
        self._holds += 1

    def done(self) -> None:
        """One hold less."""
        self._holds -= 1
        if self._holds == 0 and not self._failed:
            for entry in self._entries:
                entry.done()

    def fail(self, error: Exception) -> None:
        """One hold that cannot be done: each of the inputs fails, once."""
        self._holds -= 1
        if not self._failed:
            self._failed = True
            for entry in self._entries:
                entry.fail(error)


class Then:
    """The account of inputs with something to do when all else is done for them, and before they are settled.

    It begins with one hold, that of whoever made it.
    """

    def __init__(self, entries: Iterable[Entry], action: Callable[[], None]) -> None:
        self._together = Together(entries)
        self._action = action
        self._holds = 1
        self._failed = False

    @property
    def forgotten(self) -> bool:
        """Whether the partition of every one of them was taken away."""
        return self._together.forgotten

    def hold(self) -> None:
        """Something more is owed."""
        self._holds += 1

    def done(self) -> None:
        """One hold less."""
        self._holds -= 1
        if self._holds == 0 and not self._failed:
            try:
                if not self.forgotten:
                    self._action()
            except Exception as error:  # noqa: BLE001  whoever delivers is not to stumble over what an input still wants
                self._failed = True
                self._together.fail(error)
            else:
                self._together.done()

    def fail(self, error: Exception) -> None:
        """One hold that cannot be done: the inputs fail, and the action never comes."""
        self._holds -= 1
        if not self._failed:
            self._failed = True
            self._together.fail(error)


Turn = Callable[[Entry], None]


def in_turn(entry: Entry, first: Turn, *others: Turn) -> None:
    """Take steps one after another: each is called with the account of what it causes, and the next when all that is delivered.

    Args:
        entry: is held until the last step's are, too; once it is forgotten, no further step is taken.
            It fails with a step that does.
        first: the step to take now.
        others: those that follow.
    """
    if not others:
        first(entry)
        return
    account = Then((entry,), lambda: in_turn(entry, *others))
    try:
        first(account)
    except Exception as error:  # noqa: BLE001  the account would hold its input for ever
        account.fail(error)
    else:
        account.done()
