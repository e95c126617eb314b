"""Smaller variants of the language model, each measured and judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from longtale.data.dataset import Dataset
from longtale.encode.encoder import make_encoder
from longtale.encode.exported import export_encoder
from longtale.language.shrink.settings import CompressSettings
from longtale.recommend.cost import Cost
from longtale.recommend.workshop.job import Order, encoder_of
from longtale.recommend.workshop.verdict import Verdict

if TYPE_CHECKING:
    from longtale.language.shrink.compress import Variant


@dataclass(frozen=True)
class Judged:
    """A variant, and what is left of the quality."""

    variant: Variant
    verdict: Verdict


def compressed(
    order: Order, settings: CompressSettings, dataset: Dataset, cost: Cost
) -> list[Judged]:
    """Make smaller variants and judge each; each is a folder below `order.out`.

    Raises:
        DataError: there are too few texts.
        SettingsError: there is no language model, or it has fewer layers.
        SplitError: there are too few events to judge by.
    """
    from longtale.language.shrink.compress import compress

    start = order.begun()
    trial = order.trial(dataset)
    texts = [text for text in trial.texts if text]
    with cost.stage("make variants", total=settings.n_variants) as advance:
        made = compress(
            start, texts, settings, out=order.new, export=export_encoder, on_progress=advance
        )[1:]
    with cost.stage("judge", total=(1 + len(made)) * dataset.n_items) as advance:
        before = trial.judged(make_encoder(order.settings.encode), advance)
        found = []
        for variant in made:
            after = trial.judged(encoder_of(variant.folder, order.settings), advance)
            verdict = order.judge(before, after, trial)
            order.sign(variant.folder, verdict, dataset, trial)
            found.append(Judged(variant, verdict))
    order.put()
    return found
