"""One job of the workshop from beginning to end: judge, train, judge again, write."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from longtale.arrays import Floats
from longtale.contracts import TextEncoder
from longtale.data.dataset import Dataset
from longtale.data.splits.split import ProtocolName
from longtale.encode.encoder import HASHED, make_encoder
from longtale.encode.model_folder import find_model
from longtale.errors import SettingsError
from longtale.recommend.cost import Cost
from longtale.recommend.settings import LongtaleSettings
from longtale.recommend.workshop.made import Made
from longtale.recommend.workshop.trial import Trial
from longtale.recommend.workshop.verdict import Verdict
from longtale.seeds import generator
from longtale.settings import Settings

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


@dataclass(frozen=True, eq=False)
class Desk:
    """All that a job works with.

    Args:
        trial: what may be learned from.
        start: folder of the model to begin with.
        out: folder that the job writes.
        checkpoints: folder in which a training that was cut off goes on.
        cost: shows and books stages.
    """

    trial: Trial
    start: Path
    out: Path
    checkpoints: Path
    cost: Cost

    def score(self, model: SentenceTransformer) -> float:
        """Say how good a model is while it learns; higher is better."""

        def encode(texts: Sequence[str]) -> Floats:
            found: Floats = model.encode(
                list(texts), normalize_embeddings=True, show_progress_bar=False
            )
            return found

        return self.trial.stopping_score(encode)


class Work(Protocol):
    """What a job does: reads `desk.start`, writes `desk.out`, gives what is worth telling."""

    def __call__(self, desk: Desk) -> dict[str, Any]:
        """Do it."""
        ...


@dataclass(frozen=True)
class Finished:
    """What came of a job.

    Args:
        job: its name.
        folder: the new model.
        verdict: before and after.
        facts: what the job tells.
        cost: processor seconds by stage.
    """

    job: str
    folder: Path
    verdict: Verdict
    facts: dict[str, Any]
    cost: dict[str, float]


@dataclass(frozen=True)
class Order:
    """What is asked for.

    Args:
        job: its name.
        settings: of the whole project.
        own: settings of the job.
        out: folder of the new model; one that is there is replaced when the new one is whole.
        protocol: the test under which it stays unknown to the model.
    """

    job: str
    settings: LongtaleSettings
    own: Settings
    out: Path
    protocol: ProtocolName


def finished(order: Order, dataset: Dataset, work: Work, cost: Cost) -> Finished:
    """Do a job; what was cut off goes on where it was.

    Raises:
        SettingsError: there is no language model to begin with.
        SplitError: there are too few events to judge by.
    """
    name = order.settings.encode.model
    if name == HASHED:
        raise SettingsError(
            "encode.model = 'hashed' has nothing that could learn; name a language model, such as "
            "minilm or a folder"
        )
    trial = Trial.of(dataset, order.settings, order.protocol)
    n_items = dataset.n_items
    with cost.stage("judge before", total=n_items) as advance:
        before = trial.judged(make_encoder(order.settings.encode), advance)
    checkpoints = _checkpoints(order, dataset)
    new = order.out.with_name(f"{order.out.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    facts = work(Desk(trial, find_model(name), new, checkpoints, cost))
    with cost.stage("judge after", total=n_items) as advance:
        after = trial.judged(_encoder_of(new, order.settings), advance)
    verdict = Verdict.of(before, after, generator(order.settings.split.seed, "workshop verdict"))
    Made(
        job=order.job,
        start=name,
        protocol=order.protocol.value,
        data=dataset.fingerprint,
        settings=order.own.model_dump(mode="json"),
        verdict=verdict.as_dict(),
    ).write(new)
    shutil.rmtree(order.out, ignore_errors=True)
    new.replace(order.out)
    shutil.rmtree(checkpoints.parent, ignore_errors=True)
    return Finished(order.job, order.out, verdict, facts, cost.as_dict())


def _encoder_of(folder: Path, settings: LongtaleSettings) -> TextEncoder:
    return make_encoder(settings.encode.model_copy(update={"model": str(folder)}))


def _checkpoints(order: Order, dataset: Dataset) -> Path:
    content = [dataset.fingerprint, order.settings.encode.model, order.protocol.value]
    content += [order.own.model_dump_json(), order.settings.split.model_dump_json()]
    name = hashlib.sha256("\n".join(content).encode()).hexdigest()[:12]
    folder = order.out.with_name(f"{order.out.name}.training") / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder
