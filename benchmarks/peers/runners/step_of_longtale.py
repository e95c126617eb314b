"""Trains Longtale's sequence model by its own loop, one step a turn. Arguments as for its peer."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch
from task import Task
from turns import Turns

from longtale.data.interactions import Histories
from longtale.models.sequence.batches import Negatives, Windows
from longtale.models.sequence.net import Encoder, ItemTable, SequenceNet
from longtale.models.sequence.settings import SequenceSettings
from longtale.models.sequence.trainer import Material, Trainer

asked = json.loads(sys.argv[2])


def main() -> None:
    task = Task.read(Path(sys.argv[1]))
    settings = SequenceSettings(
        **{name: value for name, value in asked.items() if name != "is_full"},
        epochs=1000,
        full_epochs=1000 if asked["is_full"] else 0,
    )
    histories = Histories(task.offsets, task.items, np.ones(len(task.items), dtype=np.float32))
    # One window per user: the peer too reads only the last events of each.
    windows = Windows.of(histories.last(asked["max_length"] + 1), asked["max_length"])
    counts = np.bincount(task.items, minlength=task.n_items)
    negatives = Negatives.of(counts, asked["n_negatives"], settings.from_batch)
    material = Material(windows, negatives, task.n_items, asked["batch_size"], 1000, None)
    table = ItemTable(
        torch.from_numpy(counts), asked["width"], vectors=None, identity=True, identity_dropout=0.0
    )
    encoder = Encoder(
        width=asked["width"],
        n_blocks=asked["n_blocks"],
        n_heads=asked["n_heads"],
        max_length=asked["max_length"],
        block="sasrec",
    )
    net = SequenceNet(table, encoder)
    net.begin(torch.Generator().manual_seed(0))
    trainer = Trainer(net, material, settings, torch.device("cpu"))
    torch.set_flush_denormal(True)  # as the training loop does
    trainer.optimizer.register_step_post_hook(Turns().over)
    for number in range(1000):
        trainer.run_epoch(number)


if __name__ == "__main__":
    main()
