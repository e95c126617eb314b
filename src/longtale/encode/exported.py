"""A language model written as a graph that answers without torch, whole or in 8 bits.

Writing needs torch; what was written is opened by naming its folder as `encode.model`.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from longtale import log
from longtale.encode.engines import has_integer_units
from longtale.encode.language_model import described, tokenizer_in
from longtale.encode.model_card import read_card
from longtale.encode.onnx_text import OnnxTextEncoder
from longtale.encode.saved import MODEL_FILE, TOKENIZER_FILE, write_saved
from longtale.encode.tokens import cutting

if TYPE_CHECKING:
    from torch import nn


def export_encoder(
    folder: Path,
    out: Path,
    *,
    bits: Literal[8, 32] = 32,
    transformer: nn.Module | None = None,
) -> OnnxTextEncoder:
    """Write a model as graph and tokenizer, and open it.

    In 8 bits each column of a weight matrix has a scale of its own, and the numbers between the
    layers are rounded as they come (dynamic quantisation of ONNX Runtime; Jacob et al. 2017,
    arXiv:1712.05877). A quarter of the size; its vectors are about .99 of the whole one's.

    Args:
        folder: of a sentence-transformers or Hugging Face model.
        out: where it is written.
        bits: of the weights.
        transformer: stands for the model in the folder, see `longtale.encode.onnx_export`.

    Raises:
        EncoderError: the model cannot be exported.
        MissingExtraError: the extra `text` is not installed.
    """
    from longtale.encode.onnx_export import export_onnx

    card = read_card(folder)
    out.mkdir(parents=True, exist_ok=True)
    graph = out / MODEL_FILE
    export_onnx(card, graph, transformer=transformer)
    if bits == 8:
        quantise(graph)
    tokenizer = cutting(tokenizer_in(card.folder), card.max_tokens)
    tokenizer.save(str(out / TOKENIZER_FILE))
    saved = described(card, "-", bits=bits)
    digest = hashlib.sha256(graph.read_bytes() + tokenizer.to_str().encode())
    digest.update(saved.model_dump_json().encode())
    write_saved(out, saved.model_copy(update={"fingerprint": digest.hexdigest()}))
    return OnnxTextEncoder.load(out)


def quantise(graph: Path) -> None:
    """Round the weights of an ONNX graph to 8 bits, in place."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with log.stage("rounded weights to 8 bits", graph=graph), tempfile.TemporaryDirectory() as kept:
        whole = Path(kept) / MODEL_FILE
        shutil.move(graph, whole)
        root = logging.getLogger()
        level = root.level
        root.setLevel(logging.ERROR)  # it advises what does not apply to these graphs
        try:
            quantize_dynamic(
                whole,
                graph,
                per_channel=True,
                # Without such units products of whole bytes overflow: 7 bits are safe.
                reduce_range=not has_integer_units(),
                weight_type=QuantType.QInt8,
            )
        finally:
            root.setLevel(level)
