"""Guesses of the next few tokens, for the model to confirm all at once. Pure; a wrong guess costs time, never a word.

A guess weighs what followed the same one to four tokens in texts written before, and, where the text has just repeated a
word of its prompt, what follows that word there: cards share openings and closings, and name the brief's points.
"""

from collections import Counter
from collections.abc import Sequence

from shelftalk.engine.vocabulary import Vocabulary

#: Tokens guessed at a time. With the line model a pass of 4 tokens takes 1.2 times a pass of 1 and brings 1.8 tokens;
#: one of 6 takes 1.3 times and brings 1.9 (384 briefs; half of them had been written before the count began).
DEPTH = 3

#: What followed one, two, three, four equal tokens counts so much: the longer the likeness, the surer.
_WEIGHTS = (0.15, 0.5, 1.0, 1.5)

#: What follows a word of the prompt, and what follows two.
_COPY, _COPY_PAIR = 0.3, 0.6

#: A continuation seen once may be chance: ``n / (all + 0.5)`` of its context's weight.
_DOUBT = 0.5

#: Stands for the beginning of a text.
_START = -1

#: Contexts remembered, some 20 MB; then everything is forgotten, and learned anew within some hundred texts.
MOST_CONTEXTS = 1 << 16


class Drafter:
    """Guesses, and learns from every finished text."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._seen: dict[tuple[int, ...], Counter[int]] = {}
        # "Fringed", " fringed" and "fringed" are one word here.
        self._words = [(piece or b"").strip().lower() for piece in vocabulary.pieces]

    def learn(self, tokens: Sequence[int]) -> None:
        """Remember a finished text, its end token included."""
        if len(self._seen) > MOST_CONTEXTS:
            self._seen.clear()
        text = [_START, *tokens]
        for place in range(1, len(text)):
            for length in range(1, min(place, len(_WEIGHTS)) + 1):
                context = tuple(text[place - length : place])
                self._seen.setdefault(context, Counter())[text[place]] += 1

    def guess(self, prompt: Sequence[int], tokens: Sequence[int], most: int = DEPTH) -> list[int]:
        """The likely continuation of a text, as far as there is one.

        Args:
            prompt: token ids.
            tokens: of the text so far, at least one.
            most: tokens to guess.
        """
        text = [_START, *tokens]
        places = self._places(prompt)
        while len(text) <= len(tokens) + most:
            following = self._following(prompt, places, text)
            if following is None:
                break
            text.append(following)
        return text[len(tokens) + 1 :]

    def _places(self, prompt: Sequence[int]) -> dict[bytes, int]:
        """The last place of each word that has something after it."""
        return {self._words[token]: place for place, token in enumerate(prompt[:-1]) if self._words[token]}

    def _following(self, prompt: Sequence[int], places: dict[bytes, int], text: Sequence[int]) -> int | None:
        scores: dict[int, float] = {}
        for length, weight in enumerate(_WEIGHTS[: len(text)], start=1):
            seen = self._seen.get(tuple(text[-length:]))
            if seen is None:  # nor was any longer context seen
                break
            total = seen.total() + _DOUBT
            for token, count in seen.most_common(4):
                scores[token] = scores.get(token, 0.0) + weight * count / total
        place = places.get(self._words[text[-1]]) if text[-1] != _START else None
        if place is not None:
            pair = len(text) > 2 and place > 0 and self._words[prompt[place - 1]] == self._words[text[-2]]  # noqa: PLR2004
            copied = prompt[place + 1]
            scores[copied] = scores.get(copied, 0.0) + (_COPY_PAIR if pair else _COPY)
        return max(scores, key=scores.__getitem__, default=None)
