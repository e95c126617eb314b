"""What each job does at its desk."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np

from longtale.arrays import Rows
from longtale.encode.encoder import make_encoder
from longtale.errors import MissingExtraError, SettingsError
from longtale.language.contrastive.settings import ContrastiveSettings
from longtale.language.pretrain.settings import PretrainSettings
from longtale.language.shrink.settings import DistilSettings
from longtale.recommend.item_vectors import ItemVectors
from longtale.recommend.workshop.job import Desk, Work
from longtale.recommend.workshop.material import consecutive, titles_and_rest
from longtale.seeds import generator
from longtale.settings import Settings

_MOST_PAIRS = 20_000
"""Of neighbours in a history that pre-training is shown."""
_NEAR = 50
"""Items of which hard negatives are drawn."""
_ROWS_AT_ONCE = 512


def require_packages(settings: Settings) -> None:
    """See that a job with these settings can be done here.

    Raises:
        MissingExtraError: the extra `language` is not installed.
        SettingsError: a tracker's package is not.
    """
    try:
        import accelerate  # noqa: F401
        import datasets  # noqa: F401
        import sentence_transformers  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            str(error.name), extra="language", purpose="training a language model"
        ) from None
    missing = [name for name in getattr(settings, "track", ()) if find_spec(name) is None]
    if missing:
        raise SettingsError(
            f"track names {missing[0]}, whose package is not installed; install it with: "
            f"pip install {missing[0]}, or take it out of track"
        )


def work_of(settings: Settings) -> Work:
    """Give what is done under the settings of a job."""
    if isinstance(settings, PretrainSettings):
        return partial(_pretrained, settings)
    if isinstance(settings, ContrastiveSettings):
        return partial(_tuned, settings)
    if isinstance(settings, DistilSettings):
        return partial(_distilled, settings)
    raise TypeError(f"there is no job with {type(settings).__name__}")


def _pretrained(settings: PretrainSettings, desk: Desk) -> dict[str, Any]:
    from longtale.language.pretrain.pretrain import pretrain

    trial = desk.trial
    texts, train = trial.texts, trial.train
    drawn = consecutive(
        train.interactions.histories, _MOST_PAIRS, generator(settings.seed, "pairs to read")
    )
    pairs = [(texts[first], texts[second]) for first, second in drawn.tolist()]
    pairs = [pair for pair in pairs if all(pair)]
    pairs += titles_and_rest(train.catalog, trial.settings.encode.prompt)
    found = pretrain(
        desk.start,
        texts,
        pairs,
        settings,
        out=desk.out,
        checkpoints=desk.checkpoints,
        stages=desk.cost.stage,
    )
    return asdict(found)


def _tuned(settings: ContrastiveSettings, desk: Desk) -> dict[str, Any]:
    from longtale.language.contrastive.behaviour import Behaviour
    from longtale.language.contrastive.tune import tune

    train = desk.trial.train
    near = _near(desk) if settings.hard_negatives else None
    behaviour = Behaviour(
        desk.trial.texts, train.catalog.titles(), train.interactions.histories, near
    )
    found = tune(
        desk.start,
        behaviour,
        settings,
        out=desk.out,
        checkpoints=desk.checkpoints,
        score=desk.trial.stopping_score,
        stages=desk.cost.stage,
    )
    return asdict(found)


def _distilled(settings: DistilSettings, desk: Desk) -> dict[str, Any]:
    from longtale.language.shrink.distil import distil

    found = distil(
        desk.start,
        desk.trial.known_texts,
        settings,
        out=desk.out,
        checkpoints=desk.checkpoints,
        stages=desk.cost.stage,
    )
    return asdict(found)


def _near(desk: Desk) -> Rows:
    """Give the items that are nearest to each in meaning, int32 (N, K)."""
    encode = desk.trial.settings.encode
    vectors = ItemVectors.fit(
        desk.trial.train.catalog,
        make_encoder(encode),
        prompt=encode.prompt,
        whitening=encode.whitening,
    ).vectors
    k = min(_NEAR, len(vectors) - 1)
    found = []
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        products = vectors[start : start + _ROWS_AT_ONCE] @ vectors.T
        np.put_along_axis(products, np.arange(start, start + len(products))[:, None], -2, axis=1)
        found.append(np.argpartition(-products, k, axis=1)[:, :k].astype(np.int32))
    return np.concatenate(found)
