"""What a catalogue and its users give a language model to learn from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from longtale.arrays import segment_rows
from longtale.data.catalog import Catalog
from longtale.data.interactions import Histories
from longtale.encode.prompt import PromptSettings, item_texts
from longtale.schema import Role


def consecutive(histories: Histories, most: int, rng: np.random.Generator) -> NDArray[np.int32]:
    """Give pairs of different items that follow each other in a history, int32 (n, 2).

    Args:
        histories: oldest first.
        most: at most so many pairs are drawn.
        rng: draws them.

    Example:
        >>> consecutive(Histories.of([[3, 3, 5], [1]]), 9, np.random.default_rng(0)).tolist()
        [[3, 5]]
    """
    users = segment_rows(histories.offsets)
    items = histories.items
    follows = (users[1:] == users[:-1]) & (items[1:] != items[:-1])
    places = np.flatnonzero(follows)
    if len(places) > most:
        places = np.sort(rng.choice(places, size=most, replace=False))
    return np.stack([items[places], items[places + 1]], axis=1).astype(np.int32)


def titles_and_rest(catalog: Catalog, prompt: PromptSettings) -> list[tuple[str, str]]:
    """Give each item's title and the rest of its text, of items that have both."""
    fields = catalog.texts()
    titles = [field for field in fields if field[0] is Role.TITLE]
    others = [field for field in fields if field[0] is not Role.TITLE]
    if not titles or not others:
        return []
    pairs = zip(item_texts(titles, prompt), item_texts(others, prompt), strict=True)
    return [(title, rest) for title, rest in pairs if title and rest]
