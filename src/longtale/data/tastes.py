"""What people would say they like, read off what they chose: sentences for those who write none."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import sparse

from longtale.data.catalog import Catalog
from longtale.data.dataset import Dataset
from longtale.data.interactions import Histories
from longtale.schema import LIST_SEPARATORS, Role

_SAID = 3
"""How many things somebody says that they like."""
_LEAST_ITEMS = 2
"""A value that fewer items have is not what people call a taste."""


def taste_sentences(dataset: Dataset, histories: Histories) -> list[str]:
    """Say in a sentence what each of B people likes, by the categories of what they chose.

    Of the values v of all category columns those three are named with the largest p_u(v)
    log(p_u(v) / p(v)), with p_u the share in the history and p that in all interactions: what
    somebody chooses often, and more often than others do.

    Returns:
        B sentences, such as "I like drama, crime and war"; blank where a history shows nothing.
    """
    names, has = _categories(dataset.catalog)
    shares = _shares(histories.matrix(dataset.n_items) @ has)
    usual = _shares(sparse.csr_array(dataset.item_counts[None].astype(np.float64)) @ has)
    with np.errstate(divide="ignore", invalid="ignore"):
        gains = np.where(shares > 0, shares * np.log(shares / usual), 0)
    sentences = []
    for own in gains:
        best = [int(place) for place in np.argsort(-own, kind="stable")[:_SAID] if own[place] > 0]
        sentences.append(f"I like {_joined([names[place] for place in best])}" if best else "")
    return sentences


def values_of(cell: str) -> set[str]:
    """Give the values of a list-like cell in lower case.

    Example:
        >>> sorted(values_of("Drama | Film  Noir"))
        ['drama', 'film noir']
    """
    separator = next((sign for sign in LIST_SEPARATORS if sign in cell), None)
    values = [cell] if separator is None else cell.split(separator)
    return {" ".join(value.lower().split()) for value in values} - {""}


def _categories(catalog: Catalog) -> tuple[list[str], sparse.csr_array]:
    """Give the V values that two items or more have, and which item has which, (N, V)."""
    places: dict[str, int] = {}
    pairs = [
        (row, places.setdefault(value, len(places))) for row, value in _values_of_items(catalog)
    ]
    rows, columns = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    shape = (len(catalog), len(places))
    has = sparse.csr_array((np.ones(len(rows)), (rows, columns)), shape=shape)
    has.data[:] = 1  # a value that stands in two columns counts once
    common = np.flatnonzero(np.diff(has.tocsc().indptr) >= _LEAST_ITEMS)
    names = list(places)
    return [names[place] for place in common], has[:, common]


def _values_of_items(catalog: Catalog) -> Iterator[tuple[int, str]]:
    for role, cells in catalog.texts():
        if role is Role.CATEGORY:
            for row, cell in enumerate(cells):
                for value in sorted(values_of(cell or "")):
                    yield row, value


def _shares(found: sparse.sparray) -> np.ndarray:
    counts = found.toarray()
    return np.asarray(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))


def _joined(names: list[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
