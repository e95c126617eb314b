"""The sequence retriever: a causal transformer reads the history and scores what comes next."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from longtale.arrays import Floats, Mask, Rows
from longtale.contracts import OnProgress, State
from longtale.data.dataset import Dataset
from longtale.data.interactions import Histories
from longtale.data.query import Queries
from longtale.errors import DataError, MissingExtraError
from longtale.models.sequence.batches import by_length, padded
from longtale.models.sequence.session import EncoderSession
from longtale.models.sequence.settings import SequenceSettings
from longtale.schema import Serves

if TYPE_CHECKING:
    from longtale.models.sequence.validation import HeldOut

_SIZE = 64  # requests that are read at once


@dataclass(frozen=True, eq=False)
class SequenceRetriever:
    """Scores h·z_i, with h the state of a causal transformer after the asker's last events.

    Kang and McAuley 2018, "Self-Attentive Sequential Recommendation", arXiv:1808.09781, trained
    with a softmax over shared sampled items (Klenitskiy and Vasilev 2023, arXiv:2309.07602). z_i is
    the item's own vector, its projected text or both (`ItemTable` in `net.py`); the net reads and
    scores with the same z_i, so that an item that came later needs only its text.

    Args:
        settings: what it was fitted with.
        session: the encoder.
        items: float32 (N, d), z_i; NaN where the net knows nothing of an item.
        projection: float32 (D, d), from text vectors to z; no rows where items have no text.
        max_length: how many of the last events are read.
        curve: float32 (E,), nDCG@10 of validation after each pass, NaN without validation.
        n_best: passes after which it was best, which is what the weights are from.
    """

    serves: ClassVar[Serves] = Serves.HISTORY

    settings: SequenceSettings
    session: EncoderSession
    items: Floats
    projection: Floats
    max_length: int
    curve: Floats
    n_best: int

    @property
    def name(self) -> str:
        """Tells the net that reads text from the one that does not."""
        return "sequence" if self.settings.items == "identity" else "sequence_text"

    @classmethod
    def fit(
        cls,
        dataset: Dataset,
        settings: SequenceSettings,
        vectors: Floats | None = None,
        *,
        validation: HeldOut | None = None,
        checkpoint: Path | None = None,
        on_progress: OnProgress = None,
    ) -> Self:
        """Train the net.

        Args:
            dataset: what to learn from.
            settings: how.
            vectors: float32 (N, D), the items' text vectors, a zero row without text; needed where
                items have text.
            validation: requests with right answers that are not in the dataset, such as a fold:
                the weights of the best pass are kept, and training stops early. None trains as many
                passes as the settings say.
            checkpoint: a file that is written after each pass; training goes on from there after a
                stop. None keeps nothing.
            on_progress: is told of each pass; there are at most `settings.epochs`.

        Raises:
            DataError: there is not one vector for each item, or the checkpoint is of another
                training.
            MissingExtraError: torch is not installed.
        """
        if settings.items == "identity":
            vectors = None
        elif vectors is None or len(vectors) != dataset.n_items:
            given = "no" if vectors is None else str(len(vectors))
            raise DataError(
                f"{given} vectors for {dataset.n_items} items; give one for each item of the "
                "catalogue, a zero row where there is no text, or set items to 'identity'"
            )
        try:
            from longtale.models.sequence.training import fitted
        except ModuleNotFoundError as error:
            raise MissingExtraError(
                str(error.name), extra="text", purpose="training the sequence model"
            ) from None
        found = fitted(dataset, settings, vectors, validation, checkpoint, on_progress)
        return cls.restore(settings, found)

    def with_vectors(self, vectors: Floats) -> Self:
        """Answer for a grown catalogue of N' items.

        Args:
            vectors: float32 (N', D); where the net reads text, the items behind the N that it knows
                get the row of their text, else no score.
        """
        added = vectors[len(self.items) :].astype(np.float32, copy=False)
        if len(self.projection):
            rows = added @ self.projection
            rows[~added.any(axis=1)] = np.nan
        else:
            rows = np.full((len(added), self.items.shape[1]), np.nan, dtype=np.float32)
        return replace(self, items=np.vstack([self.items, rows]))

    def scores(self, queries: Queries) -> Floats:
        return self._scored(queries, self._columns)

    @property
    def n_items(self) -> int:
        """N."""
        return len(self.items)

    def scores_at(self, queries: Queries, items: Rows) -> Floats:
        return self._scored(queries, self.items[items].T)

    def _scored(self, queries: Queries, columns: Floats) -> Floats:
        """Give the products of the requests' states with C items, float32 (d, C)."""
        histories = self._known_part(queries.histories)
        scores = np.full((len(queries), columns.shape[1]), np.nan, dtype=np.float32)
        asked = np.flatnonzero(histories.lengths)
        for chosen in by_length(histories.lengths[asked], _SIZE):
            rows = asked[chosen]
            items, lengths = padded(histories.take(rows), self.max_length)
            states = self.session.states(self.items[items], lengths)
            scores[rows] = states @ columns
        return scores

    def _known_part(self, histories: Histories) -> Histories:
        inside = np.minimum(histories.items, len(self.items) - 1)
        kept = (histories.items < len(self.items)) & self._known[inside]
        return histories if kept.all() else histories.where(kept)

    @cached_property
    def _known(self) -> Mask:
        return ~np.isnan(self.items[:, 0])

    @cached_property
    def _columns(self) -> Floats:
        """The items as columns, float32 (d, N): products with these take half the time."""
        return np.ascontiguousarray(self.items.T)

    def state(self) -> State:
        return {
            "encoder": self.session.graph,
            "items": self.items,
            "projection": self.projection,
            "max_length": np.array(self.max_length),
            "curve": self.curve,
            "n_best": np.array(self.n_best),
        }

    @classmethod
    def restore(cls, settings: SequenceSettings, state: State) -> Self:
        return cls(
            settings,
            EncoderSession(np.asarray(state["encoder"], dtype=np.uint8)),
            np.asarray(state["items"], dtype=np.float32),
            np.asarray(state["projection"], dtype=np.float32),
            int(state["max_length"]),
            np.asarray(state["curve"], dtype=np.float32),
            int(state["n_best"]),
        )
