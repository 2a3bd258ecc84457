"""The backlog: products with live cards to refresh, each in turns, and the inputs that wait for it."""

from collections.abc import Callable, Iterable, Sequence

import msgspec

from shelftalk.stream.account import Entry, Together


class Behind(msgspec.Struct):
    """A product with live cards to refresh.

    Attributes:
        left: the cards to go in this pass, the next one last; settled when the pass starts.
        account: of the inputs that this pass answers.
        again: publish even what did not change.
        started: whether inputs that come now need another pass.
        following: the account of that pass, if there is to be one.
        following_again: its `again`.
    """

    account: Together
    again: bool
    left: list[str] = msgspec.field(default_factory=list)
    started: bool = False
    following: Together | None = None
    following_again: bool = False

    def some(self, most: int) -> list[str]:
        """The next cards of this pass, at most so many."""
        some = self.left[-most:][::-1]
        del self.left[-most:]
        return some


class Backlog:
    """A storm of marks is two passes over a product's cards at most."""

    def __init__(self) -> None:
        self._behind: dict[str, Behind] = {}

    def __len__(self) -> int:
        return len(self._behind)

    def mark(self, sku: str, owed_by: Sequence[Entry], *, again: bool) -> bool:
        """Every live card of the product is to be looked at again.

        Returns:
            Whether it was on the list already.
        """
        behind = self._behind.get(sku)
        if behind is None:
            self._behind[sku] = Behind(Together(owed_by), again)
            return False
        if not behind.started:
            behind.account.add(owed_by)
            behind.again |= again
            return True
        # The cards to go will be made from the newest facts anyway; those that are done need another pass. It comes after
        # this one, so that a storm without end cannot keep the oldest cards waiting for ever.
        behind.following = behind.following or Together()
        behind.following.add(owed_by)
        behind.following_again |= again
        return True

    def turn(self, cards_of: Callable[[str], Iterable[str]]) -> tuple[str, Behind]:
        """The next product, which goes to the end of the line; its pass begins if it had not."""
        sku = next(iter(self._behind))
        behind = self._behind[sku] = self._behind.pop(sku)
        if not behind.started:
            behind.started, behind.left = True, list(cards_of(sku))
        return sku, behind

    def passed(self, sku: str, behind: Behind) -> None:
        """A pass is done, and what waited for it is settled."""
        del self._behind[sku]
        if behind.following is not None:
            self._behind[sku] = Behind(behind.following, behind.following_again)
        behind.account.done()

    def forget(self, sku: str) -> None:
        """It is another worker's."""
        self._behind.pop(sku, None)
