"""Search among many vectors: whole bytes in place of floats, a quarter of the memory to read.

For one request the time of a product with all items is that of reading them. Eight whole bits per
number read four times as fast, and processors multiply them several times as fast: 100,000 items of
width 256 take 2 ms on one thread where float32 takes 14. What comes out is good enough to choose
who is looked at again: for unit vectors it is within about .003.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from longtale.arrays import Floats

_LEVELS = 127  # of a signed byte; -128 is left out, so that both signs reach equally far


@dataclass(frozen=True, eq=False)
class CoarseProduct:
    """Products of queries with N vectors that are kept in bytes.

    Args:
        session: of ONNX Runtime, whose integer kernels do the work.
        scales: float32 (N,), what one level of each vector stands for.
        sums: int32 (N,), sum of the levels of each vector.
    """

    session: Any
    scales: Floats
    sums: NDArray[np.int32]

    @classmethod
    def of(cls, vectors: Floats) -> Self:
        """Round N vectors, float32 (N, D), each on a scale of its own."""
        scales = np.abs(vectors).max(axis=1, initial=0) / _LEVELS
        scales = np.where(scales > 0, scales, np.float32(1)).astype(np.float32)
        levels = np.rint(vectors / scales[:, None]).astype(np.int8)
        return cls(_session(levels.T), scales, levels.sum(axis=1, dtype=np.int32))

    def __call__(self, queries: Floats) -> Floats:
        """Give the products of queries, float32 (B, D), with all vectors, float32 (B, N)."""
        scales = np.abs(queries).max(axis=1, initial=0, keepdims=True) / _LEVELS
        scales = np.where(scales > 0, scales, np.float32(1)).astype(np.float32)
        # The kernels want one side without a sign: levels are moved up, and taken off again.
        levels = (np.rint(queries / scales) + (_LEVELS + 1)).astype(np.uint8)
        (found,) = self.session.run(None, {"queries": levels})
        found -= (_LEVELS + 1) * self.sums
        return found.astype(np.float32) * scales * self.scales


def _session(columns: NDArray[np.int8]) -> Any:
    """Give the product with a constant matrix (D, N) as a session of one thread."""
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    width, n_items = columns.shape
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["queries", "items"], ["products"])],
        "coarse product",
        [helper.make_tensor_value_info("queries", TensorProto.UINT8, ["batch", width])],
        [helper.make_tensor_value_info("products", TensorProto.INT32, ["batch", n_items])],
        [numpy_helper.from_array(np.ascontiguousarray(columns), "items")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options)
