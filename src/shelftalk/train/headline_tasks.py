"""How the headline networks are trained: a VAE by its lower bound, a GAN by its opponent."""

import dataclasses
import math
import random
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own habit)
from torch import Tensor, nn

from shelftalk.train.headline import STEPS, Decoder, Discriminator, Encoder, HeadlineShape


class Headline(NamedTuple):
    """A prompt's token ids, and its headline's columns with the end."""

    prompt: list[int]
    columns: list[int]


class Batch(NamedTuple):
    """Headlines side by side: prompts ``[B, S]``, inputs and targets ``[B, T]``; targets are -100 behind the end."""

    prompts: Tensor
    inputs: Tensor
    targets: Tensor


@dataclasses.dataclass(frozen=True)
class TaskSettings:
    """What both are trained with.

    Attributes:
        forget: share of the decoder's inputs that are blanked, so that it must ask the latent (Bowman et al. 2016).
        kl_steps: steps until the VAE's second term has its full weight.
        kl_weight: that weight; below 1 the latent says more and the draws are less even.
        free_nats: of the second term, not charged (Kingma et al. 2016).
        warm_steps: of the GAN's generator by likelihood alone, before it meets its opponent.
        temperature: of the Gumbel-softmax, falling to half.
        noise: how much of a Gumbel draw the generator adds to its scores, in the fight and when it writes. With a whole one it says
            anything that its likelihood leaves possible: 14 % of its English headlines passed the review, with half a one 50 %.
        anchor: weight of the likelihood beside the opponent: without it a few sentences win.
    """

    batch: int = 64
    rate: float = 2e-3
    forget: float = 0.3
    kl_steps: int = 600
    kl_weight: float = 0.35
    free_nats: float = 3.0
    warm_steps: int = 900
    temperature: float = 1.0
    noise: float = 0.5
    anchor: float = 1.0
    seed: int = 7


def collate(headlines: Sequence[Headline], start: int) -> Batch:
    """Pad and shift."""
    wide, long = max(len(h.prompt) for h in headlines), max(len(h.columns) for h in headlines)
    prompts = torch.zeros(len(headlines), wide, dtype=torch.long)
    inputs = torch.full((len(headlines), long), start)
    targets = torch.full((len(headlines), long), -100)
    for row, headline in enumerate(headlines):
        prompts[row, : len(headline.prompt)] = torch.tensor(headline.prompt)
        columns = torch.tensor(headline.columns)
        targets[row, : len(columns)] = columns
        inputs[row, 1 : len(columns)] = columns[:-1]
    return Batch(prompts, inputs, targets)


