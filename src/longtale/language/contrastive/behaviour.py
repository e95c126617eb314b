"""What people did with items that have texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from longtale.arrays import Rows
from longtale.data.interactions import Histories
from longtale.errors import DataError


@dataclass(frozen=True, eq=False)
class Behaviour:
    """What people did with items that have texts.

    Args:
        texts: the text of each item as the encoder reads it, N; blank where there is none.
        titles: a short name of each item, N.
        histories: what each user chose, oldest first.
        near: int32 (N, K), items that are near to each in meaning, -1 is none; where hard negatives
            are wanted they are drawn from these.
    """

    texts: Sequence[str]
    titles: Sequence[str]
    histories: Histories
    near: Rows | None = None

    @property
    def known(self) -> Histories:
        """What each user chose among items that have a text."""
        is_told = np.array([bool(text.strip()) for text in self.texts], dtype=np.bool_)
        return self.histories.where(is_told[self.histories.items])


def nothing_to_learn(known: Histories) -> DataError:
    """Give the error of data in which nobody chose two items with words."""
    return DataError(
        f"{len(known.items)} events on items with words, and nobody chose two of them; "
        "fine-tuning learns from items that the same people chose"
    )
