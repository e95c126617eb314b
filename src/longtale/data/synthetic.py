"""Tiny worlds whose right answer everyone can see, and larger ones with a known structure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from longtale.arrays import DAY, Rows, Times, offsets_of
from longtale.data.catalog import Catalog, TextField
from longtale.data.dataset import Dataset
from longtale.data.impressions import Impressions
from longtale.data.interactions import Histories, Interactions
from longtale.data.tags import Tags
from longtale.data.vocabulary import Vocabulary
from longtale.schema import Role

START = 1_600_000_000_000_000
"""When the worlds with times begin: 2020-09-13, in microseconds UTC."""

TOPICS: tuple[tuple[str, ...], ...] = (
    ("galaxy", "rocket", "planet", "android", "orbit", "comet", "asteroid", "starship"),
    ("romance", "wedding", "kiss", "heart", "bride", "letter", "summer", "valentine"),
    ("detective", "murder", "clue", "alibi", "witness", "poison", "inspector", "verdict"),
    ("kitchen", "recipe", "bread", "chef", "spice", "garden", "feast", "orchard"),
    ("dragon", "wizard", "castle", "sword", "spell", "kingdom", "prophecy", "elf"),
    ("football", "coach", "league", "stadium", "champion", "sprint", "medal", "referee"),
    ("guitar", "concert", "melody", "jazz", "opera", "drummer", "chorus", "violin"),
    ("whale", "ocean", "island", "sailor", "harbour", "pirate", "reef", "lighthouse"),
)
"""Words of each latent topic of `generated`; titles and tags of its items are made of them."""


def dataset_of(
    histories: Sequence[Sequence[int]],
    *,
    times: Sequence[Sequence[int]] | None = None,
    titles: Sequence[str] | None = None,
    n_items: int | None = None,
    dismissed: Sequence[Sequence[int]] | None = None,
    tags: Tags | None = None,
    impressions: Impressions | None = None,
) -> Dataset:
    """Build a dataset from item rows per user, oldest first.

    Users are `u0, u1, ...` and items `i0, i1, ...`; each event is a `click` of weight 1.

    Args:
        histories: for each user the item rows, oldest first.
        times: for each user the times of these events, microseconds UTC, never falling.
        titles: text of each item; without it the catalogue has no text.
        n_items: size of the catalogue; by default as many as there are titles, else up to the
            largest row seen.
        dismissed: for each user the items turned down; in a world with times at its first moment.
        tags: dated words about items.
        impressions: what was shown.

    Example:
        >>> dataset = dataset_of([[0, 1], [1]], titles=["one", "two", "never seen"])
        >>> dataset.n_users, dataset.n_items, dataset.item_counts.tolist()
        (2, 3, [1, 2, 0])
    """
    flat = None if times is None else _flat(times)
    turned_down = [[] for _ in histories] if dismissed is None else dismissed
    first = None
    if flat is not None:
        n_dismissed = sum(len(items) for items in turned_down)
        first = np.full(n_dismissed, flat.min(initial=START), dtype=np.int64)
    interactions = Interactions.of(histories, times=flat)
    if n_items is None:
        largest = max((item for row in [*histories, *turned_down] for item in row), default=-1)
        n_items = largest + 1 if titles is None else len(titles)
    return _dataset(
        interactions,
        Interactions.of(turned_down, times=first),
        _catalog(n_items, {} if titles is None else {"title": titles}),
        tags=Tags.none() if tags is None else tags,
        impressions=Impressions.none() if impressions is None else impressions,
    )


def checkerboard(n_users: int, n_items: int) -> Dataset:
    """Even users like even items, odd users odd ones; each has met all of their colour but one.

    The right answer for user u is the one they have not met: the (u // 2)-th item of their colour,
    counted modulo the number of items of that colour.
    """
    histories = []
    for user in range(n_users):
        own = np.arange(user % 2, n_items, 2)
        missed = (user // 2) % len(own)
        # Each user starts elsewhere, so that the last event is not the same item for all.
        histories.append(np.roll(np.delete(own, missed), -missed).tolist())
    colour = ("even", "odd")
    return dataset_of(histories, titles=[f"{colour[i % 2]} number {i}" for i in range(n_items)])


def two_tribes(
    rng: np.random.Generator,
    *,
    n_users: int = 40,
    n_items: int = 20,
    n_events: int = 6,
    loyalty: float = 0.9,
) -> Dataset:
    """The first half of the users mostly likes the first half of the items, the others the rest.

    Args:
        rng: draws the events.
        n_users: U; users below U // 2 are the tribe of space, the others of cooking.
        n_items: N; items below N // 2 are about space, the others about cooking.
        n_events: events of each user, all on different items.
        loyalty: probability weight of the own tribe's items against 1 - loyalty for the others'.
    """
    of_space = np.arange(n_items) < n_items // 2
    histories = []
    for user in range(n_users):
        own = of_space if user < n_users // 2 else ~of_space
        weights = np.where(own, loyalty, 1 - loyalty)
        drawn = rng.choice(n_items, size=n_events, replace=False, p=weights / weights.sum())
        histories.append(drawn.tolist())
    space, _, _, cooking = TOPICS[:4]
    titles = [_title(rng, space if is_space else cooking) for is_space in of_space]
    return dataset_of(histories, titles=titles)


def cold_twin(rng: np.random.Generator, *, n_users: int = 40, n_items: int = 20) -> Dataset:
    """An untouched item whose text equals that of a popular one.

    Item 0 is in the middle of every history of the first tribe of `two_tribes`; the last item,
    N - 1, has the same title and no event: only who reads the text can find it.
    """
    tribes = two_tribes(rng, n_users=n_users, n_items=n_items - 1)
    histories = []
    for user in range(n_users):
        items = [i for i in tribes.histories(np.array([user])).items.tolist() if i != 0]
        if user < n_users // 2:
            items.insert(len(items) // 2, 0)
        histories.append(items)
    titles = tribes.catalog.titles()
    return dataset_of(histories, titles=[*titles, titles[0]])


def generated(
    rng: np.random.Generator,
    n_users: int,
    n_items: int,
    n_events: int,
    *,
    with_times: bool = True,
    taste: float = 0.8,
) -> Dataset:
    """A world of any size with Zipf popularity and titles that tell each item's topic.

    Each item belongs to one of the `TOPICS`; the n-th most popular item of a topic is drawn in
    proportion to 1 / n. Each user prefers one topic. An item may come more than once to a user.

    Args:
        rng: draws everything.
        n_users: U, each with at least one event where there are events enough.
        n_items: N, at least the number of topics for every topic to have an item.
        n_events: events in all.
        with_times: spread over 400 days; if not, only the order within each user is known.
        taste: probability that an event is of the user's own topic.
    """
    topics = rng.permutation(np.arange(n_items) % len(TOPICS))
    users = np.concatenate([np.arange(min(n_users, n_events)), _zipf(rng, n_users, n_events)])
    users = np.sort(users[:n_events])
    own = rng.integers(len(TOPICS), size=n_users)[users]
    any_topic = rng.integers(len(TOPICS), size=n_events)
    wanted = np.where(rng.random(n_events) < taste, own, any_topic)
    items = _items_of(rng, wanted, topics)
    times = None
    if with_times:
        times = START + rng.integers(400 * DAY, size=n_events)
        times = times[np.lexsort((times, users))]
    counts = np.bincount(users, minlength=n_users)
    histories = Histories(offsets_of(counts), items, np.ones(n_events, dtype=np.float32), times)
    kinds = np.zeros(n_events, dtype=np.int16)
    no_values = np.full(n_events, np.nan, dtype=np.float32)
    texts = {
        "title": [_title(rng, TOPICS[topic]) for topic in topics],
        "genres": [TOPICS[topic][0] for topic in topics],
    }
    return _dataset(
        Interactions(histories, kinds, no_values),
        Interactions.of([[]] * n_users, times=None if times is None else times[:0]),
        _catalog(n_items, texts),
        tags=Tags.none(),
        impressions=Impressions.none(),
    )


def _items_of(
    rng: np.random.Generator, wanted: NDArray[np.int64], topics: NDArray[np.int64]
) -> Rows:
    """Draw for each event an item of the wanted topic, any item where the topic has none."""
    items = np.empty(len(wanted), dtype=np.int32)
    for topic in range(len(TOPICS)):
        asked = wanted == topic
        within = np.flatnonzero(topics == topic)
        within = within if len(within) else np.arange(len(topics))
        items[asked] = within[_zipf(rng, len(within), int(asked.sum()))]
    return items


def _zipf(rng: np.random.Generator, n: int, size: int) -> NDArray[np.int64]:
    """Draw from 0 ... n - 1 in proportion to 1 / (rank + 1)."""
    if size == 0:
        return np.empty(0, dtype=np.int64)
    cumulative = np.cumsum(1.0 / np.arange(1, n + 1))
    return np.searchsorted(cumulative, rng.random(size) * cumulative[-1], side="right")


def _title(rng: np.random.Generator, words: Sequence[str]) -> str:
    first, second, third = rng.choice(len(words), size=3, replace=False)
    return f"The {words[first]} and the {words[second]} {words[third]}"


def _catalog(n_items: int, texts: Mapping[str, Sequence[str]]) -> Catalog:
    roles = {"title": Role.TITLE, "genres": Role.CATEGORY}
    return Catalog(
        Vocabulary.of([f"i{row}" for row in range(n_items)], noun="item"),
        pl.DataFrame(texts, schema=dict.fromkeys(texts, pl.String)),
        tuple(TextField(name, roles[name]) for name in texts),
    )


def _dataset(
    interactions: Interactions,
    dismissals: Interactions,
    catalog: Catalog,
    *,
    tags: Tags,
    impressions: Impressions,
) -> Dataset:
    n_users = len(interactions.histories)
    return Dataset(
        users=Vocabulary.of([f"u{row}" for row in range(n_users)], noun="user"),
        catalog=catalog if not len(tags) else catalog.with_tags(tags),
        interactions=interactions,
        dismissals=dismissals,
        kinds=("click",),
        impressions=impressions,
        profiles=pl.DataFrame(),
        tags=tags,
    )


def _flat(times: Sequence[Sequence[int]]) -> Times:
    return np.array([time for row in times for time in row], dtype=np.int64)
