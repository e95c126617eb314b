"""Losses under the worst small change of the word vectors: FGM and FreeLB; needs torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from longtale.errors import SettingsError
from longtale.language.adversarial.settings import AdversarialSettings
from longtale.language.model import transformer_of

Features = dict[str, Any]


def hardened(loss: nn.Module, settings: AdversarialSettings) -> nn.Module:
    """Give a loss as the settings want it: itself, or inside of an `AdversarialLoss`."""
    return loss if settings.kind == "none" else AdversarialLoss(loss, settings)


class AdversarialLoss(nn.Module):
    """Any loss of sentence-transformers, also where the word vectors are changed for the worse.

    With L(d) the loss of a batch in which the word vectors E of each text are E + |E| d, |E| their
    length taken together, and u(d) the direction of dL/dd, of length 1 for each text:

        FGM     (L(0) + L(ε u(0))) / 2
        FreeLB  mean of L(d_t), t = 1 ... K;   d_1 drawn with |d_1| <= ε,
                d_{t+1} = d_t + α u(d_t), cut to |d| <= ε

    So ε and α are shares of |E|, and one value suits encoders of any scale and texts of any length;
    the sources give them as lengths. The weights learn as if d were given. All passes of a step
    leave out the same values (dropout), as FreeLB asks. The model is left as it was: d is added by
    a hook while the loss is taken, also where word vectors do not learn (LoRA, frozen layers).

    FGM costs two passes and a gradient of the word vectors; FreeLB K passes, K - 1 such gradients,
    and the memory of K passes. Without gradients, as in evaluation, the loss is the plain one.

    Sources: Miyato, Dai and Goodfellow 2017, arXiv:1605.07725; Zhu et al. 2020, arXiv:1909.11764.

    Args:
        loss: module with the encoder as `model`, called with the features of each column of texts
            and with labels.
        settings: kind, epsilon, steps.

    Raises:
        SettingsError: the kind is `none`; from a call: the loss reads its texts without gradients,
            as those do that read them in several passes (Cached...).

    Example:
        >>> loss = AdversarialLoss(MultipleNegativesRankingLoss(model), settings)  # doctest: +SKIP
        >>> SentenceTransformerTrainer(model, arguments, loss=loss, ...)  # doctest: +SKIP
    """

    def __init__(self, loss: nn.Module, settings: AdversarialSettings) -> None:
        super().__init__()
        if settings.kind == "none":
            raise SettingsError("adversarial.kind is 'none'; expected fgm or freelb")
        self.loss = loss
        self.settings = settings
        transformer: Any = transformer_of(self.model)
        self._words = (transformer.get_input_embeddings(),)  # in a tuple: no part of this module
        self._rng = torch.Generator().manual_seed(settings.seed)

    @property
    def model(self) -> Any:
        """The encoder."""
        inner: Any = self.loss
        return inner.model

    def forward(
        self, sentence_features: Iterable[Features], labels: Tensor | None = None
    ) -> Tensor:
        """Give the loss of a batch."""
        features = list(sentence_features)
        if not torch.is_grad_enabled():
            return self._plain(features, labels)
        return (
            self._fgm(features, labels)
            if self.settings.kind == "fgm"
            else self._freelb(features, labels)
        )

    def _fgm(self, features: list[Features], labels: Tensor | None) -> Tensor:
        changes = [change.requires_grad_() for change in self._no_change(features)]
        with _dice_kept():
            clean = self._changed(features, labels, changes)
        worst = [self.settings.epsilon * unit for unit in _steepest(clean, changes)]
        return (clean + self._changed(features, labels, worst)) / 2

    def _freelb(self, features: list[Features], labels: Tensor | None) -> Tensor:
        epsilon, losses = self.settings.epsilon, []
        masks = [_mask_of(each) for each in features]
        starts = zip(self._no_change(features), masks, strict=True)
        changes = [self._drawn(change, mask) for change, mask in starts]
        for _ in range(self.settings.n_steps - 1):
            changes = [change.requires_grad_() for change in changes]
            with _dice_kept():
                losses.append(self._changed(features, labels, changes))
            steps = [self.settings.step_size * unit for unit in _steepest(losses[-1], changes)]
            moved = zip(changes, steps, strict=True)
            changes = [_cut(change.detach() + step, epsilon) for change, step in moved]
        losses.append(self._changed(features, labels, changes))
        return torch.stack(losses).mean()

    def _plain(self, features: list[Features], labels: Tensor | None) -> Tensor:
        found = self.loss([dict(each) for each in features], labels)
        return torch.stack(list(found.values())).sum() if isinstance(found, dict) else found

    def _changed(
        self, features: list[Features], labels: Tensor | None, changes: Sequence[Tensor]
    ) -> Tensor:
        masks = [_mask_of(each) for each in features]
        with _hooked(self._words[0], changes, masks):
            return self._plain(features, labels)

    def _no_change(self, features: list[Features]) -> list[Tensor]:
        weight: Tensor = self._words[0].weight
        shapes = [(*each["input_ids"].shape, weight.shape[1]) for each in features]
        return [torch.zeros(shape, device=weight.device) for shape in shapes]  # (B, T, D)

    def _drawn(self, change: Tensor, mask: Tensor) -> Tensor:
        """Draw a change of all but padding, its length evenly from 0 to ε."""
        drawn = torch.randn(change.shape, generator=self._rng).to(change.device)
        lengths = torch.rand(len(drawn), 1, 1, generator=self._rng).to(change.device)
        return self.settings.epsilon * lengths * _unit(drawn * mask)


@contextmanager
def _hooked(words: nn.Module, changes: Sequence[Tensor], masks: Sequence[Tensor]) -> Iterator[None]:
    """Change what a layer gives, call by call, while this lasts."""
    pending = iter(zip(changes, masks, strict=True))

    def add(_: nn.Module, __: Any, vectors: Tensor) -> Tensor:
        following = next(pending, None)
        if following is None or not torch.is_grad_enabled():
            raise SettingsError(
                "adversarial training needs a loss that reads each column of texts once, with "
                "gradients; take one that is not cached, or set adversarial.kind to none"
            )
        change, mask = following
        size = _lengths(vectors.detach() * mask)  # (B, 1, 1)
        return vectors + (size * change).to(vectors.dtype)

    handle = words.register_forward_hook(add)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def _dice_kept() -> Iterator[None]:
    """Let what comes after this draw the same dice again."""
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        yield


def _steepest(loss: Tensor, changes: Sequence[Tensor]) -> list[Tensor]:
    """Give for each text the direction in which the loss grows most, of length 1."""
    return [_unit(slope) for slope in torch.autograd.grad(loss, changes, retain_graph=True)]


def _mask_of(features: Features) -> Tensor:
    mask: Tensor = features["attention_mask"]
    return mask[..., None]  # (B, T, 1)


def _lengths(vectors: Tensor) -> Tensor:
    return torch.linalg.vector_norm(vectors, dim=(1, 2), keepdim=True)  # (B, 1, 1)


def _unit(vectors: Tensor) -> Tensor:
    return vectors / _lengths(vectors).clamp_min(torch.finfo(vectors.dtype).tiny)


def _cut(vectors: Tensor, longest: float) -> Tensor:
    lengths = _lengths(vectors).clamp_min(torch.finfo(vectors.dtype).tiny)
    return vectors * (longest / lengths).clamp_max(1.0)
