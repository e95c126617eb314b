"""The trained encoder as an ONNX graph, so that it answers without torch; needs torch itself."""

from __future__ import annotations

import io
import warnings

import numpy as np
import torch

from longtale.errors import MissingExtraError
from longtale.models.sequence.net import Encoder, LastState
from longtale.models.sequence.session import INPUT_NAMES, OUTPUT_NAME, Graph

OPSET = 17
"""The first with layer normalisation as one operator."""


def exported(encoder: Encoder, width: int) -> Graph:
    """Give the graph from item vectors (B, T, d) and lengths, int64 (B,), to states (B, d).

    The exporter that traces takes a quarter of a second, its successor ten and more for the same
    graph, which also answers slower (measured with torch 2.13).

    Raises:
        MissingExtraError: onnx is not installed.
    """
    length = min(3, len(encoder.positions))
    vectors, lengths = torch.zeros(2, length, width), torch.tensor([length, 1])
    sizes = {0: "B", 1: "T"}
    file = io.BytesIO()
    net = LastState(encoder).cpu().eval()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter's remarks about itself
            torch.onnx.export(
                net,
                (vectors, lengths),
                file,  # type: ignore[arg-type]  # this exporter writes to files too
                input_names=list(INPUT_NAMES),
                output_names=[OUTPUT_NAME],
                dynamic_axes={
                    INPUT_NAMES[0]: sizes,
                    INPUT_NAMES[1]: {0: "B"},
                    OUTPUT_NAME: {0: "B"},
                },
                dynamo=False,
                opset_version=OPSET,
            )
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            str(error.name), extra="text", purpose="keeping a sequence model"
        ) from None
    return np.frombuffer(file.getvalue(), dtype=np.uint8)
