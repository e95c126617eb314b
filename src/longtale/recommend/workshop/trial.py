"""Whether a changed language model is worth it, judged on the user's own data.

Models learn from the events of neither the test nor the validation of a protocol, so that
`longtale evaluate` under the same protocol stays honest. Of what is left some items are hidden,
twice: by the first part training is stopped, by the second the result is judged. So a model is
judged on items that are new to it in every way but for their text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from longtale.arrays import Floats, Mask
from longtale.contracts import Encode, OnProgress, TextEncoder
from longtale.data.dataset import Dataset
from longtale.data.splits.split import Fold, ProtocolName, Split, split
from longtale.encode.whiten import Whitening
from longtale.evaluate.accuracy import TargetRanks, ndcg
from longtale.language.adversarial.perturbations import spoilt, usual_perturbations
from longtale.models.semantic import SemanticRetriever
from longtale.recommend.item_vectors import ItemVectors, texts_of
from longtale.recommend.refine import CUTOFF, ranks_of
from longtale.recommend.settings import LongtaleSettings
from longtale.seeds import generator

NEW, ALL, SPOILT = "new items", "all items", "new items, texts spoilt"
"""Slices: hidden items ranked among themselves; what people chose next among all items; the first
again, with the hidden items' texts spoilt, each in one of the usual ways."""
_ASKED = 2048
"""At most so many requests judge each slice."""
_STOPPING = 256
"""So many requests stop a training, by the last items of their histories."""
_LAST = 10
_N_POPULAR = 20
"""Items whose titles are put into others' texts."""


@dataclass(frozen=True, eq=False)
class Trial:
    """What a model may learn from, and what it is judged by.

    Args:
        train: all that may be learned from.
        stopping: requests for items hidden from `train`, which stop a training.
        folds: by slice, requests that judge.
        settings: how items are read and compared.
    """

    train: Dataset
    stopping: Fold
    folds: Mapping[str, Fold]
    settings: LongtaleSettings

    @classmethod
    def of(
        cls,
        dataset: Dataset,
        settings: LongtaleSettings,
        protocol: ProtocolName | str,
        *,
        is_spoilt: bool = False,
    ) -> Trial:
        """Cut a dataset.

        Args:
            dataset: all that is known.
            settings: how items are cut, read and compared.
            protocol: what stays unknown.
            is_spoilt: whether spoilt texts judge, too.

        Raises:
            SplitError: there are too few events.
        """
        cut = split(dataset, ProtocolName(protocol), settings.split)
        hidden = split(cut.validation.train, ProtocolName.COLD_ITEMS, settings.split)
        rng = generator(settings.split.seed, "workshop")
        folds = {NEW: _some(hidden.test, _ASKED, rng), ALL: _some(cut.validation, _ASKED, rng)}
        if is_spoilt:
            folds[SPOILT] = folds[NEW]
        return cls.on(hidden, folds, settings)

    @classmethod
    def on(cls, hidden: Split, folds: Mapping[str, Fold], settings: LongtaleSettings) -> Trial:
        """Learn from what a cut of protocol cold-items leaves, be stopped by its validation.

        Args:
            hidden: the cut.
            folds: by slice, what judges.
            settings: how items are read and compared.
        """
        fold = _some(hidden.validation, _STOPPING, generator(settings.split.seed, "stopping"))
        queries = replace(fold.queries, histories=fold.queries.histories.last(_LAST))
        stopping = replace(fold, queries=queries)
        return cls(hidden.validation.train, stopping, folds, settings)

    @cached_property
    def texts(self) -> list[str]:
        """The text of each item as the encoder reads it, N."""
        return texts_of(self.train.catalog, self.settings.encode.prompt)

    @property
    def known_texts(self) -> list[str]:
        """The texts of the items that do not judge: tomorrow's new items are not read today."""
        is_new = self._hidden(self.folds[NEW])
        return [self.texts[row] for row in np.flatnonzero(~is_new)]

    @property
    def unmet(self) -> list[str]:
        """The ids of the items that `train` has hidden: those that judge, and those that stop."""
        hidden = self._hidden(self.folds[NEW]) | self._hidden(self.stopping)
        return self.train.catalog.items.ids.gather(np.flatnonzero(hidden)).to_list()

    def judged(
        self, encoder: TextEncoder, on_progress: OnProgress = None
    ) -> dict[str, TargetRanks]:
        """Give where the semantic retriever puts the targets of each slice."""
        settings = self.settings
        items = ItemVectors.fit(
            self.train.catalog,
            encoder,
            prompt=settings.encode.prompt,
            whitening=settings.encode.whitening,
            on_progress=on_progress,
        )
        return {
            name: self._ranks(fold, self._spoilt(items) if name == SPOILT else items.vectors)
            for name, fold in self.folds.items()
        }

    def stopping_score(self, encode: Encode) -> float:
        """Give nDCG@10 of the requests that stop a training; only their own items are encoded.

        Args:
            encode: gives float32 (n, D) unit rows of n texts.
        """
        fold = self.stopping
        is_read = self._hidden(fold).copy()
        is_read[fold.queries.histories.items] = True
        rows = np.flatnonzero(is_read)
        found = encode([self.texts[row] for row in rows])
        whitening = Whitening.fit(found, self.settings.encode.whitening)
        vectors = np.zeros((fold.train.n_items, whitening.dim), dtype=np.float32)
        vectors[rows] = whitening.apply(found)
        return float(np.nanmean(ndcg(self._ranks(fold, vectors), CUTOFF)))

    def _spoilt(self, items: ItemVectors) -> Floats:
        """Give the vectors of all items, those of the hidden ones by spoilt texts."""
        rows = np.flatnonzero(self._hidden(self.folds[SPOILT]))
        titles, counts = self.train.catalog.titles(), self.train.item_counts
        popular = [titles[row] for row in np.argsort(-counts, kind="stable")[:_N_POPULAR]]
        texts = spoilt(
            [self.texts[row] for row in rows],
            generator(self.settings.split.seed, "spoilt texts"),
            share=1.0,
            perturbations=usual_perturbations(popular),
        )
        vectors = items.vectors.copy()
        vectors[rows] = items.whitening.apply(items.encoder.encode(texts))
        return vectors

    def _hidden(self, fold: Fold) -> Mask:
        none = np.zeros(self.train.n_items, dtype=np.bool_)
        return none if fold.ranked is None else fold.ranked

    def _ranks(self, fold: Fold, vectors: Floats) -> TargetRanks:
        retriever = SemanticRetriever.fit(self.train, self.settings.models.semantic, vectors)
        return ranks_of(retriever, fold)


def _some(fold: Fold, n: int, rng: np.random.Generator) -> Fold:
    if len(fold) <= n:
        return fold
    return fold.take(np.sort(rng.choice(len(fold), size=n, replace=False)))
