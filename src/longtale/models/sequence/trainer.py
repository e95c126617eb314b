"""A net in training, on processors, graphics cards and in several processes; needs torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, distributed

from longtale.models.sequence.batches import Batch, Negatives, Windows, epoch
from longtale.models.sequence.losses import full_softmax, sampled_softmax
from longtale.models.sequence.net import MaskPool, SequenceNet
from longtale.models.sequence.settings import SequenceSettings
from longtale.models.sequence.validation import Validation
from longtale.seeds import generator

BETAS = (0.9, 0.98)
"""Of AdamW, as in SASRec."""
WARM_UP = 0.05
"""Share of all steps in which the learning rate rises."""


@dataclass(frozen=True, eq=False)
class Material:
    """What is learned from.

    Args:
        windows: W windows of histories.
        negatives: draws what to compare with.
        n_items: N.
        batch_size: windows in a step.
        epochs: passes over which the learning rate falls.
        validation: requests with right answers; None where nothing is held out.
    """

    windows: Windows
    negatives: Negatives
    n_items: int
    batch_size: int
    epochs: int
    validation: Validation | None


class Trainer:
    """A net in training: its optimiser, its running mean and its random numbers.

    All that is drawn in a pass follows from the seed, the pass and the process, so that training
    goes on after a stop as if there had been none.
    """

    def __init__(
        self, net: SequenceNet, material: Material, settings: SequenceSettings, device: torch.device
    ) -> None:
        self.net = net.to(device)
        self.material = material
        self.settings = settings
        self.device = device
        self.world = distributed.get_world_size() if distributed.is_initialized() else 1
        self.rank = distributed.get_rank() if distributed.is_initialized() else 0
        self.weights: list[Tensor] = [weight for weight in net.parameters() if weight.numel()]
        self.optimizer = torch.optim.AdamW(
            self.weights,
            lr=settings.learning_rate,
            betas=BETAS,
            weight_decay=settings.weight_decay,
            fused=True,
        )
        self.mean = [weight.detach().clone() for weight in self.weights] if settings.ema else []
        own = len(material.windows) / material.batch_size
        self.steps_per_epoch = max(1, math.ceil(own / self.world))
        self.low = _autocast(settings, device)
        sampled = material.negatives
        log_expected = sampled.log_q[sampled.known] + math.log(sampled.n)
        self.log_expected = torch.zeros(material.n_items)
        self.log_expected[sampled.known] = torch.from_numpy(log_expected)
        self.places = torch.zeros(material.n_items, dtype=torch.int64)  # among the known items
        self.places[sampled.known] = torch.arange(len(sampled.known))

    def run_epoch(self, number: int) -> float:
        """Go once through all windows; gives the mean loss.

        Args:
            number: of the pass, from 0.
        """
        settings, windows = self.settings, self.material.windows
        purpose = f"sequence epoch {number}"
        order = generator(settings.seed, purpose)  # the same in each process
        rng = generator(settings.seed, f"{purpose} process {self.rank}")
        drawn = torch.Generator(self.device).manual_seed(int(rng.integers(2**62)))
        dropout = MaskPool(settings.dropout, drawn)
        is_full = number >= self.material.epochs - settings.full_epochs
        total, n_steps = 0.0, 0
        self.net.train()
        for chosen in _shared_out(
            epoch(windows, self.material.batch_size, order), self.rank, self.world
        ):
            self._set_rate(number * self.steps_per_epoch + n_steps)
            batch = Batch.of(windows, chosen)
            with self.low():
                loss = self._loss(batch, rng, drawn, dropout, is_full=is_full)
            self._step(loss)
            total, n_steps = total + loss.item(), n_steps + 1
        return total / max(n_steps, 1)

    def _loss(
        self,
        batch: Batch,
        rng: np.random.Generator,
        drawn: torch.Generator,
        dropout: MaskPool,
        *,
        is_full: bool,
    ) -> Tensor:
        negatives = self.material.negatives
        compared = negatives.known if is_full else negatives.draw(batch.targets, rng)
        parts = [batch.items.reshape(-1)[batch.real], batch.targets, compared]
        items, places = np.unique(np.concatenate(parts), return_inverse=True)
        table = self.net.table(self._moved(items), drawn)  # (M, d)
        read, right, others = np.split(places, np.cumsum([len(part) for part in parts[:2]]))
        padded = np.zeros(batch.items.size, dtype=np.int64)
        padded[batch.real] = read
        vectors = torch.nn.functional.embedding(
            self._moved(padded.reshape(batch.items.shape)), table
        )
        states = self.net.encoder(vectors, self._moved(batch.lengths), dropout)
        states = states.flatten(0, 1).index_select(0, self._moved(batch.real))  # (n, d)
        wrong = torch.nn.functional.embedding(self._moved(others), table)
        if is_full:
            return full_softmax(states, wrong, self.places[batch.targets].to(self.device))
        log_expected = self.log_expected[compared].to(self.device)
        return sampled_softmax(
            states,
            torch.nn.functional.embedding(self._moved(right), table),
            wrong,
            is_target=self._moved(batch.targets[:, None] == compared),
            log_expected=log_expected if self.settings.log_q else None,
        )

    def _moved(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(self.device)

    def _step(self, loss: Tensor) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if self.world > 1:
            self._average()
        torch.nn.utils.clip_grad_norm_(self.weights, self.settings.clip)
        self.optimizer.step()
        if self.mean:
            with torch.no_grad():
                torch._foreach_lerp_(self.mean, self.weights, 1 - self.settings.ema)

    def _average(self) -> None:
        for weight in self.weights:
            if weight.grad is None:
                weight.grad = torch.zeros_like(weight)
            distributed.all_reduce(weight.grad)
            weight.grad.div_(self.world)

    def _set_rate(self, step: int) -> None:
        rate = self.settings.learning_rate * schedule(
            step, self.material.epochs * self.steps_per_epoch
        )
        for group in self.optimizer.param_groups:
            group["lr"] = rate


def schedule(step: int, n_steps: int) -> float:
    """Give the share of the learning rate at a step: a straight rise, then half a cosine.

    Example:
        >>> [round(schedule(step, 100), 2) for step in (0, 4, 99)]
        [0.2, 1.0, 0.0]
    """
    n_warm = max(1, round(WARM_UP * n_steps))
    if step < n_warm:
        return (step + 1) / n_warm
    done = (step - n_warm + 1) / max(1, n_steps - n_warm)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def _shared_out(batches: Iterator[np.ndarray], rank: int, world: int) -> Iterator[np.ndarray]:
    """Give each process every world-th batch; the last round starts over where it is not full."""
    if world == 1:
        yield from batches
        return
    every = list(batches)
    for first in range(0, len(every), world):
        yield every[(first + rank) % len(every)]


def _autocast(
    settings: SequenceSettings, device: torch.device
) -> Callable[[], AbstractContextManager[object]]:
    wanted = settings.precision == "bfloat16" or (
        settings.precision == "auto" and settings.width >= 128 and has_bfloat16(device)
    )
    if not wanted:
        return nullcontext
    return lambda: torch.autocast(device.type, dtype=torch.bfloat16)


def has_bfloat16(device: torch.device) -> bool:
    """Say whether the processor multiplies bfloat16 itself."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
