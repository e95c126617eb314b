"""Contrastive fine-tuning of an encoder on what people did; needs torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset
from numpy.typing import NDArray
from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from torch import nn
from transformers.trainer_utils import get_last_checkpoint

from longtale.arrays import Rows
from longtale.contracts import OnProgress
from longtale.data.interactions import Histories
from longtale.errors import DataError
from longtale.language.adapters import add_adapter, merge_adapter
from longtale.language.contrastive.catalog_loss import CatalogLoss
from longtale.language.contrastive.head import add_head
from longtale.language.contrastive.loss import InBatchLoss
from longtale.language.contrastive.pairs import CoInteractions, distinct, in_turn, next_items
from longtale.language.contrastive.settings import ContrastiveSettings
from longtale.language.model import open_model, prepare, save_model, shorten, transformer_of
from longtale.language.training import (
    METRIC,
    Scored,
    Trained,
    arguments,
    n_steps_of,
    optimizer_of,
    trained,
)
from longtale.seeds import generator


@dataclass(frozen=True, eq=False)
class Behaviour:
    """What people did with items that have texts.

    Args:
        texts: the text of each item as the encoder reads it, N; blank where there is none.
        titles: a short name of each item, N.
        histories: what each user chose, oldest first.
        near: int32 (N, K), items that are near to each in meaning, -1 is none; where hard negatives
            are wanted they are drawn from these.
    """

    texts: Sequence[str]
    titles: Sequence[str]
    histories: Histories
    near: Rows | None = None

    @property
    def known(self) -> Histories:
        """What each user chose among items that have a text."""
        is_told = np.array([bool(text.strip()) for text in self.texts], dtype=np.bool_)
        return self.histories.where(is_told[self.histories.items])


def tune(
    folder: Path,
    behaviour: Behaviour,
    settings: ContrastiveSettings,
    *,
    out: Path,
    checkpoints: Path,
    score: Callable[[SentenceTransformer], float] | None = None,
    on_progress: OnProgress = None,
) -> Trained:
    """Fine-tune an encoder and write it as a plain model.

    Args:
        folder: the encoder to begin with.
        behaviour: what it learns from.
        settings: how.
        out: where the new encoder is written.
        checkpoints: where training goes on after a stop.
        score: says how good the model is; the best one is kept. None keeps the last.
        on_progress: is told of the steps that were made.

    Raises:
        DataError: nobody chose two items that have a text.
    """
    rng = generator(settings.seed, "contrastive pairs")
    model = open_model(folder)
    longest = shorten(model, settings.max_tokens)
    prepare(model, settings)
    add_adapter(transformer_of(model), settings.adapter)
    lesson = _by_pairs if settings.objective == "pairs" else _by_histories
    examples, loss = lesson(model, behaviour, settings, rng, checkpoints)
    trainer = SentenceTransformerTrainer(
        model,
        arguments(
            SentenceTransformerTrainingArguments,
            settings,
            checkpoints,
            n_examples=settings.n_pairs,
            metric=None if score is None else METRIC,
        ),
        train_dataset=examples,
        loss=loss,
        evaluator=None if score is None else Scored(score),
        optimizer_cls_and_kwargs=optimizer_of(settings),
    )
    found = trained(trainer, settings, on_progress=on_progress)
    merge_adapter(transformer_of(model))
    model.max_seq_length = longest
    save_model(model, out)
    return found


def _by_histories(
    model: SentenceTransformer,
    behaviour: Behaviour,
    settings: ContrastiveSettings,
    rng: np.random.Generator,
    checkpoints: Path,
) -> tuple[Dataset, nn.Module]:
    """Give the items' texts, each as often as any other, and what is asked about them."""
    known = distinct(behaviour.known)
    if not (known.lengths >= 2).any():
        raise _nothing_to_learn(known)
    loss = CatalogLoss(
        model,
        behaviour.texts,
        known,
        n_users=settings.users,
        n_events=settings.events,
        temperature=settings.temperature,
        rng=rng,
    )
    if settings.head_steps:
        head = add_head(model)
        if not _is_begun(checkpoints):  # or its weights come from there
            loss.teach(head, n_steps=settings.head_steps, learning_rate=settings.head_learning_rate)
    n = n_steps_of(settings, settings.n_pairs) * settings.batch_size
    rows = in_turn(np.unique(known.items).astype(np.int64), n, rng).tolist()
    texts = [behaviour.texts[row] for row in rows]
    return Dataset.from_dict({"text": texts, "label": rows}), loss


def _by_pairs(
    model: SentenceTransformer,
    behaviour: Behaviour,
    settings: ContrastiveSettings,
    rng: np.random.Generator,
    _: Path,
) -> tuple[Dataset, nn.Module]:
    """Give pairs of texts that go together, and what is asked about them."""
    pairs = _Pairs.drawn(behaviour, settings, rng)
    loss = InBatchLoss(
        model,
        pairs.together.met,
        torch.from_numpy(pairs.log_q(settings.log_q)),
        temperature=settings.temperature,
    )
    return pairs.as_dataset(behaviour, settings.history), loss


