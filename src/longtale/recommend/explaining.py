"""Why an item is in a slate, and why another is not: asked again of the recommender itself.

    question = Question.of(recommender, "u7", n=5)
    told(explain(recommender, question, "i42"), "editor")
    refused(why_not(recommender, question, "i43"))

An explanation asks once more without each of the last items of the history, in one batch. What is
left to chance is left out: exploration is at rest.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import numpy as np

from longtale.data.splits.bands import BANDS
from longtale.data.tastes import values_of
from longtale.explain.attribution import LeftOut, has_words, leave_one_out
from longtale.explain.codes import ALIKE, BY_WORDS, OF_HISTORY
from longtale.explain.counterfactual import needed
from longtale.explain.explanation import Cited, Counterfactual, Effect, Explanation, Named, Why
from longtale.explain.grounds import Ground, grounds, strongest
from longtale.explain.why_not import UNKNOWN, Change, WhyNot, bars, changes, relaxed, stage_of
from longtale.recommend.case import Case
from longtale.recommend.pipeline import Recommender
from longtale.recommend.question import Question
from longtale.recommend.scoring import Scoring
from longtale.recommend.screen import ruled_out
from longtale.schema import Role

_N_TOUCHED = 5
"""How many items that resemble a missing one are tried as what to choose first."""
_N_SAID = 3
"""How many of its categories are tried as words to say, before its title."""
_N_IDS = 10_000
"""How many ids an unknown one is compared with."""
_REORDERING = ("diversity", "at_most", "at_least_new")


def explain(
    recommender: Recommender,
    question: Question,
    item: str,
    *,
    scoring: Scoring | None = None,
    n_permutations: int = 0,
    rng: np.random.Generator | None = None,
) -> Explanation:
    """Say why an item stands where it stands.

    The parts of a blended score are added up, so what each source contributes is exact. A ranker on
    top is one more part; asked with permutations, what it does is put down to the sources that it
    reads, by Shapley values with their standard errors, and the part `rest` is what remains without
    any source.

    An item that may not come is explained as if it might, and one that was met as if it had not
    been. Where of a large catalogue only a shortlist is scored, an item that is not in it is
    explained by the scores of all.

    Args:
        recommender: what answered.
        question: what was asked.
        item: id of the item.
        scoring: what made the slate, where it was not all of the recommender.
        n_permutations: how many orders of the sources are drawn, 2 or more; 0 takes the ranker as
            a part.
        rng: draws them; None draws the same each time.

    Raises:
        UnknownIdError: no such item.
    """
    row = recommender.catalog.items.row(item)
    barred_by = bars(question.barred, row)
    scoring = recommender.scoring if scoring is None else scoring
    case = Case(recommender, question.of_item(row).letting(row), row, scoring)
    found = leave_one_out(case.stand, case.queries, case.history)
    if not found.base.is_scored[0]:
        case = case.of_whole()
        found = leave_one_out(case.stand, case.queries, case.history)
    base = found.base
    contributions = dict(zip(base.sources, base.shares[:, 0].tolist(), strict=True))
    errors: dict[str, float] = {}
    if n_permutations:
        rng = np.random.default_rng(0) if rng is None else rng
        names, owed, rest = case.shapley(n_permutations, rng)
        contributions = dict(zip(names, owed.values.tolist(), strict=True)) | {"rest": rest}
        errors = dict(zip(names, owed.errors.tolist(), strict=True))
    mean, rank = float(base.means[0]), int(base.ranks[0])
    drops, ranks = found.drops.tolist(), found.others.ranks.tolist()
    return Explanation(
        item=case.named(row),
        band=BANDS[recommender.presenter.bands[row]],
        n_events=int(recommender.dataset.item_counts[row]),
        rank=rank,
        place=case.place(rank),
        n=question.n,
        n_candidates=int(base.n_candidates[0]),
        score=mean + float(base.values[0]) if base.is_scored[0] else None,
        mean=mean,
        contributions=contributions,
        errors=errors,
        weights=dict(zip(base.sources, base.weights[:, 0].tolist(), strict=False)),
        reasons=_reasons(case, found),
        history=_effects(case, found),
        n_history=len(np.unique(case.queries.histories.items)),
        words=Effect(drops[-1], ranks[-1]) if has_words(case.queries) else None,
        counterfactual=_counterfactual(case, found),
        barred_by=barred_by[0] if barred_by else None,
    )


def why_not(
    recommender: Recommender, question: Question, item: str, *, scoring: Scoring | None = None
) -> WhyNot:
    """Say at which stage an item fell, and what would let it in.

    Each change is asked about before it is given. An item is let through a mask by itself; only
    the condition on attributes is relaxed for all, by the clauses that it does not meet.

    Args:
        recommender: what answered.
        question: what was asked, with its masks in the order of the stages.
        item: id of the item, known or not.
        scoring: what made the slate, where it was not all of the recommender.
    """
    row = int(recommender.catalog.items.rows([item])[0])
    if row < 0:
        return _unknown(recommender, question, item)
    scoring = recommender.scoring if scoring is None else scoring
    case = Case(recommender, question.of_item(row), row, scoring)
    barred_by = bars(question.barred, row)
    place = case.after(Change())
    if not place.is_scored:
        place = case.of_whole().after(Change())
    found = changes(
        case.after,
        _let_through(case, barred_by),
        n=question.n,
        long_tail=question.dials.long_tail,
        others=[_arranged(question), _touches(case), _sayings(case)],
    )
    return WhyNot(
        item=case.named(row),
        stage=stage_of(barred_by, place, n=question.n),
        n=question.n,
        barred_by=barred_by,
        rank=place.rank,
        n_candidates=place.n_candidates,
        changes=tuple(found),
    )


def _reasons(case: Case, found: LeftOut) -> tuple[Why, ...]:
    base = found.base
    shares = base.shares[:, 0] * base.is_scored[0]  # nothing speaks for what no source scored
    given = grounds(
        base.sources,
        shares.tolist(),
        has_history=bool(len(case.history)),
        has_words=has_words(case.queries),
    )
    return tuple(_why(case, ground, found) for ground in given)


def _why(case: Case, ground: Ground, found: LeftOut) -> Why:
    """Give a reason with what it rests on: what lowers its own part when it is left out."""
    n_items, code = len(case.history), ground.code
    drops = found.drops_by_source[list(ground.sources)].sum(axis=0)  # (V,)
    by_items, by_words = drops[:n_items], drops[n_items:]
    if code == ALIKE and len(by_words) and by_words[0] > by_items.max(initial=0):
        code = BY_WORDS
    evidence: list[Cited] = []
    if code in OF_HISTORY:
        heard = np.where(found.drops[:n_items] > 0, by_items, 0)
        evidence = [_cited(case, t, float(by_items[t])) for t in strongest(heard)]
    sources = tuple(found.base.sources[source] for source in ground.sources)
    words = case.said_of_it() if code == BY_WORDS else ()
    return Why(code, ground.weight, sources, tuple(evidence), words)


def _cited(case: Case, place: int, drop: float) -> Cited:
    row = int(case.history[place])
    return Cited(case.named(row), drop, case.together(row), case.shared_with(row))


def _effects(case: Case, found: LeftOut) -> tuple[Effect, ...]:
    drops, ranks = found.drops, found.others.ranks
    order = np.argsort(-drops[: len(case.history)], kind="stable")
    return tuple(
        Effect(float(drops[t]), int(ranks[t]), case.named(int(case.history[t]))) for t in order
    )


def _counterfactual(case: Case, found: LeftOut) -> Counterfactual | None:
    items = needed(case.stand, case.queries, case.history, found, n=case.question.n)
    if items is None:
        return None
    return Counterfactual(tuple(case.named(int(row)) for row in items.items), items.rank)


def _unknown(recommender: Recommender, question: Question, item: str) -> WhyNot:
    items = recommender.catalog.items
    close = difflib.get_close_matches(item, items.ids.head(_N_IDS).to_list(), n=1)
    titles = recommender.presenter.titles
    nearest = Named(close[0], titles[items.row(close[0])]) if close else None
    return WhyNot(Named(item, item), UNKNOWN, question.n, nearest=nearest)


def _let_through(case: Case, barred_by: Sequence[str]) -> Change:
    """Give what lets an item through all that bars it."""
    condition = case.question.filter
    if "filter" not in barred_by or not condition.strip():
        return Change(lift=tuple(barred_by))
    catalog = case.recommender.catalog
    kept = relaxed(condition, lambda clause: not ruled_out(catalog, clause)[case.row])
    return Change(lift=tuple(name for name in barred_by if name != "filter"), filter=kept)


def _arranged(question: Question) -> list[Change]:
    """Give the dials that arrange the slate at rest, one by one, then all of them."""
    turned = tuple(name for name in _REORDERING if getattr(question.dials, name))
    each = [Change(at_rest=(name,)) for name in turned]
    return each if len(turned) < 2 else [*each, Change(at_rest=turned)]


def _touches(case: Case) -> list[Change]:
    """Give the items nearest in meaning to choose one of, then the nearest two, then three."""
    vectors = case.recommender.item_vectors.vectors
    near = vectors @ vectors[case.row]
    near[case.question.excluded[0]] = -1
    near[case.row] = -1
    nearest = np.argsort(-near, kind="stable")[:_N_TOUCHED]
    named = [case.named(int(row)) for row in nearest if near[row] > 0]
    sets = [*((item,) for item in named), *(tuple(named[:n]) for n in (2, 3) if n <= len(named))]
    return [Change(touch=items) for items in sets]


def _sayings(case: Case) -> list[Change]:
    """Give words for the item: its categories, then its title."""
    catalog = case.recommender.catalog
    values: list[str] = []
    for role, cells in catalog.texts():
        if role is Role.CATEGORY:
            values += sorted(values_of(cells[case.row] or ""))
    title = [case.named(case.row).title] if catalog.text_fields else []
    return [Change(say=words) for words in [*values[:_N_SAID], *title]]
