"""The fact lock: which tokens may come next, so that no text states a fact that can go stale.

Allowed are words and the offered slots; digits, currency and percent signs, braces outside a slot, control characters
and special tokens are not, nor letters of another script where the text has one. The state of a text is its *unfinished
tail*: nothing, the first bytes of a character, or the beginning of a slot (``b"{pri"``). So few states exist at once that
each gets a row in a small table of masks.
"""

import codecs
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from shelftalk.engine.characters import Script, forbidden, foreign, only_foreign, risky
from shelftalk.engine.vocabulary import Vocabulary

#: Added to the logit of a forbidden token. Finite, so that infinity and NaN in a step still mean a fault.
BANNED = np.float32(-1e30)

_CONTINUATION_BYTES = range(0x80, 0xC0)


class LockState(NamedTuple):
    """Where a text stands.

    Attributes:
        slots: names that the brief offers and the text does not have yet, sorted; those with a token of their own are written once.
        tail: bytes of an unfinished character or slot.
        started: whether a token was written, so that the text may end.
        script: of the text's own letters; None for any.
    """

    slots: tuple[str, ...]
    tail: bytes = b""
    started: bool = False
    script: Script | None = None


def advance(tail: bytes, piece: bytes, spelled: Iterable[str], script: Script | None = None) -> bytes | None:
    """The unfinished tail after one more piece, or None where the piece is not allowed.

    Args:
        tail: the unfinished tail before it.
        piece: the token's bytes.
        spelled: names of the slots that may be written over several tokens.
        script: of the text.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    try:
        text = decoder.decode(tail + piece)
    except UnicodeDecodeError:
        return None
    fragment = decoder.getstate()[0]
    if fragment and (risky(fragment) or only_foreign(fragment, script)):
        return None
    words, brace, text = text.partition("{")
    while True:
        if any(map(forbidden, words)) or foreign(words, script):
            return None
        if not brace:
            return fragment
        name, closed, text = text.partition("}")
        if not closed:
            begins = not fragment and any(slot.startswith(name) for slot in spelled)
            return b"{" + name.encode() if begins else None
        if name not in spelled:
            return None
        words, brace, text = text.partition("{")


class FactLock:
    """Masks for a model's tokens.

    A slot that is one token of the model is reached by that token alone; other offered slots are spelled out, and once
    their brace is open only an offered name leads on.

    Attributes:
        table: additive masks, float32 ``[capacity, columns]``. Rows change in place.
        version: grows with every change of the table, so that a copy on a GPU knows when it is stale.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        *,
        columns: npt.NDArray[np.int32] | None = None,
        capacity: int = 32,
    ) -> None:
        """Prepare the masks.

        Args:
            vocabulary: the model's tokens.
            columns: token id of each column of the logits, where the head was pruned.
            capacity: rows of the table; at least the distinct states of one step, or a step would lose a mask.
        """
        ids = np.arange(len(vocabulary.pieces)) if columns is None else columns
        self._vocabulary = vocabulary
        self._columns: dict[int, int] = {int(token): column for column, token in enumerate(ids)}
        self._names = {token: name for name, token in vocabulary.slots.items()}
        self._by_first_byte: defaultdict[int, list[int]] = defaultdict(list)
        self._braces: list[int] = []
        for token in self._columns:
            piece = vocabulary.pieces[token]
            if piece and token not in self._names:
                self._by_first_byte[piece[0]].append(token)
                if b"{" in piece:
                    self._braces.append(token)
        self._single = {vocabulary.pieces[token] for token in self._columns}
        self._live: dict[tuple[bytes, tuple[str, ...], Script | None], bool] = {}
        self._spellable: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._plain: dict[Script | None, npt.NDArray[np.float32]] = {}
        self._finished: dict[Script | None, set[int]] = {}
        for script in (None, *Script):
            self._judge_plain_pieces(script)
        self.table = np.full((capacity, len(self._columns)), BANNED, np.float32)
        self.version = 0
        self._rows: OrderedDict[LockState, int] = OrderedDict()

    def start(self, slots: Iterable[str], script: Script | None = None) -> LockState:
        """The state of an empty text that may use these slots."""
        return LockState(tuple(sorted(set(slots))), script=script)

    def after(self, state: LockState, token: int) -> LockState:
        """The state after a token that the mask allowed.

        Raises:
            ValueError: the lock forbids this token here; a mask was not applied.
        """
        tail: bytes | None = b""
        if state.tail or token not in self._finished[state.script]:
            tail = self._tail_after(state, token)
        if tail is None:
            raise ValueError(f"token {token} is not allowed after {state}")
        slots = state.slots
        if token in self._names:  # a fact said twice is never a good text; grounding would refuse it
            slots = tuple(slot for slot in slots if slot != self._names[token])
        elif state.started and tail == state.tail:
            return state
        return LockState(slots, tail, started=True, script=state.script)

    def row(self, state: LockState) -> int:
        """The table row with the mask of this state, made if there is none; the least recently used row makes way."""
        found = self._rows.get(state)
        if found is not None:
            self._rows.move_to_end(state)
            return found
        row = len(self._rows) if len(self._rows) < len(self.table) else self._rows.popitem(last=False)[1]
        self._rows[state] = row
        self._write(row, state)
        self.version += 1
        return row

    def rows(self, states: Sequence[LockState]) -> npt.NDArray[np.int64]:
        """The table rows of a batch, int64 ``[B]``."""
        return np.fromiter((self.row(state) for state in states), np.int64, len(states))

    def _tail_after(self, state: LockState, token: int) -> bytes | None:
        vocabulary = self._vocabulary
        if token in vocabulary.end_ids:
            return b"" if state.started and not state.tail else None
        piece = vocabulary.pieces[token]
        if not piece:
            return None
        if token in self._names:
            return b"" if not state.tail and piece[1:-1].decode() in state.slots else None
        return advance(state.tail, piece, self._spelled(state.slots), state.script)

    def _write(self, row: int, state: LockState) -> None:
        """Fill a row of the table with the mask of a state."""
        mask = self.table[row]
        if state.tail:
            mask[:] = BANNED
        else:
            mask[:] = self._plain[state.script]
            for slot in state.slots:
                column = self._columns.get(self._vocabulary.slots.get(slot, -1))
                if column is not None:
                    mask[column] = 0
            if state.started:
                mask[[self._columns[token] for token in self._vocabulary.end_ids if token in self._columns]] = 0
        spelled = self._spelled(state.slots)
        for token in self._candidates(state.tail, spelled):
            if self._leads_on(state.tail, token, spelled, state.script):
                mask[self._columns[token]] = 0

    def _judge_plain_pieces(self, script: Script | None) -> None:
        """Mark the pieces that are allowed at any place between words of a text in this script, whatever the slots."""
        plain = self._plain[script] = np.full(len(self._columns), BANNED, np.float32)
        finished = self._finished[script] = set()
        for token, column in self._columns.items():
            piece = self._vocabulary.pieces[token]
            if not piece or token in self._names or b"{" in piece:
                continue
            tail = advance(b"", piece, (), script)
            if tail is not None and self._is_live(tail, (), script):
                plain[column] = 0
                if not tail:
                    finished.add(token)

    def _candidates(self, tail: bytes, spelled: tuple[str, ...]) -> list[int]:
        """The tokens worth judging after a tail: a superset of the allowed ones that the plain mask lacks."""
        if not tail:
            return self._braces if spelled else []
        if tail[:1] != b"{":
            return [token for byte in _CONTINUATION_BYTES for token in self._by_first_byte[byte]]
        begun = tail[1:].decode()
        nexts = {(name + "}")[len(begun)] for name in spelled if name.startswith(begun)}
        return [token for char in nexts for token in self._by_first_byte[ord(char)]]

    def _leads_on(self, tail: bytes, token: int, spelled: tuple[str, ...], script: Script | None) -> bool:
        """Whether a piece is allowed and the text can go on after it."""
        after = advance(tail, self._vocabulary.pieces[token] or b"", spelled, script)
        return after is not None and self._is_live(after, spelled, script)

    def _is_live(self, tail: bytes, spelled: tuple[str, ...], script: Script | None) -> bool:
        """Whether some token leads on from a tail; a pruned vocabulary may lack the continuation.

        A spelled slot is always live: `_spelled` offers only names whose every letter is a token.
        """
        if not tail or tail[:1] == b"{":
            return True
        key = (tail, spelled, script)
        if key not in self._live:
            self._live[key] = any(
                self._leads_on(tail, token, spelled, script) for token in self._candidates(tail, spelled)
            )
        return self._live[key]

    def _spelled(self, slots: tuple[str, ...]) -> tuple[str, ...]:
        """The slots that have no token of their own and whose every letter is a token, so that they can be closed."""
        found = self._spellable.get(slots)
        if found is None:
            if len(self._spellable) > 8 * len(self.table):
                self._spellable.clear()
            found = tuple(
                name
                for name in slots
                if name not in self._vocabulary.slots and all(letter.encode() in self._single for letter in name + "}")
            )
            self._spellable[slots] = found
        return found