def _is_begun(checkpoints: Path) -> bool:
    return checkpoints.is_dir() and get_last_checkpoint(str(checkpoints)) is not None


def _nothing_to_learn(known: Histories) -> DataError:
    return DataError(
        f"{len(known.items)} events on items with words, and nobody chose two of them; "
        "fine-tuning learns from items that the same people chose"
    )


@dataclass(frozen=True, eq=False)
class _Pairs:
    """What one training reads.

    Args:
        items: int32 (n, 2 + h), first item, its partner and h wrong ones; -1 is a history.
        events: int64 (n,), where the first is a history: the place of the partner in all histories.
        histories: what each user chose among items with words.
        together: who goes with whom.
    """

    items: NDArray[np.int32]
    events: NDArray[np.int64]
    histories: Histories
    together: CoInteractions

    @classmethod
    def drawn(
        cls, behaviour: Behaviour, settings: ContrastiveSettings, rng: np.random.Generator
    ) -> _Pairs:
        histories = behaviour.known
        together = CoInteractions.of(histories.matrix(len(behaviour.texts)), settings.neighbours)
        n = n_steps_of(settings, settings.n_pairs) * settings.batch_size
        n_users = round(settings.user_share * n)
        items = together.draw(n - n_users, rng)
        events = next_items(histories.offsets, n_users, rng)
        if len(items) + len(events) < 2:
            raise _nothing_to_learn(histories)
        of_users = np.stack([np.full(len(events), -1), histories.items[events]], axis=1)
        both = np.concatenate([items, of_users]).astype(np.int32)
        places = np.concatenate([np.full(len(items), -1), events])
        order = rng.permutation(len(both))
        both = both[order]
        wrong = _hard_negatives(both, behaviour.near, together, settings.hard_negatives, rng)
        return cls(np.hstack([both, wrong]), places[order], histories, together)

    def log_q(self, share: float) -> NDArray[np.float32]:
        """Give the log of how often each item is drawn, times a share, float32 (N + 1,)."""
        n_items = self.together.n_items
        counts = np.bincount(self.items[self.items >= 0], minlength=n_items) + 1.0
        found = np.append(np.log(counts / counts.sum()), 0.0)
        found[-1] = found[:-1].mean()
        return (share * found).astype(np.float32)

    def as_dataset(self, behaviour: Behaviour, n_titles: int) -> Dataset:
        """Give the texts as columns, and the items as labels."""
        texts = behaviour.texts
        first = [
            texts[item] if item >= 0 else self._told(behaviour.titles, event, n_titles)
            for item, event in zip(self.items[:, 0].tolist(), self.events.tolist(), strict=True)
        ]
        columns: dict[str, object] = {"first": first}
        for place in range(1, self.items.shape[1]):
            columns[f"text {place}"] = [texts[item] for item in self.items[:, place].tolist()]
        columns["label"] = self.items.astype(np.int64).tolist()
        return Dataset.from_dict(columns)

    def _told(self, titles: Sequence[str], event: int, n_titles: int) -> str:
        """Give the titles of what came before an event, the last one first."""
        offsets, items = self.histories.offsets, self.histories.items
        start = int(offsets[np.searchsorted(offsets, event, side="right") - 1])
        before = items[max(start, event - n_titles) : event][::-1]
        return "; ".join(titles[item] for item in before.tolist())


def _hard_negatives(
    pairs: NDArray[np.int32],
    near: Rows | None,
    together: CoInteractions,
    n: int,
    rng: np.random.Generator,
) -> NDArray[np.int32]:
    """Draw wrong items that are near to the partner and that nobody chose with it, (P, n).

    Where all that is near was chosen too, any item stands in; the loss leaves out what is known.

    Raises:
        DataError: they are wanted, but nothing is known to be near.
    """
    if not n:
        return np.empty((len(pairs), 0), dtype=np.int32)
    if near is None:
        raise DataError(
            f"hard_negatives = {n}, but nobody said which items are near in meaning; hand in `near`"
        )
    partners = pairs[:, 1]
    shuffled = rng.permuted(near[partners], axis=1)  # (P, K)
    flat = np.repeat(partners, shuffled.shape[1]), np.maximum(shuffled, 0).ravel()
    met = np.asarray(together.together[flat]).reshape(shuffled.shape) > 0
    is_usable = (shuffled >= 0) & ~met & (shuffled != partners[:, None])
    order = np.argsort(~is_usable, axis=1, kind="stable")[:, :n]
    chosen = np.take_along_axis(shuffled, order, axis=1)
    is_right = np.take_along_axis(is_usable, order, axis=1)
    anybody = rng.integers(together.n_items, size=chosen.shape)
    return np.where(is_right, chosen, anybody).astype(np.int32)
