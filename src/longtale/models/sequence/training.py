"""The one training loop: passes, validation, stopping and going on after a stop; needs torch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from longtale import log
from longtale.arrays import Floats
from longtale.contracts import OnProgress, State
from longtale.data.dataset import Dataset
from longtale.models.sequence.batches import Negatives, Windows
from longtale.models.sequence.checkpoint import Progress, kept, resumed
from longtale.models.sequence.export import exported
from longtale.models.sequence.net import Encoder, ItemTable, SequenceNet
from longtale.models.sequence.settings import Plan, SequenceSettings
from longtale.models.sequence.trainer import Material, Trainer
from longtale.models.sequence.validation import HeldOut, Validation, ndcg
from longtale.seeds import generator


def fitted(
    dataset: Dataset,
    settings: SequenceSettings,
    vectors: Floats | None,
    validation: HeldOut | None,
    checkpoint: Path | None,
    on_progress: OnProgress,
) -> State:
    """Train a net and give all that answering needs: the arguments of `SequenceRetriever.fit`."""
    plan = Plan.of(settings, dataset.interactions.histories.lengths)
    material = _material(dataset, settings, plan, validation)
    net = _net(dataset, settings, plan, vectors)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    progress = train(
        Trainer(net, material, settings, device),
        checkpoint=checkpoint,
        fingerprint=_fingerprint(dataset, settings, vectors, material),
        on_progress=on_progress,
    )
    net.cpu().eval()
    rows = _item_rows(net.table)
    if not len(material.windows):
        rows[:] = np.nan  # nothing was learned: it cannot say
    return {
        "encoder": exported(net.encoder, settings.width),
        "items": rows,
        "projection": net.table.projection.detach().numpy(),
        "max_length": np.array(plan.max_length),
        "curve": np.array(progress.curve, dtype=np.float32),
        "n_best": np.array(progress.n_best),
    }


def _material(
    dataset: Dataset, settings: SequenceSettings, plan: Plan, validation: HeldOut | None
) -> Material:
    windows = Windows.of(dataset.interactions.histories, plan.max_length)
    negatives = Negatives.of(dataset.item_counts, plan.n_negatives, settings.from_batch)
    held_out = None
    if validation is not None:
        held_out = Validation.of(validation, negatives.known, plan.max_length)
        if not len(held_out.histories):
            held_out = None  # nobody can be answered: no pass is better than another
    return Material(windows, negatives, dataset.n_items, plan.batch_size, plan.epochs, held_out)


def _fingerprint(
    dataset: Dataset, settings: SequenceSettings, vectors: Floats | None, material: Material
) -> str:
    is_validated = material.validation is not None
    said = f"{settings.model_dump_json()} {material.batch_size} {is_validated} "
    content = hashlib.sha256((said + dataset.fingerprint).encode())
    if vectors is not None:
        content.update(np.ascontiguousarray(vectors).tobytes())
    return content.hexdigest()[:16]


def _net(
    dataset: Dataset, settings: SequenceSettings, plan: Plan, vectors: Floats | None
) -> SequenceNet:
    table = ItemTable(
        torch.from_numpy(dataset.item_counts),
        settings.width,
        vectors=None if vectors is None else torch.from_numpy(np.array(vectors, order="C")),
        identity=settings.items != "text",
        identity_dropout=settings.identity_dropout,
    )
    encoder = Encoder(
        width=settings.width,
        n_blocks=plan.n_blocks,
        n_heads=plan.n_heads,
        max_length=plan.max_length,
        block=settings.block,
    )
    net = SequenceNet(table, encoder)
    seed = int(generator(settings.seed, "sequence weights").integers(2**62))
    net.begin(torch.Generator().manual_seed(seed))
    return net


def _item_rows(table: ItemTable) -> Floats:
    """Give z, float32 (N, d), NaN where an item has neither events nor text."""
    with torch.inference_mode():
        rows = table(torch.arange(len(table.touched))).numpy().copy()
    known = table.touched.numpy() > 0
    known |= table.vectors.numpy().any(axis=1)
    rows[~known] = np.nan
    return rows


def train(
    trainer: Trainer, *, checkpoint: Path | None, fingerprint: str, on_progress: OnProgress
) -> Progress:
    """Train until the passes are over or validation no longer improves; the net holds the best.

    Args:
        trainer: the net with all that training needs.
        checkpoint: file that is written after each pass and continued from; None keeps nothing.
        fingerprint: of settings and data; a checkpoint of another one is refused.
        on_progress: is told after each pass.
    """
    settings = trainer.settings
    epochs = trainer.material.epochs
    last = epochs if settings.stop_after is None else min(settings.stop_after, epochs)
    progress = Progress()
    if checkpoint is not None and checkpoint.exists():
        progress = resumed(checkpoint, trainer, fingerprint)
    while progress.n_epochs < last:
        if progress.is_over(settings.patience):
            break
        with _no_denormals():
            loss = trainer.run_epoch(progress.n_epochs)
        progress = _judged(trainer, progress, loss)
        if on_progress is not None:
            on_progress(1)
        if checkpoint is not None and trainer.rank == 0:
            kept(checkpoint, trainer, progress, fingerprint)
    _load(trainer, progress.best if progress.best else _answering(trainer))
    return progress


def _judged(trainer: Trainer, progress: Progress, loss: float) -> Progress:
    """Validate, and remember the weights where they are the best so far."""
    weights = _answering(trainer)
    validation = trainer.material.validation
    gains = np.empty(0)
    if validation is not None:
        trained = [weight.detach().clone() for weight in trainer.weights]
        _load(trainer, weights)
        gains = ndcg(trainer.net, validation, trainer.device)
        _load(trainer, trained)
    judged = progress.followed_by(loss, gains, weights)
    log.info("sequence epoch", epoch=judged.n_epochs, loss=loss, ndcg_at_10=judged.curve[-1])
    return judged


def _answering(trainer: Trainer) -> list[Tensor]:
    source = trainer.mean if trainer.mean else trainer.weights
    return [weight.detach().clone() for weight in source]


def _load(trainer: Trainer, weights: Sequence[Tensor]) -> None:
    with torch.no_grad():
        for own, weight in zip(trainer.weights, weights, strict=True):
            own.copy_(weight)


@contextmanager
def _no_denormals() -> Iterator[None]:
    """Take numbers below 1e-38 for 0: some processors need a hundred times as long for them."""
    changed = torch.set_flush_denormal(True)
    try:
        yield
    finally:
        if changed:
            torch.set_flush_denormal(False)
