"""Groups of items, as the user names them or as an attribute has them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from longtale.arrays import Mask
from longtale.errors import DataError

Groups = Mapping[str, Mask]
"""By name which of N items belong to a group, bool (N,); an item may be in several, or in none."""


def groups_of(values: Sequence[str | None], *, least: int = 30) -> dict[str, Mask]:
    """Give a group for each value of an attribute that enough items have, the largest first.

    Args:
        values: of N items, None where it is not known.
        least: items that make a group.

    Raises:
        DataError: no value has so many items.

    Example:
        >>> groups_of(["a", "b", None, "a"], least=2)["a"].tolist()
        [True, False, False, True]
    """
    counts = Counter(value for value in values if value is not None)
    chosen = [value for value, count in counts.most_common() if count >= least]
    if not chosen:
        most = max(counts.values(), default=0)
        raise DataError(f"no value has {least} items; the largest group has {most}: lower `least`")
    cells = np.array([value is not None for value in values])
    names = np.array(["" if value is None else value for value in values])
    return {value: cells & (names == value) for value in chosen}


def checked(groups: Groups, n_items: int) -> dict[str, Mask]:
    """Give groups that are fit to be compared: items inside and outside of each.

    Raises:
        DataError: there is none, one has another length, or holds all items or none.
    """
    if not groups:
        raise DataError("no groups; name at least one")
    for name, mask in groups.items():
        if mask.shape != (n_items,):
            raise DataError(
                f"group '{name}' has the shape {mask.shape} for {n_items} items; give one True or "
                "False for each item"
            )
        if mask.all() or not mask.any():
            raise DataError(
                f"group '{name}' holds {int(mask.sum())} of {n_items} items; a group needs items "
                "inside and outside of it"
            )
    return dict(groups)
