"""Pairs of texts that go together, as a training reads them; needs datasets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from datasets import Dataset
from numpy.typing import NDArray

from longtale.arrays import Rows
from longtale.data.interactions import Histories
from longtale.errors import DataError
from longtale.language.contrastive.behaviour import Behaviour, nothing_to_learn
from longtale.language.contrastive.pairs import CoInteractions, next_items
from longtale.language.contrastive.settings import ContrastiveSettings
from longtale.language.training import n_steps_of


@dataclass(frozen=True, eq=False)
class PairTexts:
    """The pairs of texts that one training reads.

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
    ) -> PairTexts:
        """Draw as many as a training reads.

        Raises:
            DataError: nobody chose two items that have a text, or none is known to be near.
        """
        histories = behaviour.known
        together = CoInteractions.of(histories.matrix(len(behaviour.texts)), settings.neighbours)
        n = n_steps_of(settings, settings.n_pairs) * settings.batch_size
        n_users = round(settings.user_share * n)
        items = together.draw(n - n_users, rng)
        events = next_items(histories.offsets, n_users, rng)
        if len(items) + len(events) < 2:
            raise nothing_to_learn(histories)
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
