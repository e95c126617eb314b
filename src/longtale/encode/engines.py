"""What runs a language model over batches of tokens, and which one this processor runs fastest."""

from __future__ import annotations

import ctypes.util
import importlib.util
import os
import platform
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from longtale.arrays import Floats, unit_rows
from longtale.contracts import OnProgress
from longtale.encode.tokens import TokenBatch, TokenReader
from longtale.errors import EncoderError, MissingExtraError

EngineName = Literal["torch", "torch-bf16", "openvino", "onnx"]
INPUT_NAMES = ("input_ids", "attention_mask")
OUTPUT_NAME = "pooled"
_X86 = ("x86_64", "AMD64")

Pooled = tuple[NDArray[np.int64], Floats]
"""Rows int64 (B,) and their pooled token states, float32 (B, D), of any length."""


class Engine(Protocol):
    """Runs the model; the order of the answers is free."""

    def run(self, batches: Iterable[TokenBatch]) -> Iterator[Pooled]:
        """Give each batch's rows with their vectors, as soon as they are there."""
        ...


class OnnxEngine:
    """ONNX Runtime in full precision: runs everywhere and starts fastest.

    Args:
        graph: path of the ONNX graph.
        threads: how many it may use.
    """

    def __init__(self, graph: Path, *, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        # Spinning threads win microseconds and burn whole processors.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(
                str(graph), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # noqa: BLE001 - its classes share no public base
            raise EncoderError(
                f"the language model '{graph}' cannot be loaded: {error}; make it again"
            ) from None

    def run(self, batches: Iterable[TokenBatch]) -> Iterator[Pooled]:
        for batch in batches:
            inputs = dict(zip(INPUT_NAMES, (batch.ids, batch.mask), strict=True))
            yield batch.rows, self._session.run([OUTPUT_NAME], inputs)[0]


class OpenVinoEngine:
    """OpenVINO, in bf16 where the processor has units for it.

    One stream per thread: two threads that share a batch wait for each other.

    Args:
        graph: path of the ONNX graph.
        threads: how many it may use.
    """

    def __init__(self, graph: Path, *, threads: int) -> None:
        try:
            import openvino
        except ImportError:
            raise MissingExtraError("openvino", extra="text", purpose="this engine") from None
        precision = "bf16" if has_bf16_units() else "f32"
        self._compiled = openvino.Core().compile_model(
            str(graph),
            "CPU",
            {
                "NUM_STREAMS": threads,
                "INFERENCE_NUM_THREADS": threads,
                "INFERENCE_PRECISION_HINT": precision,
            },
        )
        self._n_streams = threads

    def run(self, batches: Iterable[TokenBatch]) -> Iterator[Pooled]:
        # No AsyncInferQueue: its callbacks need the interpreter, for which a thread may still wait
        # while the interpreter waits for that thread, where an engine goes soon after it has run.
        idle = [self._compiled.create_infer_request() for _ in range(self._n_streams)]
        begun: deque[tuple[Any, NDArray[np.int64]]] = deque()
        for batch in batches:
            if not idle:
                request, rows = begun.popleft()
                yield rows, _answer(request)
                idle.append(request)
            idle[-1].start_async({0: batch.ids, 1: batch.mask})
            begun.append((idle.pop(), batch.rows))
        for request, rows in begun:
            yield rows, _answer(request)


def _answer(request: Any) -> Floats:
    request.wait()
    found: Floats = request.get_output_tensor(0).data.copy()
    return found


def encode_texts(
    reader: TokenReader,
    engine: Engine,
    texts: Sequence[str],
    *,
    prompt: str,
    dim: int,
    on_progress: OnProgress,
) -> Floats:
    """Give unit rows, float32 (N, D); a blank text is a zero row.

    Where D is less than the model's own width, the leading numbers are kept.
    """
    vectors = np.zeros((len(texts), dim), dtype=np.float32)
    n_done = 0
    for rows, pooled in engine.run(reader.batches(texts, prompt)):
        vectors[rows] = pooled[:, :dim]
        n_done += len(rows)
        if on_progress is not None:
            on_progress(len(rows))
    if on_progress is not None and n_done < len(texts):
        on_progress(len(texts) - n_done)  # the blank ones
    return unit_rows(vectors)


def narrowed_dim(own: int, wanted: int) -> int:
    """Give the width that was wanted of vectors that are wider.

    Raises:
        EncoderError: the model's vectors are narrower.
    """
    if wanted > own:
        raise EncoderError(
            f"dim = {wanted}, but this model's vectors have {own} numbers; name 1 to {own}, or "
            "nothing to keep them all"
        )
    return wanted


def choose_engine() -> EngineName:
    """Say which engine is fastest here: torch on a GPU, else OpenVINO, else ONNX Runtime.

    Measured by `benchmarks/encoding.py`: OpenVINO leads ONNX Runtime also where it has to compute
    in full precision.
    """
    if _has_gpu():
        return "torch-bf16"
    if importlib.util.find_spec("openvino") is not None and platform.machine() in _X86:
        return "openvino"
    return "onnx"


def n_processors() -> int:
    """Give how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def has_bf16_units(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Say whether the processor multiplies bf16 itself (AVX512-BF16 or AMX)."""
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(_processor_flags(cpuinfo))


@cache
def has_integer_units(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Say whether the processor adds up products of bytes without overflow (VNNI or AMX)."""
    return not {"avx512_vnni", "avx_vnni", "amx_int8"}.isdisjoint(_processor_flags(cpuinfo))


def _processor_flags(cpuinfo: Path) -> list[str]:
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return next((line.split() for line in lines if line.startswith("flags")), [])


def _has_gpu() -> bool:
    # Asking for the driver first saves the seconds that importing torch takes.
    if ctypes.util.find_library("cuda") is None or importlib.util.find_spec("torch") is None:
        return False
    import torch

    return bool(torch.cuda.is_available())
