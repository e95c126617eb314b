"""A cross-encoder: both texts are read together, so that each word sees the other text's words.

It is dearer than vectors, which are made once, and so is for a few hundred items that others have
chosen (Nogueira and Cho 2019, arXiv:1901.04085). Needs torch and the extra `language`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from datasets import Dataset
from pydantic import Field
from sentence_transformers import CrossEncoder
from sentence_transformers.base.modules import Transformer
from sentence_transformers.cross_encoder.losses import BinaryCrossEntropyLoss
from sentence_transformers.cross_encoder.trainer import CrossEncoderTrainer
from sentence_transformers.cross_encoder.training_args import CrossEncoderTrainingArguments
from sentence_transformers.sentence_transformer.evaluation import SentenceEvaluator

from longtale import log
from longtale.arrays import Floats
from longtale.errors import DataError, EncoderError
from longtale.language.adapters import add_adapter, merge_adapter
from longtale.language.model import freeze, set_dropout, without_bars
from longtale.language.settings import TrainingSettings
from longtale.language.training import METRIC, arguments, judging, optimizer_of, trained
from longtale.seeds import dealt, generator
from longtale.stages import Stages, unseen

_HEADS = ("classifier", "score", "pre_classifier", "pooler")
"""Where architectures keep what makes one number of a text: new, and so always learned."""


class RerankerSettings(TrainingSettings):
    """How a cross-encoder learns."""

    max_tokens: int = Field(default=128, ge=8)
    """Where both texts together are cut."""
    batch_size: int = Field(default=32, ge=2)
    """Pairs in a step."""
    held_out: float = Field(default=0.1, gt=0, lt=1)
    """Share of the pairs that say when to stop."""


class Reranker:
    """A cross-encoder that has learned.

    Args:
        model: of sentence-transformers.
        batch_size: pairs that are read at once.
    """

    def __init__(self, model: CrossEncoder, *, batch_size: int = 32) -> None:
        self.model, self._batch_size = model, batch_size

    def scores(self, query_texts: Sequence[str], item_texts: Sequence[str]) -> Floats:
        """Give how likely each item suits its query, float32 (R,), 0 to 1.

        Args:
            query_texts: R texts of who asks or what they ask for; one query with K items is K rows.
            item_texts: R texts of items.

        Raises:
            DataError: there are not as many texts of queries as of items.
        """
        _check_aligned(query_texts, item_texts)
        if not query_texts:
            return np.empty(0, dtype=np.float32)
        pairs = list(zip(query_texts, item_texts, strict=True))
        return np.asarray(
            self.model.predict(pairs, batch_size=self._batch_size, show_progress_bar=False),
            dtype=np.float32,
        )

    def save(self, folder: Path) -> None:
        """Write a folder that sentence-transformers reads as a CrossEncoder, too."""
        with without_bars():
            self.model.save_pretrained(str(folder), create_model_card=False)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            EncoderError: the folder holds no cross-encoder.
        """
        if not (folder / "config_sentence_transformers.json").is_file():
            raise EncoderError(
                f"there is no cross-encoder in '{folder}'; name a folder that fit_reranker wrote"
            )
        with without_bars():
            return cls(CrossEncoder(str(folder), local_files_only=True))


def fit_reranker(
    folder: Path,
    pairs: Sequence[tuple[str, str]],
    labels: Sequence[float],
    settings: RerankerSettings,
    *,
    out: Path,
    checkpoints: Path,
    score: Callable[[Reranker], float] | None = None,
    stages: Stages = unseen,
) -> Reranker:
    """Fit a cross-encoder on pairs of texts with what happened, and write it.

    It begins as an encoder whose last layer gives one number, and learns by binary cross-entropy;
    a label between 0 and 1 is a share. A part of the pairs is held out and says when to stop.

    Args:
        folder: the encoder to begin with.
        pairs: texts of who asks or what they ask for, and of the item.
        labels: 0 to 1, whether the item suits.
        settings: how.
        out: folder of the cross-encoder.
        checkpoints: where training goes on after a stop.
        score: says how good it is, higher is better; None goes by the held-out pairs' loss.
        stages: shows how far it is.

    Raises:
        DataError: labels are missing or out of range, or too few pairs to hold some out.
        EncoderError: the model cannot be loaded.
        SettingsError: an adapter that cannot become part of the weights.
    """
    learned, held_out = _split(pairs, labels, settings)
    reranker = Reranker(_new(folder, settings), batch_size=settings.batch_size)
    model = reranker.model
    judge = _Judge(reranker, held_out, score)
    trainer = CrossEncoderTrainer(
        model,
        arguments(
            CrossEncoderTrainingArguments,
            settings,
            checkpoints,
            n_examples=len(learned),
            metric=METRIC,
        ),
        train_dataset=learned,
        loss=BinaryCrossEntropyLoss(model),
        evaluator=judge,
        optimizer_cls_and_kwargs=optimizer_of(settings),
    )
    with log.stage("fitted a cross-encoder", pairs=len(learned)) as told:
        told["steps"] = trained(trainer, settings, stages=stages).n_steps
    merge_adapter(model[0].model)
    reranker.save(out)
    return Reranker.load(out)


