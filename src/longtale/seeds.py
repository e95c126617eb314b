"""Named random generators: one seed for a run, an independent stream for each purpose."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray


def generator(seed: int, purpose: str) -> np.random.Generator:
    """Give the generator of one purpose, independent of all others under the same seed.

    Adding a new purpose never shifts the numbers that an older one draws.

    Example:
        >>> a, b = generator(0, "split"), generator(0, "split")
        >>> int(a.integers(100)) == int(b.integers(100))
        True
    """
    return np.random.default_rng([seed, zlib.crc32(purpose.encode())])


def dealt(owners: NDArray[np.integer], n_parts: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Deal rows out to parts of about equal size, all rows of one owner to the same part.

    Who is asked more than once must not teach in one part and judge in another.

    Args:
        owners: int (n,), whose each row is; a row of -1 stands alone.
        n_parts: number of parts.
        rng: the dice.

    Returns:
        int64 (n,), number of each row's part.
    """
    alone = np.arange(len(owners)) + owners.max(initial=0) + 1
    _, groups = np.unique(np.where(owners < 0, alone, owners), return_inverse=True)
    return np.asarray(rng.permutation(groups.max(initial=-1) + 1) % n_parts)[groups]
