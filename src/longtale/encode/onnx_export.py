"""A language model with its pooling as one ONNX graph; importing this module needs torch."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from longtale import log
from longtale.encode.engines import INPUT_NAMES, OUTPUT_NAME, OnnxEngine
from longtale.encode.model_card import ModelCard
from longtale.encode.tokens import TokenBatch
from longtale.encode.torch_model import PooledModel, load_dense, load_pooled
from longtale.errors import EncoderError, MissingExtraError

_TOLERANCE = 1e-3


def export_onnx(card: ModelCard, path: Path, *, transformer: torch.nn.Module | None = None) -> None:
    """Write the ONNX graph of a model and check that it answers as torch does.

    Args:
        card: what the model says of itself.
        path: where the graph is written.
        transformer: stands for the model in the card's folder, where it was changed in a way that
            no folder can hold; its attention has to be `eager`.

    Raises:
        EncoderError: the model cannot be exported, or the graph answers something else.
        MissingExtraError: onnxscript is not installed.
    """
    # Written out attention is what OpenVINO recognises and fuses: 1.15 times the speed of `sdpa`.
    model = (
        load_pooled(card, attention="eager")
        if transformer is None
        else PooledModel(transformer, card.pooling, load_dense(card)).eval()
    )
    with log.stage("exported language model", folder=card.folder):
        _export(model, path)
    _check(model, path)


def _export(model: PooledModel, path: Path) -> None:
    ids = torch.ones(2, 8, dtype=torch.int64)
    sizes = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    try:
        with _quiet():
            torch.onnx.export(
                model,
                (ids, torch.ones_like(ids)),
                str(path),
                input_names=list(INPUT_NAMES),
                output_names=[OUTPUT_NAME],
                dynamic_shapes=(sizes, dict(sizes)),
                dynamo=True,
                external_data=False,
                verbose=False,
            )
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            str(error.name), extra="text", purpose="saving a language model"
        ) from None
    except (RuntimeError, ValueError, TypeError) as error:
        raise EncoderError(
            f"this language model cannot be exported to ONNX: {error}; choose another model"
        ) from error
    finally:
        model.eval()  # the exporter leaves the model in training mode


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's remarks about its own insides from the user."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _check(model: PooledModel, path: Path) -> None:
    ids = np.tile(np.arange(1, 12, dtype=np.int64), (3, 1))
    mask = (np.arange(11) < np.array([[11], [4], [1]])).astype(np.int64)
    batch = TokenBatch(rows=np.arange(3, dtype=np.int64), ids=ids, mask=mask)
    ((_, graph),) = OnnxEngine(path, threads=1).run([batch])
    with torch.inference_mode():
        own = model(torch.from_numpy(ids), torch.from_numpy(mask)).numpy()
    worst = float(np.abs(graph - own).max() / np.abs(own).max())
    if not worst <= _TOLERANCE:
        raise EncoderError(
            f"the ONNX graph of this language model differs from torch by {worst:.2g} of its "
            f"largest value, allowed is {_TOLERANCE:g}; choose another model"
        )