class _Judge(SentenceEvaluator):  # type: ignore[misc, unused-ignore]
    """Says how good a cross-encoder is: by a given function, or minus the held-out loss."""

    def __init__(
        self,
        reranker: Reranker,
        held_out: Dataset,
        score: Callable[[Reranker], float] | None,
    ) -> None:
        super().__init__()
        self.primary_metric = METRIC
        self._reranker, self._held_out, self._score = reranker, held_out, score

    def __call__(self, model: CrossEncoder, *_: object, **__: object) -> dict[str, float]:
        with judging(model):
            found = -self._loss() if self._score is None else self._score(self._reranker)
        return {METRIC: float(found)}

    def _loss(self) -> float:
        rows = self._held_out
        told = self._reranker.scores(rows["query"][:], rows["item"][:]).astype(np.float64)
        labels = np.array(rows["label"][:])
        edged = np.clip(told, 1e-7, 1 - 1e-7)
        return float(-np.mean(labels * np.log(edged) + (1 - labels) * np.log1p(-edged)))


def _new(folder: Path, settings: RerankerSettings) -> CrossEncoder:
    with torch.random.fork_rng(), without_bars():
        torch.manual_seed(settings.seed)
        try:
            transformer = Transformer(
                str(folder),
                transformer_task="sequence-classification",
                model_kwargs={"local_files_only": True},
                config_kwargs={"num_labels": 1},
                max_seq_length=settings.max_tokens,
            )
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise EncoderError(
                f"the language model in '{folder}' cannot be loaded: "
                f"{str(error).partition(chr(10))[0]}; check that the folder is whole"
            ) from error
        model = CrossEncoder(modules=[transformer], num_labels=1)
        inner: Any = model[0].model
        freeze(inner.base_model, settings.train_layers)
        set_dropout(inner, settings.dropout)
        add_adapter(inner, settings.adapter)
    for name, weights in inner.named_parameters():
        if any(part in _HEADS for part in name.split(".")):
            weights.requires_grad_(True)
    return model


def _split(
    pairs: Sequence[tuple[str, str]], labels: Sequence[float], settings: RerankerSettings
) -> tuple[Dataset, Dataset]:
    values = np.asarray(labels, dtype=np.float64)
    _check_aligned(pairs, labels, nouns=("pairs", "labels"))
    if not (np.isfinite(values).all() and (values >= 0).all() and (values <= 1).all()):
        raise DataError(
            f"labels reach from {values.min():g} to {values.max():g}; a label is 0 to 1, whether "
            "the item suits: divide ratings by the highest"
        )
    queries = [query for query, _ in pairs]
    owners = np.unique(queries, return_inverse=True)[1] if queries else np.empty(0, dtype=int)
    n_parts = max(2, round(1 / settings.held_out))
    is_out = dealt(owners, n_parts, generator(settings.seed, "held out")) == 0
    if is_out.all() or not is_out.any():
        raise DataError(
            f"{len(pairs)} pairs are too few to hold {settings.held_out:.0%} out, since those of "
            "one query stay together; give pairs of more queries"
        )
    items = [item for _, item in pairs]
    table = Dataset.from_dict({"query": queries, "item": items, "label": values.tolist()})
    return table.select(np.flatnonzero(~is_out)), table.select(np.flatnonzero(is_out))


def _check_aligned(
    first: Sequence[Any], second: Sequence[Any], *, nouns: tuple[str, str] = ("queries", "items")
) -> None:
    if len(first) != len(second):
        raise DataError(
            f"{len(first)} {nouns[0]} and {len(second)} {nouns[1]} were given; give as many of "
            "each, row by row"
        )
