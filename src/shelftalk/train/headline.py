"""The networks behind short headlines: one decoder, trained as a conditional VAE or as the generator of a conditional GAN.

Letters in shapes: B rows, S prompt tokens, T steps, D embedding width, H hidden width, Z latent width, C columns (the tokens
that a headline may have, `head_ids`). Column `START` stands for the beginning and is never written.
"""

import dataclasses

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own habit)
from torch import Tensor, nn

#: Tokens of a headline, its end included.
STEPS = 26


@dataclasses.dataclass(frozen=True)
class HeadlineShape:
    """Sizes of the networks."""

    vocab: int
    columns: int
    embedding: int = 96
    hidden: int = 224
    latent: int = 32


class Condition(nn.Module):
    """A prompt as one vector: what stands there, and behind what. Id 0 is padding.

    The mean of the tokens alone would not do: "{w1} plural, {w2} thing" holds the same tokens as the reverse. So each token is seen
    with the one behind it.
    """

    def __init__(self, shape: HeadlineShape) -> None:
        super().__init__()
        self.words = nn.Embedding(shape.vocab, shape.embedding, padding_idx=0)
        self.behind = nn.Linear(shape.embedding, shape.embedding)
        self.layer = nn.Linear(shape.embedding, shape.embedding)

    def forward(self, prompt: Tensor) -> Tensor:
        """``[B, S]`` to ``[B, D]``."""
        there = (prompt != 0)[..., None]
        spoken = self.words(prompt)
        pairs = torch.tanh(spoken + self.behind(F.pad(spoken[:, 1:], (0, 0, 0, 1)))) * there
        return torch.tanh(self.layer(pairs.sum(1) / there.sum(1).clamp(min=1) ** 0.5))


class Decoder(nn.Module):
    """From condition and latent to a headline, one GRU step a token. What is exported and run."""

    def __init__(self, shape: HeadlineShape) -> None:
        super().__init__()
        self.shape = shape
        self.condition = Condition(shape)
        self.start = nn.Linear(shape.embedding + shape.latent, shape.hidden)
        # The row behind the columns is what stands before the first token.
        self.tokens = nn.Embedding(shape.columns + 1, shape.embedding)
        self.gru = nn.GRU(2 * shape.embedding + shape.latent, shape.hidden, batch_first=True)
        self.out = nn.Linear(shape.hidden, shape.columns)

    def begin(self, condition: Tensor, latent: Tensor) -> Tensor:
        """The first hidden state, ``[1, B, H]``."""
        return torch.tanh(self.start(torch.cat((condition, latent), -1)))[None]

    def forced(self, condition: Tensor, latent: Tensor, inputs: Tensor) -> Tensor:
        """Scores ``[B, T, C]`` where the tokens before are given, ``[B, T]``."""
        context = torch.cat((condition, latent), -1)[:, None].expand(-1, inputs.shape[1], -1)
        hidden, _ = self.gru(torch.cat((self.tokens(inputs), context), -1), self.begin(condition, latent))
        return self.out(hidden)

    def soft(self, condition: Tensor, latent: Tensor, temperature: float, noise: float, end: int) -> Tensor:
        """Nearly one-hot tokens ``[B, T, C]`` that gradients flow through.

        Straight-through Gumbel-softmax (Jang et al. 2017): a token is drawn and passed on as itself, while the gradient sees
        the softmax; scores divided by the noise are drawn from as sharply as with so much noise. Behind the end stands only the
        end, as behind people's: an opponent that sees anything else there learns nothing but that.
        """
        context = torch.cat((condition, latent), -1)[:, None]
        state = self.begin(condition, latent)
        rows = len(condition)
        given = self.tokens(torch.full((rows, 1), self.shape.columns))
        drawn = []
        ended = torch.zeros(rows, 1, dtype=torch.bool)
        behind = F.one_hot(torch.tensor(end), self.shape.columns).float()
        for _ in range(STEPS):
            hidden, state = self.gru(torch.cat((given, context), -1), state)
            token = F.gumbel_softmax(self.out(hidden[:, 0]) / noise, tau=temperature, hard=True)
            token = torch.where(ended, behind, token)
            ended = ended | (token.detach()[:, end : end + 1] > 0)
            drawn.append(token)
            given = (token @ self.tokens.weight[:-1])[:, None]
        return torch.stack(drawn, 1)

    @torch.no_grad()
    def write(self, prompt: Tensor, latent: Tensor, mask: Tensor, noise: Tensor, end: int) -> Tensor:
        """Columns ``[B, T]`` under an additive mask ``[B, C]`` and noise ``[B, T, C]``: what the exported graph does."""
        condition = self.condition(prompt)
        context = torch.cat((condition, latent), -1)[:, None]
        state = self.begin(condition, latent)
        column = torch.full((len(prompt),), self.shape.columns)
        written = []
        for step in range(STEPS):
            hidden, state = self.gru(torch.cat((self.tokens(column)[:, None], context), -1), state)
            scores = self.out(hidden[:, 0]) + mask + noise[:, step]
            if step == 0:
                scores[:, end] = -torch.inf
            column = scores.argmax(-1)
            written.append(column)
        return torch.stack(written, 1)


class Encoder(nn.Module):
    """The VAE's other half: a headline and its condition to a distribution of latents."""

    def __init__(self, shape: HeadlineShape) -> None:
        super().__init__()
        self.tokens = nn.Embedding(shape.columns + 1, shape.embedding)
        self.gru = nn.GRU(shape.embedding, shape.hidden, batch_first=True, bidirectional=True)
        self.out = nn.Linear(2 * shape.hidden + shape.embedding, 2 * shape.latent)

    def forward(self, condition: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance, ``[B, Z]`` each, of ``[B, T]``."""
        _, last = self.gru(self.tokens(columns))
        mean, log_variance = self.out(torch.cat((last[0], last[1], condition), -1)).chunk(2, -1)
        return mean, log_variance.clamp(-8, 4)


class Discriminator(nn.Module):
    """Is this headline a person's, for this brief? Convolutions over two to four tokens (Kim 2014), and the condition."""

    def __init__(self, shape: HeadlineShape, channels: int = 96) -> None:
        super().__init__()
        self.condition = Condition(shape)
        self.tokens = nn.Linear(shape.columns, shape.embedding, bias=False)
        self.widths = nn.ModuleList(
            nn.Conv1d(shape.embedding, channels, width, padding=width // 2) for width in (2, 3, 4)
        )
        self.mix = nn.Linear(3 * channels + shape.embedding, 128)
        self.out = nn.Linear(128, 1)

    def features(self, prompt: Tensor, soft: Tensor) -> Tensor:
        """``[B, 128]`` of one-hot or nearly one-hot tokens ``[B, T, C]``."""
        embedded = self.tokens(soft).transpose(1, 2)
        found = [F.leaky_relu(width(embedded), 0.2).amax(-1) for width in self.widths]
        return F.leaky_relu(self.mix(torch.cat((*found, self.condition(prompt)), -1)), 0.2)

    def forward(self, prompt: Tensor, soft: Tensor) -> Tensor:
        """Scores ``[B]``; higher is more human."""
        return self.out(self.features(prompt, soft))[:, 0]
