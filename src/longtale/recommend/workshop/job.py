"""One job of the workshop from beginning to end: judge, train, judge again, write."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from longtale.contracts import TextEncoder
from longtale.data.dataset import Dataset
from longtale.data.splits.split import ProtocolName
from longtale.encode.encoder import HASHED, make_encoder
from longtale.encode.model_folder import find_model
from longtale.errors import SettingsError
from longtale.evaluate.accuracy import TargetRanks
from longtale.language.contrastive.settings import ContrastiveSettings
from longtale.language.pretrain.settings import PretrainSettings
from longtale.language.shrink.settings import DistilSettings
from longtale.recommend.cost import Cost
from longtale.recommend.settings import LongtaleSettings
from longtale.recommend.workshop.made import Made, read_made, warn_of_known_answers
from longtale.recommend.workshop.trial import Trial
from longtale.recommend.workshop.verdict import Aim, Verdict
from longtale.seeds import generator
from longtale.settings import Settings

_CURVES = "runs"
"""Folder of what TensorBoard draws: beside the checkpoints, in the end beside the model."""


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
        aim: whether the new model is to be better, or smaller and as good.
    """

    job: str
    settings: LongtaleSettings
    own: Settings
    out: Path
    protocol: ProtocolName
    aim: Aim = "better"

    def trial(self, dataset: Dataset) -> Trial:
        """Cut a dataset into what may be learned from, and what judges."""
        is_spoilt = isinstance(self.own, DistilSettings) and self.own.spoilt > 0
        return Trial.of(dataset, self.settings, self.protocol, is_spoilt=is_spoilt)

    @property
    def new(self) -> Path:
        """Where the new model is written until it is whole."""
        return self.out.with_name(f"{self.out.name}.new")

    def begun(self) -> Path:
        """Clear the place for the new model, and give the folder of the one to begin with.

        Raises:
            SettingsError: there is no language model.
            EncoderError: it cannot be found.
        """
        name = self.settings.encode.model
        if name == HASHED:
            raise SettingsError(
                "encode.model = 'hashed' has nothing that could learn; name a language model, such "
                "as minilm or a folder"
            )
        warn_of_known_answers(name, self.protocol)
        shutil.rmtree(self.new, ignore_errors=True)
        return find_model(name)

    def judge(
        self, before: Mapping[str, TargetRanks], after: Mapping[str, TargetRanks], trial: Trial
    ) -> Verdict:
        """Say whether it was worth it."""
        rng = generator(self.settings.split.seed, "workshop verdict")
        return Verdict.of(before, after, trial.folds, rng, aim=self.aim)

    def sign(self, folder: Path, verdict: Verdict, dataset: Dataset, trial: Trial) -> None:
        """Write into a new model how it was made."""
        start = read_made(self.settings.encode.model)
        unmet = None if start is None else start.unmet
        if isinstance(self.own, PretrainSettings | ContrastiveSettings):  # these read histories
            known = set(trial.unmet if unmet is None else unmet)
            unmet = [each for each in trial.unmet if each in known]
        Made(
            job=self.job,
            start=self.settings.encode.model,
            protocol=self.protocol.value,
            data=dataset.fingerprint,
            settings=self.own.model_dump(mode="json"),
            verdict=verdict.as_dict(),
            unmet=unmet,
        ).write(folder)

    def put(self) -> None:
        """Put what is whole in the place of what was there."""
        shutil.rmtree(self.out, ignore_errors=True)
        self.new.replace(self.out)


def finished(order: Order, dataset: Dataset, work: Work, cost: Cost) -> Finished:
    """Do a job; what was cut off goes on where it was.

    Raises:
        SettingsError: there is no language model to begin with.
        SplitError: there are too few events to judge by.
    """
    start = order.begun()
    trial = order.trial(dataset)
    n_items = dataset.n_items
    with cost.stage("judge before", total=n_items) as advance:
        before = trial.judged(make_encoder(order.settings.encode), advance)
    checkpoints = _checkpoints(order, dataset)
    facts = work(Desk(trial, start, order.new, checkpoints, cost))
    with cost.stage("judge after", total=n_items) as advance:
        after = trial.judged(encoder_of(order.new, order.settings), advance)
    verdict = order.judge(before, after, trial)
    order.sign(order.new, verdict, dataset, trial)
    if (checkpoints / _CURVES).is_dir():
        shutil.move(checkpoints / _CURVES, order.new / _CURVES)
    order.put()
    shutil.rmtree(checkpoints.parent, ignore_errors=True)
    return Finished(order.job, order.out, verdict, facts, cost.as_dict())


def is_helper() -> bool:
    """Say whether this is a further process of a training by several, as torchrun starts them."""
    return os.environ.get("RANK", "0") != "0"


def help_with(order: Order, dataset: Dataset, work: Work) -> None:
    """Train along with the first process, which judges and keeps what comes of it."""
    trial = order.trial(dataset)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / order.out.name
        start = find_model(order.settings.encode.model)
        work(Desk(trial, start, out, _checkpoints(order, dataset), Cost()))


def encoder_of(folder: Path, settings: LongtaleSettings) -> TextEncoder:
    """Make the encoder that a folder holds, with the engine that suits it."""
    return make_encoder(settings.encode.model_copy(update={"model": str(folder), "engine": "auto"}))


def _checkpoints(order: Order, dataset: Dataset) -> Path:
    content = [dataset.fingerprint, order.settings.encode.model, order.protocol.value]
    content += [order.own.model_dump_json(), order.settings.split.model_dump_json()]
    name = hashlib.sha256("\n".join(content).encode()).hexdigest()[:12]
    folder = order.out.with_name(f"{order.out.name}.training") / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder
