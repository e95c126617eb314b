"""New items beside known ones: who may speak for them, and how far they are lifted.

What is learned from people's choices says nothing of an item that nobody has met, and what reads
words speaks for it on a scale of its own: added up as they are, known items drown all new ones, and
lifted blindly new ones flood the list. So some items are hidden from the sources. On requests
whose answer is hidden, the weights v are chosen that rank the hidden items best among themselves.
Then every scale and lift δ is tried: what it brings the hidden items, and what it costs the known
ones. As long as new items hold a small part of the slates, the cost grows with their number; so a
few new items are lifted high, and many no higher than the price allows.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from longtale import log
from longtale.arrays import Floats
from longtale.blend.convex import climb
from longtale.blend.gate import BURIED, GatedBlend
from longtale.blend.learning import parts_of
from longtale.blend.lists import Lists

_CUTOFF = 10
_LIFTS = tuple(range(-6, 11))
"""Standardised score by which new items are lifted; 8 deviations are above all but the rarest."""
_SCALES = (0.5, 1.0, 2.0, 4.0)
"""Sums of the new items' weights that are tried, in those of the known items'."""
_FULL = 0.3
"""Part of the known items' nDCG beyond which slates are full of new ones, and costs grow no more as
their number does."""
_LEAST = 20
"""With fewer requests whose answer is hidden nothing is learned."""


def with_new_items(blend: GatedBlend, lists: Lists) -> GatedBlend:
    """Learn weights and lift of new items.

    Args:
        blend: fitted to known items; its `items` say of the hidden items that they are untouched.
        lists: requests as answered by sources that never saw the hidden items.

    Returns:
        the blend with weights and lift; the same where there is too little to learn from, or where
        no source can read a new item.
    """
    is_new = lists.evidence(blend.items)[:, 1] > 0
    wants_new = np.bincount(lists.owners, lists.relevant & is_new, minlength=len(lists)) > 0
    readers = lists.heard[is_new].any(axis=0)
    about_new = lists.where(is_new).take(np.flatnonzero(wants_new & lists.found))
    known = lists.take(np.flatnonzero(~wants_new & (lists.n_targets > 0)))
    if min(len(about_new), len(known)) < _LEAST or not readers.any():
        log.info("nothing to learn new items by", requests=len(about_new))
        return blend
    even = readers.astype(np.float32) / readers.sum()
    own, among = climb(about_new, even, blend.settings.model_copy(update={"cutoff": _CUTOFF}))
    steps = _steps(blend, own, known, lists.take(np.flatnonzero(wants_new)))
    lifted = replace(blend, new_weights=own, steps=steps).lifted()
    log.info(
        "lifted new items",
        lift=lifted.lift,
        steps=len(steps),
        ndcg_among_themselves=round(among, 4),
    )
    return lifted


def _steps(blend: GatedBlend, own: Floats, known: Lists, new: Lists) -> NDArray[np.float64]:
    """Try all scales and lifts; give those that no cheaper one beats, see `GatedBlend.steps`.

    The cost is what known items lose on average and a standard error more, so that a few lists
    cannot say that a lift costs nothing.
    """
    n_hidden = int(blend.items[:, 1].sum())
    of_known, of_new = _Tried(blend, own, known), _Tried(blend, own, new)
    before = of_known.ndcg(1.0, BURIED)
    if not before.any():
        return np.empty((0, 3))
    tried = []
    for scale in _SCALES:
        for lift in _LIFTS:
            lost = (before - of_known.ndcg(scale, lift)) / before.mean()
            if lost.mean() > _FULL:
                break
            cost = lost.mean() + lost.std(ddof=1) / np.sqrt(len(lost))
            tried.append((of_new.ndcg(scale, lift).mean(), scale, lift, max(cost, 0) / n_hidden))
    tried.sort(reverse=True)
    costs = np.array([cost for *_, cost in tried])
    best = costs < np.minimum.accumulate(np.concatenate([[np.inf], costs]))[:-1]
    steps = [step for (_, *step), kept in zip(tried, best, strict=True) if kept]
    return np.array(steps, dtype=np.float64).reshape(-1, 3)


class _Tried:
    """Lists whose new items can be lifted again and again."""

    def __init__(self, blend: GatedBlend, own: Floats, lists: Lists) -> None:
        self.lists = lists
        self.is_new = lists.evidence(blend.items)[:, 1] > 0
        self.known = parts_of(lists, blend).sum(axis=1)
        self.read, self.heard = lists.scores @ own, lists.heard @ own

    def ndcg(self, scale: float, lift: float) -> NDArray[np.float64]:
        lifted = np.float32(scale) * (self.read + np.float32(lift) * self.heard)
        return self.lists.ndcg(np.where(self.is_new, lifted, self.known), _CUTOFF)
