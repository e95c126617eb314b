"""From a request to a slate: history as it is now, rules, tastes, and a ladder of fallbacks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np

from longtale import log
from longtale.arrays import Floats, Mask, microseconds
from longtale.data.candidates import Candidates, Slate
from longtale.data.interactions import Histories
from longtale.data.query import Queries
from longtale.data.record import Body
from longtale.errors import QueryError
from longtale.recommend.answer import Answer, AnswerItem
from longtale.recommend.dials import AT_REST, Dials
from longtale.recommend.pipeline import Recommender
from longtale.recommend.present import Stages
from longtale.recommend.screen import ruled_out
from longtale.serve.pace import Level
from longtale.serve.rules import Ruling
from longtale.serve.taste import Taste, wishes
from longtale.serve.world import Views, World

QUICK = ("popular", "rising", "item_knn", "semantic")
"""Sources that answer in a moment: the second rung of the ladder."""
_UNTOLD: Body = {}


@dataclass(frozen=True)
class Ask:
    """What is asked, as it came from outside.

    Args:
        user: id of a user, known or not; None is anonymous.
        recent: ids of items touched in this session, oldest first; unknown ones are passed over.
        text: what is wanted, in words.
        n: length of the slate.
        filter: condition on attributes.
        exclude: ids that must not come; unknown ones are passed over.
        dials: what is turned.
        at: when it is asked.
        level: the best rung that may answer.
    """

    user: str | None = None
    recent: tuple[str, ...] = ()
    text: str = ""
    n: int = 10
    filter: str = ""
    exclude: tuple[str, ...] = ()
    dials: Dials = AT_REST
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    level: Level = Level.FULL


@dataclass(frozen=True, eq=False)
class Prepared:
    """A request in rows, ready to be answered or explained.

    Args:
        queries: a batch of one.
        excluded: bool (1, N), items that must not come.
        barred: by name, what each reason for exclusion bars, bool (N,), in the order of its stages.
        nudges: what rules and tastes add to each score, float32 (1, N).
        dials: what is turned, limits of rules included.
        pins: item rows by place.
        degraded: what could not be heeded.
    """

    queries: Queries
    excluded: Mask
    barred: Mapping[str, Mask]
    nudges: Mapping[str, Floats]
    dials: Dials
    pins: Mapping[int, int]
    degraded: tuple[str, ...] = ()


def prepared(world: World, views: Views, ask: Ask) -> Prepared:
    """Bring together all that bears on a request.

    Raises:
        FilterError: the filter cannot be parsed or applied.
    """
    catalog = world.live.dataset.catalog
    queries = queries_of(world, views, ask)
    ruling = Ruling.of(tuple(views.rules.values()), catalog, "recommend", ask.at)
    taste = views.tastes.get(ask.user or "", Taste())
    now = microseconds(ask.at)
    barred = {
        "hidden": world.withheld(views, now),
        "not_available": ~catalog.available(now),
        "rule": ruling.hidden,
        "muted": named(world, taste.muted),
        "excluded": named(world, ask.exclude),
        "seen": _met(world, queries),
        "filter": ruled_out(catalog, ask.filter),
    }
    excluded = np.logical_or.reduce(list(barred.values()))
    dials = ask.dials
    if ruling.at_most:
        dials = replace(dials, at_most={**dials.at_most, **ruling.at_most})
    allowed = {row: p for p, row in sorted(ruling.pins.items(), reverse=True) if not excluded[row]}
    pins = {p: row for row, p in allowed.items() if p < ask.n}
    excluded[list(pins.values())] = True
    nudges = nudges_of(ruling)
    wished = _tried(lambda: wishes(taste, world.recommender.item_vectors))
    if taste.has_words and wished is not None:
        nudges["wishes"] = wished[None]
    unread = ask.text.strip() and queries.text_vectors is None
    lacking = {"rules": ruling.n_passed_over, "words": unread or wished is None}
    degraded = tuple(name for name, is_lacking in lacking.items() if is_lacking)
    return Prepared(queries, excluded[None], barred, nudges, dials, pins, degraded)


def answered(world: World, views: Views, ask: Ask) -> Answer:
    """Give the slate, from the best rung of the ladder that can.

    Raises:
        QueryError: what is asked makes no sense; no rung would answer it.
    """
    stages = Stages()
    request = prepared(world, views, ask)
    stages.mark("query")
    k = max(1, ask.n - len(request.pins))
    try:
        slate = _slate(world, request, k, ask.level)
    except QueryError:
        if request.dials == ask.dials:
            raise  # else it may be a limit of the editors, on a column that this bundle lacks
        request = replace(request, dials=ask.dials, degraded=("rules", *request.degraded))
        slate = _slate(world, request, k, ask.level)
    stages.mark("score")
    answer = world.recommender.presenter.answer(request.queries, slate, stages)
    items = _with_pins(world.recommender, answer.items, request.pins)[: ask.n]
    degraded = (*answer.degraded, *request.degraded)
    return replace(answer, items=items, degraded=degraded, seq=world.seq)


def ordered(world: World, views: Views, ask: Ask, items: Sequence[str]) -> Answer:
    """Put a list of the caller's own in order, all of it that is known, seen or not."""
    stages = Stages()
    request = prepared(world, views, ask)
    stages.mark("query")
    own = named(world, items)
    all_of_it = replace(request, excluded=~own[None], dials=AT_REST, pins={})
    slate = _slate(world, all_of_it, max(1, int(own.sum())), ask.level)
    stages.mark("score")
    answer = world.recommender.presenter.answer(request.queries, slate, stages)
    return replace(answer, degraded=(*answer.degraded, *request.degraded), seq=world.seq)


