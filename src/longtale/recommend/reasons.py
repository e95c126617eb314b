"""A reason for each item of a slate, read off the blend's own contributions.

The source that added most gives the code; where it rests on the user's history, the evidence is the
items of the history that are nearest in meaning. No reason is made up: what did not add to the
score is not cited.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from longtale.arrays import Floats, Rows
from longtale.recommend.answer import Reason

_CODES: Mapping[str, str] = {
    "popular": "popular",
    "rising": "popular_now",
    "item_knn": "chosen_together",
    "user_knn": "people_like_you",
    "ease": "chosen_together",
    "als": "people_like_you",
    "semantic": "like_what_you_chose",
    "taste": "your_taste",
}
_SENTENCES: Mapping[str, str] = {
    "popular": "many people chose it",
    "popular_now": "many people choose it at the moment",
    "chosen_together": "often chosen together with {evidence}",
    "people_like_you": "people with your taste chose it",
    "like_what_you_chose": "close in meaning to {evidence}",
    "matches_your_words": "close in meaning to your words",
    "your_taste": "goes with what you chose before",
}
_N_EVIDENCE = 2


def reason(
    sources: Sequence[str],
    contributions: Floats,
    *,
    item: int,
    history: Rows,
    vectors: Floats,
    titles: Sequence[str],
    ids: pl.Series,
) -> Reason:
    """Give the main reason for one item.

    Args:
        sources: names of the S sources.
        contributions: float32 (S,), what each added to the score of the item.
        item: row of the item.
        history: int32 (T,), the user's items, oldest first.
        vectors: float32 (N, D), vectors of all items.
        titles: N names to show.
        ids: String (N,), ids to cite.
    """
    strongest = int(np.argmax(contributions))
    positive = np.maximum(contributions, 0)
    weight = float(positive[strongest] / positive.sum()) if positive.sum() > 0 else 0.0
    code = _CODES[sources[strongest]]
    if code == "like_what_you_chose" and not len(history):
        code = "matches_your_words"
    sentence = _SENTENCES[code]
    nearest: list[int] = []
    if "{evidence}" in sentence:
        closeness = vectors[history] @ vectors[item]
        order = np.argsort(-closeness, kind="stable")
        nearest = list(dict.fromkeys(history[order].tolist()))[:_N_EVIDENCE]
    shown = " and ".join(f"'{titles[row]}'" for row in nearest)
    return Reason(code, sentence.format(evidence=shown), weight, tuple(ids[row] for row in nearest))
