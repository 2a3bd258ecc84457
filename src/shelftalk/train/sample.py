"""Text from the torch model, for a person to read. The runtime's own generator is elsewhere; this one is simple."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own habit)
from torch import Tensor

from shelftalk.train.llama import Cache, Llama, rotary


def nucleus(scores: Tensor, temperature: float, top_p: float, generator: torch.Generator) -> Tensor:
    """Draw one token a row, ``[B, V']`` to ``[B]``; temperature 0 takes the most likely."""
    if temperature == 0:
        return scores.argmax(-1)
    chance, order = (scores / temperature).softmax(-1).sort(descending=True)
    # The token that crosses top_p is kept: something always is.
    chance = chance.masked_fill(chance.cumsum(-1) - chance > top_p, 0.0)
    return order.gather(1, torch.multinomial(chance, 1, generator=generator))[:, 0]


@torch.no_grad()
def generate(
    model: Llama,
    prompts: Sequence[Sequence[int]],
    *,
    end: int,
    allowed: Sequence[Sequence[int]] | None = None,
    banned_from: Sequence[int] = (),
    limit: int = 110,
    temperature: float = 0.7,
    top_p: float = 0.9,
    seed: int = 0,
) -> list[list[int]]:
    """Continue each prompt until its end token.

    Args:
        model: base with its adapter.
        prompts: token ids.
        end: the token that ends a text.
        allowed: for each prompt, which of ``banned_from`` it may write nevertheless (its brief's slots).
        banned_from: tokens that are forbidden unless allowed (every slot).
        limit: tokens a text, at most.
        temperature: 0 is greedy.
        top_p: share of the probability that is drawn from.
        seed: of the draws.
    """
    model.eval()
    config, rows = model.config, len(prompts)
    lengths = torch.tensor([len(prompt) for prompt in prompts])
    ids = torch.nn.utils.rnn.pad_sequence([torch.tensor(prompt) for prompt in prompts], batch_first=True)
    room = ids.shape[1] + limit
    shape = (rows, config.kv_heads, room, config.head_dim)
    cache: Cache = [(torch.zeros(shape), torch.zeros(shape)) for _ in range(config.layers)]
    generator = torch.Generator().manual_seed(seed)
    penalty = torch.zeros(rows, len(model.head_ids))
    if banned_from:
        for row in range(rows):
            denied = sorted(set(banned_from) - set(allowed[row] if allowed else ()))
            penalty[row, torch.searchsorted(model.head_ids, torch.tensor(denied, dtype=torch.long))] = -torch.inf

    def run(tokens: Tensor, at: Tensor) -> Tensor:
        cos, sin = rotary(config, at)
        mask = (torch.arange(room) <= at[:, :, None])[:, None]
        x = F.embedding(tokens, model.embedding)
        for block, cached in zip(model.blocks, cache, strict=True):
            x = block(x, (cos[:, None], sin[:, None]), mask, cached, at)
        return x

    x = run(ids, torch.arange(ids.shape[1]).expand(rows, -1))
    hidden = x[torch.arange(rows), lengths - 1]
    texts: list[list[int]] = [[] for _ in range(rows)]
    running = [True] * rows
    for step in range(limit):
        place = nucleus(model.logits(hidden) + penalty, temperature, top_p, generator)
        token = model.head_ids[place]
        for row, number in enumerate(token.tolist()):
            running[row] = running[row] and number != end
            if running[row]:
                texts[row].append(number)
        if not any(running):
            break
        hidden = run(token[:, None], (lengths + step)[:, None])[:, 0]
    return texts
