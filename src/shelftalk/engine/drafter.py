"""Guesses of the next few tokens, for the model to confirm all at once. Pure; a wrong guess costs time, never a word.

A guess knows two things. A text may go on as its prompt does after the same words: cards name the brief's points. And it may
go on as earlier texts did after the same tokens, above all texts whose prompts began alike: cards share openings and closings.
The distributions are interpolated, the longer likeness over the shorter (Witten and Bell 1991, with a constant doubt).
"""

from collections.abc import Iterator, Sequence

from shelftalk.engine.vocabulary import Vocabulary

#: The most tokens guessed at a time. Most guesses are shorter: they end where all of them being right is unlikely.
DEPTH = 7

#: A token more in a pass costs about a fifteenth of the pass; a guess this likely to be reached and right still pays.
_WORTH = 0.15

#: Tokens of the longest likeness that is looked for.
_ORDER = 5

#: A prompt's first tokens, by which texts of a kind are told: the chat's opening, channel and reason.
_SCENE_TOKENS = 7

#: Of the likenesses, these are also looked for among texts of the same kind.
_SCENE_ORDER = 2

#: How often what the prompt says after one, two, three equal words is what the text says too.
_COPIED = (0.35, 0.8, 0.9)

#: So many times a context must have been seen before it counts as much as all that is shorter.
_DOUBT = 4.0

#: Continuations kept of a context, the first ones that came.
_KEPT = 16

#: Stands for the beginning of a text.
_START = -1

#: Contexts remembered, some 20 MB; then everything is forgotten, and learned anew within some hundred texts.
MOST_CONTEXTS = 1 << 16

_Context = tuple[Sequence[int], ...]


class Drafter:
    """Guesses, and learns from every finished text.

    The constants were chosen on 200 greedy texts of the line model: passes times what a pass costs on two cores.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._seen: dict[_Context, dict[int, int]] = {}
        # "Fringed", " fringed" and "fringed" are one word here.
        self._words = [(piece or b"").strip().lower() for piece in vocabulary.pieces]

    def learn(self, prompt: Sequence[int], tokens: Sequence[int]) -> None:
        """Remember a finished text, its end token included."""
        if len(self._seen) > MOST_CONTEXTS:
            self._seen.clear()
        text = (_START, *tokens)
        scene = tuple(prompt[:_SCENE_TOKENS])
        for place in range(1, len(text)):
            for context in _contexts(scene, text[max(0, place - _ORDER) : place]):
                followed = self._seen.get(context)
                if followed is None:
                    self._seen[context] = {text[place]: 1}
                elif text[place] in followed or len(followed) < _KEPT:
                    followed[text[place]] = followed.get(text[place], 0) + 1

    def guess(self, prompt: Sequence[int], tokens: Sequence[int], most: int = DEPTH) -> list[int]:
        """The likely continuation of a text, as far as it is likely enough.

        Args:
            prompt: token ids.
            tokens: of the text so far; none of a text that is about to begin.
            most: tokens to guess.
        """
        text = [_START, *tokens]
        places = self._places(prompt)
        right = 1.0
        while len(text) <= len(tokens) + most:
            chances = self._chances(prompt, places, text)
            likeliest = max(chances, key=chances.__getitem__, default=_START)
            right *= chances.get(likeliest, 0.0)
            if right < _WORTH:
                break
            text.append(likeliest)
        return text[len(tokens) + 1 :]

    def _places(self, prompt: Sequence[int]) -> dict[bytes, list[int]]:
        """Where each word stands that has something after it."""
        places: dict[bytes, list[int]] = {}
        for place, token in enumerate(prompt[:-1]):
            if self._words[token]:
                places.setdefault(self._words[token], []).append(place)
        return places

    def _chances(self, prompt: Sequence[int], places: dict[bytes, list[int]], text: Sequence[int]) -> dict[int, float]:
        """How likely each token is to come next, as far as anything is known."""
        chances = self._copied(prompt, places, text)
        for context in _contexts(tuple(prompt[:_SCENE_TOKENS]), tuple(text[-_ORDER:])):
            followed = self._seen.get(context)
            if followed is None:
                continue
            all_told = sum(followed.values()) + _DOUBT
            chances = {token: chance * _DOUBT / all_told for token, chance in chances.items()}
            for token, count in followed.items():
                chances[token] = chances.get(token, 0.0) + count / all_told
        return chances

    def _copied(self, prompt: Sequence[int], places: dict[bytes, list[int]], text: Sequence[int]) -> dict[int, float]:
        """What the prompt says after the text's last words; after the most of them, the likeliest."""
        words = [self._words[token] if token != _START else b"" for token in text[-len(_COPIED) :]]
        found: dict[int, float] = {}
        for place in places.get(words[-1], ()) if words[-1] else ():
            equal = 1
            while equal < min(len(words), place + 1) and words[-1 - equal] == self._words[prompt[place - equal]] != b"":
                equal += 1
            token = prompt[place + 1]
            found[token] = max(found.get(token, 0.0), _COPIED[equal - 1])
        left = 1.0
        for token in sorted(found, key=found.__getitem__, reverse=True):
            found[token] *= left
            left -= found[token]
        return found


def _contexts(scene: tuple[int, ...], newest: tuple[int, ...]) -> Iterator[_Context]:
    """What a text's next token is likely to depend on, of its newest tokens, the weakest first."""
    for length in range(1, len(newest) + 1):
        last = newest[-length:]
        yield (last,)
        if length <= _SCENE_ORDER:
            yield (last, scene)
