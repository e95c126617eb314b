"""A trained encoder that answers through ONNX Runtime, without torch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longtale.arrays import Floats

INPUT_NAMES = ("vectors", "lengths")
OUTPUT_NAME = "state"
Graph = NDArray[np.uint8]
"""The bytes of an ONNX file."""


@dataclass(frozen=True, eq=False)
class EncoderSession:
    """Turns the vectors of a history's items into one state.

    Args:
        graph: from vectors, float32 (B, T, d), and lengths, int64 (B,), to states, float32 (B, d).
    """

    graph: Graph

    def states(self, vectors: Floats, lengths: NDArray[np.int64]) -> Floats:
        """Give the states after the last events, float32 (B, d).

        Args:
            vectors: float32 (B, T, d), oldest event first, padded at the right.
            lengths: int64 (B,), number of events, at least one each.
        """
        given = dict(zip(INPUT_NAMES, (vectors, lengths), strict=True))
        return self._session.run([OUTPUT_NAME], given)[0]

    @cached_property
    def _session(self) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors only
        return onnxruntime.InferenceSession(
            self.graph.tobytes(), options, providers=["CPUExecutionProvider"]
        )
