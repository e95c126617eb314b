"""The training of the heads' network: needs torch, and is loaded only to train."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from longtale.arrays import Floats
from longtale.rank.tasks import HeadsSettings, Labelled, TaskSettings, prepared
from longtale.seeds import generator

Tensors = dict[str, torch.Tensor]


def trained(learned: Labelled, held_out: Labelled, settings: HeadsSettings) -> dict[str, Floats]:
    """Give the weights that have the least loss on held-out rows."""
    scales = _scales(learned, settings)
    begun = _begun(2 * learned.features.shape[1], settings)
    weights = {name: torch.nn.Parameter(torch.from_numpy(array)) for name, array in begun.items()}
    x, labels = _tensors(learned, scales, settings)
    x_held, labels_held = _tensors(held_out, scales, settings)
    optimiser = torch.optim.AdamW(
        weights.values(), lr=settings.learning_rate, weight_decay=settings.decay
    )
    dice = torch.Generator().manual_seed(settings.seed)
    best, least, waited = dict(begun), np.inf, 0
    for _ in range(settings.epochs):
        for rows in torch.split(torch.randperm(len(x), generator=dice), settings.batch):
            own = {name: values[rows] for name, values in labels.items()}
            optimiser.zero_grad()
            lost = loss(forward(weights, x[rows], settings, dice=dice), own, settings)
            torch.autograd.backward(lost)
            optimiser.step()
        with torch.no_grad():
            reached = float(loss(forward(weights, x_held, settings), labels_held, settings))
        waited += 1
        if reached < least:
            best, least, waited = _copied(weights), reached, 0
        if waited == settings.patience:
            break
    return {**best, **scales}


def forward(
    weights: Mapping[str, torch.Tensor],
    x: torch.Tensor,
    settings: HeadsSettings,
    *,
    dice: torch.Generator | None = None,
) -> Tensors:
    """Give raw answers as `heads.outputs` does, ratings in deviations; dice leave outputs out."""
    experts = torch.relu(torch.einsum("rf,efh->reh", x, weights["expert"]) + weights["expert_bias"])
    if dice is not None and settings.dropout:
        kept = torch.rand(experts.shape, generator=dice) >= settings.dropout
        experts = experts * kept / (1 - settings.dropout)
    found = {}
    for task in settings.tasks:
        gates = torch.softmax(x @ weights[f"gate.{task.name}"], dim=1)
        mixed = (gates[:, :, None] * experts).sum(dim=1)  # (R, H)
        tower = mixed @ weights[f"tower.{task.name}"] + weights[f"tower_bias.{task.name}"]
        out = torch.relu(tower) @ weights[f"out.{task.name}"] + weights[f"out_bias.{task.name}"]
        found[task.name] = out if task.kind == "conversion" else out[:, 0]
    return found


def loss(raw: Tensors, labels: Tensors, settings: HeadsSettings) -> torch.Tensor:
    """Add up the tasks' losses, each a mean over the rows whose label is known."""
    total = torch.zeros(())
    for task in settings.tasks:
        known = ~torch.isnan(labels[task.name])
        if known.any():
            own = _loss(task, raw[task.name][known], labels[task.name][known])
            total = total + task.weight * own
    return total


def _loss(task: TaskSettings, raw: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    match task.kind:
        case "click":
            return functional.binary_cross_entropy_with_logits(raw, labels)
        case "conversion":
            return functional.cross_entropy(raw, labels.long())
        case "rating":
            return functional.mse_loss(raw, labels)


def _begun(width: int, settings: HeadsSettings) -> dict[str, Floats]:
    """Give weights to begin with (He et al. 2015, arXiv:1502.01852); all gates are even."""
    rng = generator(settings.seed, "heads")

    def drawn(*shape: int) -> Floats:
        return (rng.normal(size=shape) * np.sqrt(2 / shape[-2])).astype(np.float32)

    def zeros(*shape: int) -> Floats:
        return np.zeros(shape, dtype=np.float32)

    found = {
        "expert": drawn(settings.experts, width, settings.hidden),
        "expert_bias": zeros(settings.experts, settings.hidden),
    }
    for task in settings.tasks:
        n_out = task.classes if task.kind == "conversion" else 1
        found[f"gate.{task.name}"] = zeros(width, settings.experts)
        found[f"tower.{task.name}"] = drawn(settings.hidden, settings.tower)
        found[f"tower_bias.{task.name}"] = zeros(settings.tower)
        found[f"out.{task.name}"] = drawn(settings.tower, n_out)
        found[f"out_bias.{task.name}"] = zeros(n_out)
    return found


def _scales(learned: Labelled, settings: HeadsSettings) -> dict[str, Floats]:
    """Give mean and deviation of each feature and of the ratings; unknown ones count nothing."""
    found = {}
    found["mean"], found["scale"] = _moments(learned.features)
    ratings = [learned.labels[task.name] for task in settings.tasks if task.kind == "rating"]
    if ratings:
        found["rating_mean"], found["rating_scale"] = _moments(np.concatenate(ratings)[:, None])
    return found


def _moments(columns: Floats) -> tuple[Floats, Floats]:
    known = ~np.isnan(columns)
    counts = np.maximum(known.sum(axis=0), 1)
    means = np.where(known, columns, 0).sum(axis=0, dtype=np.float64) / counts
    squares = np.where(known, columns - means, 0.0) ** 2
    deviations = np.sqrt(squares.sum(axis=0) / counts)
    return means.astype(np.float32), np.where(deviations > 0, deviations, 1).astype(np.float32)


def _tensors(
    rows: Labelled, scales: Mapping[str, Floats], settings: HeadsSettings
) -> tuple[torch.Tensor, Tensors]:
    labels: dict[str, Any] = {}
    for task in settings.tasks:
        values = np.asarray(rows.labels[task.name], dtype=np.float32)
        if task.kind == "rating":
            values = (values - scales["rating_mean"]) / scales["rating_scale"]
        labels[task.name] = torch.from_numpy(values)
    return torch.from_numpy(prepared(rows.features, scales)), labels


def _copied(weights: Mapping[str, torch.Tensor]) -> dict[str, Floats]:
    return {name: tensor.detach().numpy().copy() for name, tensor in weights.items()}
