"""New items beside known ones: who may speak for them, and how far they are lifted.

What is learned from people's choices says nothing of an item that nobody has met, and what reads
words speaks for it on a scale of its own: added up as they are, known items drown all new ones, and
lifted blindly new ones flood the list. So some items are hidden from the sources. On requests
whose answer is hidden, the weights v are chosen that rank the hidden items best among themselves;
then the lift δ is raised until the known items' nDCG has lost what may be given up for new ones.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from longtale import log
from longtale.arrays import Floats
from longtale.blend.convex import climb
from longtale.blend.gate import GatedBlend
from longtale.blend.learning import parts_of
from longtale.blend.lists import Lists

_CUTOFF = 10
_LIFTS = np.arange(-4, 8.1, 0.25)
"""Standardised score by which new items are lifted; 8 deviations are above all but the rarest."""
_BURIED = -1e3
"""Lift at which new items stand behind all others."""
_SCALES = (0.5, 1.0, 2.0, 4.0)
"""Sums of the new items' weights that are tried, in those of the known items'."""
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
    return _lifted(blend, own, known, lists.take(np.flatnonzero(wants_new)), among)


def _lifted(blend: GatedBlend, own: Floats, known: Lists, new: Lists, among: float) -> GatedBlend:
    """Choose scale and lift: what serves new items best at the price that is allowed.

    The price is what known items lose on average and a standard error more, so that a few lists
    cannot say that a lift costs nothing.
    """
    unlifted = replace(blend, new_weights=own, lift=_BURIED)
    before = _ndcg(known, unlifted)
    allowed = float(before.mean()) * blend.settings.new_items_price
    best, reached = unlifted, -1.0
    for scale in _SCALES:
        for lift in _LIFTS:
            tried = replace(blend, new_weights=own * np.float32(scale), lift=float(lift))
            losses = before - _ndcg(known, tried)
            if losses.mean() + losses.std(ddof=1) / np.sqrt(len(losses)) > allowed:
                break
            found = float(_ndcg(new, tried).mean())
            if found > reached:
                best, reached = tried, found
    log.info(
        "lifted new items",
        lift=best.lift,
        ndcg_among_themselves=round(among, 4),
        ndcg_in_one_list=round(reached, 4),
    )
    return best


def _ndcg(lists: Lists, blend: GatedBlend) -> NDArray[np.float64]:
    return lists.ndcg(parts_of(lists, blend).sum(axis=1), _CUTOFF)
