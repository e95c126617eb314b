"""What a language model of ours says of how it was made: a file in its folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from longtale.arrays import Mask
from longtale.data.catalog import Catalog
from longtale.data.splits.split import ProtocolName
from longtale.errors import EncoderError
from longtale.log import warn

FILE = "made.json"


@dataclass(frozen=True)
class Made:
    """How a model was made.

    Args:
        job: pretrain, finetune, distil or compress.
        start: the model that it was made of, by name.
        protocol: under which it is unknown to the model what the test asks for.
        data: fingerprint of the dataset.
        settings: of the job.
        verdict: what it brought.
        unmet: ids of items that people chose and it has not learned from: by these can be told what
            it makes of new ones. None where it has learned from nobody's choices.
    """

    job: str
    start: str
    protocol: str
    data: str
    settings: Mapping[str, Any]
    verdict: Mapping[str, Any]
    unmet: Sequence[str] | None = None

    def write(self, folder: Path) -> None:
        """Write it beside the model."""
        text = json.dumps(asdict(self), indent=2, ensure_ascii=False)
        (folder / FILE).write_text(text + "\n", encoding="utf-8")


def read_made(model: str) -> Made | None:
    """Read how a model was made; None where it is none of ours.

    Raises:
        EncoderError: the file was damaged.
    """
    file = Path(model) / FILE
    if not file.is_file():
        return None
    try:
        return Made(**json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise EncoderError(
            f"'{file}' does not say how the model was made: {error}; make the model again"
        ) from None


def unmet_by(model: str, catalog: Catalog) -> Mask:
    """Say of which items a model has not learned from what people chose, bool (N,)."""
    made = read_made(model)
    if made is None or made.unmet is None:
        return np.ones(len(catalog), dtype=np.bool_)
    return catalog.items.ids.is_in(made.unmet).to_numpy()


def warn_of_known_answers(model: str, protocol: ProtocolName | str) -> None:
    """Warn where a model learned from what a test under another protocol asks for."""
    made = read_made(model)
    if made is not None and made.protocol != str(protocol):
        warn(
            "the language model may know answers of this test: it was made under another protocol",
            model=model,
            made_under=made.protocol,
            measured_under=str(protocol),
        )