def nudges_of(ruling: Ruling) -> dict[str, Floats]:
    """Give what rules add to each score, by name."""
    return {} if ruling.nudge is None else {"rules": ruling.nudge[None]}


def _slate(world: World, request: Prepared, k: int, best: Level) -> Slate:
    """Ask the rungs from the best one down until one answers."""
    for level in Level:
        if level < best:
            continue
        try:
            slate = _on_rung(level, world.recommender, request, k)
        except QueryError:
            raise
        except Exception as error:  # noqa: BLE001  whatever a part does, the user gets a slate
            log.warn("a rung of the ladder failed", rung=level.name.lower(), error=repr(error))
            continue
        lower = () if level is Level.FULL else (level.name.lower(),)
        return replace(slate, degraded=(*slate.degraded, *lower))
    return _popular(world.recommender, request.excluded, k)


def _on_rung(level: Level, recommender: Recommender, request: Prepared, k: int) -> Slate:
    if level is Level.POPULAR:
        return _popular(recommender, request.excluded, k)
    scoring = recommender.scoring
    able = scoring.trusting(QUICK) if level is Level.QUICK else scoring
    return able.slate(
        request.queries,
        k,
        exclude=request.excluded,
        dials=request.dials,
        nudges=request.nudges,
    )


def _popular(recommender: Recommender, excluded: Mask, k: int) -> Slate:
    """Give what most people chose: counts alone, no model."""
    scores = np.log1p(recommender.dataset.item_counts).astype(np.float32)[None]
    best = Candidates.best(scores, k, exclude=excluded)
    return Slate.of(best, scores[None], sources=("popular",))


def queries_of(world: World, views: Views, ask: Ask) -> Queries:
    """Give a request in rows: the history as it is now, this session, and words."""
    row = -1 if ask.user is None else int(world.live.user_rows([ask.user])[0])
    own = world.live.histories(np.array([row]))
    if ask.recent:
        recent = world.live.dataset.items.rows(list(ask.recent))
        own = own.followed_by(Histories.of([recent[recent >= 0].tolist()]))
    text = ask.text
    if not text.strip() and not own.lengths[0] and ask.user is not None:
        text = words_of(world, views, ask.user, row)
    reading = world.recommender.item_vectors
    vectors = _tried(lambda: reading.of_words([text])) if text.strip() else None
    return Queries(np.array([row], dtype=np.int32), own, vectors)


def _tried(read: Callable[[], Floats]) -> Floats | None:
    """Read words; None where the encoder fails: the answer goes on without them."""
    try:
        return read()
    except Exception as error:  # noqa: BLE001  whatever a part does, the user gets a slate
        log.warn("words could not be read", error=type(error).__name__)
        return None


def words_of(world: World, views: Views, user: str, row: int) -> str:
    """Give what a user says about themselves, by their document or by the data; may be empty."""
    dataset = world.live.dataset
    body = views.users.get(user, _UNTOLD)
    if body is _UNTOLD:
        return dataset.words_of(row) if row < dataset.n_users else ""
    body = {} if body is None else body
    said = [body.get(name) for name in dataset.profile_texts or ("text", "about")]
    return ". ".join(str(words) for words in said if words)


def named(world: World, ids: Sequence[str]) -> Mask:
    """Say which items have these ids, bool (N,); unknown ones are passed over."""
    mask = np.zeros(world.live.dataset.n_items, dtype=np.bool_)
    if ids:
        rows = world.live.dataset.items.rows(list(ids))
        mask[rows[rows >= 0]] = True
    return mask


def _met(world: World, queries: Queries) -> Mask:
    mask = np.zeros(world.live.dataset.n_items, dtype=np.bool_)
    mask[queries.histories.items] = True
    mask[world.live.dismissed(queries.user_rows).items] = True
    return mask


def _with_pins(
    recommender: Recommender, items: Sequence[AnswerItem], pins: Mapping[int, int]
) -> tuple[AnswerItem, ...]:
    """Put what editors pinned at its places."""
    found = list(items)
    for place in sorted(pins):
        found.insert(min(place, len(found)), recommender.presenter.pinned(pins[place]))
    return tuple(replace(item, rank=rank) for rank, item in enumerate(found, start=1))
