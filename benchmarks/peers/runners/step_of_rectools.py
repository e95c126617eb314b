"""Trains SASRec of `rectools` by its own loop, one step a turn. Arguments: task file, settings."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytorch_lightning as lightning
from of_rectools import dataset
from rectools.models import SASRecModel
from task import Task
from turns import Turns

settings = json.loads(sys.argv[2])


class OneStep(lightning.Callback):
    def on_train_start(self, *_: object) -> None:
        self.turns = Turns()

    def on_train_batch_end(self, *_: object) -> None:
        self.turns.over()


def trainer() -> lightning.Trainer:
    return lightning.Trainer(
        max_epochs=1000,
        accelerator="cpu",
        callbacks=[OneStep()],
        enable_progress_bar=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        logger=False,
    )


def main() -> None:
    task = Task.read(Path(sys.argv[1]))
    lightning.seed_everything(0, verbose=False)
    model = SASRecModel(
        n_blocks=settings["n_blocks"],
        n_heads=settings["n_heads"],
        n_factors=settings["width"],
        session_max_len=settings["max_length"],
        batch_size=settings["batch_size"],
        n_negatives=settings["n_negatives"],
        loss="softmax" if settings["is_full"] else "sampled_softmax",
        dropout_rate=settings["dropout"],
        get_trainer_func=trainer,
    )
    model.fit(dataset(task, np.arange(len(task.offsets) - 1), task.offsets, task.items))


if __name__ == "__main__":
    main()