class _HeadlineTask:
    """Batches, and what is kept."""

    def __init__(
        self, shape: HeadlineShape, settings: TaskSettings, training: Sequence[Headline], measured: Sequence[Headline]
    ) -> None:
        self.shape, self.settings, self.training, self.measured = shape, settings, training, measured
        self.signature = f"{type(self).__name__} {shape} {settings}"
        self.steps_an_epoch = math.ceil(len(training) / settings.batch)
        torch.manual_seed(settings.seed)
        self.decoder = Decoder(shape)

    def _draw(self, number: int) -> Batch:
        """The batch of a step; blanks and noise of the step follow from the same seed."""
        rng = random.Random(f"{self.settings.seed}:{number}")
        torch.manual_seed(self.settings.seed * 1_000_003 + number)
        return collate([rng.choice(self.training) for _ in range(self.settings.batch)], self.shape.columns)

    def _blanked(self, inputs: Tensor) -> Tensor:
        return torch.where(torch.rand(inputs.shape) < self.settings.forget, self.shape.columns, inputs)

    def _nats(self, batch: Batch, latent: Tensor) -> Tensor:
        scores = self.decoder.forced(self.decoder.condition(batch.prompts), latent, batch.inputs)
        return F.cross_entropy(scores.flatten(0, 1), batch.targets.flatten(), ignore_index=-100)

    def weights(self) -> dict[str, Tensor]:
        """The decoder's: nothing else is exported."""
        return dict(self.decoder.named_parameters())

    def _modules(self) -> dict[str, nn.Module]:
        return {"decoder": self.decoder}

    def _optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {}

    def state(self) -> dict[str, Any]:
        """Everything that has numbers."""
        parts: dict[str, Any] = {**self._modules(), **self._optimizers()}
        return {name: part.state_dict() for name, part in parts.items()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on."""
        parts: dict[str, Any] = {**self._modules(), **self._optimizers()}
        for name, part in parts.items():
            part.load_state_dict(state[name])


class VaeTask(_HeadlineTask):
    """The conditional variational autoencoder (Sohn et al. 2015; Bowman et al. 2016 for text)."""

    def __init__(
        self, shape: HeadlineShape, settings: TaskSettings, training: Sequence[Headline], measured: Sequence[Headline]
    ) -> None:
        super().__init__(shape, settings, training, measured)
        self.encoder = Encoder(shape)
        both = [*self.decoder.parameters(), *self.encoder.parameters()]
        self.optimizer = torch.optim.AdamW(both, lr=settings.rate, weight_decay=0.01)

    def step(self, number: int, steps: int) -> tuple[float, int]:
        """One step on the lower bound: nats a token, and the distance of the latents from a standard normal."""
        settings, batch = self.settings, self._draw(number)
        for group in self.optimizer.param_groups:
            group["lr"] = settings.rate * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * number / steps)))
        latent, distance = self._latent(batch)
        blanked = batch._replace(inputs=self._blanked(batch.inputs))
        loss = self._nats(blanked, latent)
        tokens = int((batch.targets >= 0).sum())
        weight = settings.kl_weight * min(1.0, number / settings.kl_steps)
        charged = distance.mean().clamp(min=settings.free_nats) * settings.batch / tokens
        (loss + weight * charged).backward()
        torch.nn.utils.clip_grad_norm_([*self.decoder.parameters(), *self.encoder.parameters()], 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.item(), tokens

    def _latent(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """A draw for each headline, and its Kullback-Leibler distance in nats ``[B]``."""
        columns = batch.targets.clamp(min=0)
        mean, log_variance = self.encoder(self.decoder.condition(batch.prompts), columns)
        draw = mean + torch.randn(mean.shape) * (0.5 * log_variance).exp()
        return draw, 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(-1)

    @torch.no_grad()
    def held_out(self) -> float:
        """The bound on unseen products: nats a token with the latent's own charged in full."""
        torch.manual_seed(self.settings.seed)
        total = count = 0.0
        for at in range(0, len(self.measured), 128):
            batch = collate(self.measured[at : at + 128], self.shape.columns)
            latent, distance = self._latent(batch)
            tokens = int((batch.targets >= 0).sum())
            total += self._nats(batch, latent).item() * tokens + distance.sum().item()
            count += tokens
        return total / count

    def _modules(self) -> dict[str, nn.Module]:
        return {"decoder": self.decoder, "encoder": self.encoder}

    def _optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {"optimizer": self.optimizer}


def _end(batch: Batch) -> int:
    """The column of the end: what every target ends with."""
    return int(batch.targets[0][batch.targets[0] >= 0][-1])


class GanTask(_HeadlineTask):
    """The conditional GAN: after a warm-up by likelihood, generator against discriminator.

    Discrete tokens pass through a straight-through Gumbel-softmax (`Decoder.soft`); the losses are relativistic
    (Jolicoeur-Martineau 2019, as in RelGAN, Nie et al. 2019); the generator also matches the mean features of human
    headlines (Salimans et al. 2016).
    """

    def __init__(
        self, shape: HeadlineShape, settings: TaskSettings, training: Sequence[Headline], measured: Sequence[Headline]
    ) -> None:
        super().__init__(shape, settings, training, measured)
        self.opponent = Discriminator(shape)
        self.generator_steps = torch.optim.AdamW(self.decoder.parameters(), lr=settings.rate, betas=(0.8, 0.98))
        self.opponent_steps = torch.optim.AdamW(self.opponent.parameters(), lr=2e-4, betas=(0.5, 0.98))

    def step(self, number: int, steps: int) -> tuple[float, int]:
        """A step of likelihood, and after the warm-up one of each side."""
        settings, batch = self.settings, self._draw(number)
        latent = torch.randn(len(batch.prompts), self.shape.latent)
        tokens = int((batch.targets >= 0).sum())
        fight = number >= settings.warm_steps
        for group in self.generator_steps.param_groups:
            group["lr"] = settings.rate * (0.1 if fight else 1.0)
        nats = self._nats(batch._replace(inputs=self._blanked(batch.inputs)), latent)
        loss = settings.anchor * nats
        if fight:
            share = (number - settings.warm_steps) / max(1, steps - settings.warm_steps)
            human = self._one_hot(batch)
            condition = self.decoder.condition(batch.prompts)
            temperature = settings.temperature * (1 - share / 2)
            soft = self.decoder.soft(condition, latent, temperature, settings.noise, _end(batch))
            self._opponent_step(batch, human, soft.detach())
            real, fake = self.opponent(batch.prompts, human), self.opponent(batch.prompts, soft)
            seen = self.opponent.features(batch.prompts, human).mean(0)
            matched = (seen - self.opponent.features(batch.prompts, soft).mean(0)).pow(2).mean()
            loss = loss + F.softplus(real.detach() - fake).mean() + matched
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.decoder.parameters(), 1.0)
        self.generator_steps.step()
        self.generator_steps.zero_grad(set_to_none=True)
        return nats.item(), tokens

    def _opponent_step(self, batch: Batch, human: Tensor, soft: Tensor) -> None:
        loss = F.softplus(self.opponent(batch.prompts, soft) - self.opponent(batch.prompts, human)).mean()
        self.opponent_steps.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.opponent.parameters(), 1.0)
        self.opponent_steps.step()
        self.opponent_steps.zero_grad(set_to_none=True)

    def _one_hot(self, batch: Batch) -> Tensor:
        """Human headlines as the decoder draws them: `STEPS` long, ends behind the end. ``[B, T, C]``."""
        end = _end(batch)
        columns = F.pad(
            torch.where(batch.targets < 0, end, batch.targets), (0, STEPS - batch.targets.shape[1]), value=end
        )
        return F.one_hot(columns, self.shape.columns).float()

    @torch.no_grad()
    def held_out(self) -> float:
        """Nats a token on unseen products, one latent each."""
        torch.manual_seed(self.settings.seed)
        total = count = 0.0
        for at in range(0, len(self.measured), 128):
            batch = collate(self.measured[at : at + 128], self.shape.columns)
            tokens = int((batch.targets >= 0).sum())
            total += self._nats(batch, torch.randn(len(batch.prompts), self.shape.latent)).item() * tokens
            count += tokens
        return total / count

    def _modules(self) -> dict[str, nn.Module]:
        return {"decoder": self.decoder, "opponent": self.opponent}

    def _optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {"generator_steps": self.generator_steps, "opponent_steps": self.opponent_steps}
