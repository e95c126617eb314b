"""Asking a trained recommender: `recommend`, `similar`, `search`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from longtale.cli.command import Outcome
from longtale.cli.options import (
    DEFAULT_CONFIG,
    BundleOption,
    ConfigOption,
    FilterOption,
    Length,
    open_bundle,
)
from longtale.cli.render import draw_slate, safe
from longtale.errors import QueryError
from longtale.recommend.answer import Answer
from longtale.recommend.dials import Dials

if TYPE_CHECKING:
    from longtale.recommend.pipeline import Recommender

_N_RECENT = 3


def recommend(
    user: Annotated[
        str | None,
        typer.Argument(help="Id of a known user; without it, anybody.", show_default=False),
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    bundle: BundleOption = None,
    n: Length = 10,
    text: Annotated[
        str, typer.Option("--text", "-t", help='What is wanted in words: "quiet crime, no gore".')
    ] = "",
    history: Annotated[
        list[str] | None,
        typer.Option("--history", help="Id of an item just touched; again for more, oldest first."),
    ] = None,
    condition: FilterOption = "",
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude", help="Id of an item that must not come.")
    ] = None,
    diversity: Annotated[
        float, typer.Option("--diversity", help="How far what resembles gives way, 0 to 1.")
    ] = 0.0,
    long_tail: Annotated[
        float, typer.Option("--long-tail", help="How far less known items are lifted, 0 to 1.")
    ] = 0.0,
    at_most: Annotated[
        list[str] | None,
        typer.Option("--at-most", help="Most items of one value of a column: brand=2."),
    ] = None,
    explore: Annotated[
        float, typer.Option("--explore", help="Chance that a lower place is lent, 0 to 1.")
    ] = 0.0,
) -> Outcome:
    """Recommend to a user, a session, or someone with words.

    An id that begins with a dash stands behind two dashes: longtale recommend -- -7
    """
    limits = dict(_limit(each) for each in at_most or ())
    dials = Dials(diversity=diversity, long_tail=long_tail, at_most=limits, explore=explore)
    recommender = open_bundle(config, bundle)
    answer = recommender.recommend(
        user,
        history=history or (),
        text=text,
        n=n,
        filter=condition,
        exclude=exclude or (),
        dials=dials,
    )
    heading = f"for {'anybody' if user is None else safe(user)}{_context(recommender, user, text)}"
    return slate_outcome(recommender, answer, heading)


def _limit(text: str) -> tuple[str, int]:
    column, _, most = text.partition("=")
    if not most.strip().isdecimal():
        raise QueryError(
            f"--at-most is '{text}'; it must be a column and a number, such as brand=2"
        )
    return column.strip(), int(most)


def similar(
    item: Annotated[str, typer.Argument(help="Id of an item.", show_default=False)],
    config: ConfigOption = DEFAULT_CONFIG,
    bundle: BundleOption = None,
    n: Length = 10,
    condition: FilterOption = "",
) -> Outcome:
    """List the items that go with one item.

    Meaning and what people chose together count alike.
    """
    recommender = open_bundle(config, bundle)
    answer = recommender.similar(item, n=n, filter=condition)
    return slate_outcome(recommender, answer, f"like {_titles(recommender, [item])[item]}")


def search(
    words: Annotated[str, typer.Argument(help="What is looked for.", show_default=False)],
    user: Annotated[
        str | None, typer.Option("--user", "-u", help="Id of a known user, whose taste counts too.")
    ] = None,
    personal: Annotated[
        float, typer.Option("--personal", help="Weight of the user's taste, 0 to 1.")
    ] = 0.3,
    config: ConfigOption = DEFAULT_CONFIG,
    bundle: BundleOption = None,
    n: Length = 10,
    condition: FilterOption = "",
) -> Outcome:
    """Search by meaning, also by the taste of a user."""
    recommender = open_bundle(config, bundle)
    answer = recommender.search(words, user=user, personal=personal, n=n, filter=condition)
    asker = "" if user is None else f", for {safe(user)}"
    return slate_outcome(recommender, answer, f"searched for: {safe(words)}{asker}")


def slate_outcome(recommender: Recommender, answer: Answer, heading: str) -> Outcome:
    """Give a slate as JSON or as a table."""
    titles = _titles(recommender, [item.id for item in answer.items])
    return Outcome(answer.as_dict(), lambda console: draw_slate(console, answer, titles, heading))


def recent_titles(recommender: Recommender, user: str) -> list[str]:
    """Give names of the last items that a user liked, the latest first."""
    import numpy as np

    row = recommender.dataset.users.row(user)
    liked = recommender.dataset.histories(np.array([row])).last(_N_RECENT).items
    titles = recommender.catalog.titles()
    return [safe(titles[item]) for item in reversed(liked.tolist())]


def _context(recommender: Recommender, user: str | None, text: str) -> str:
    liked = [] if user is None else recent_titles(recommender, user)
    after = f", who last liked {' · '.join(liked)}" if liked else ""
    return after + (f", who wants: {safe(text)}" if text.strip() else "")


def _titles(recommender: Recommender, ids: list[str]) -> dict[str, str]:
    titles = recommender.catalog.titles()
    rows = recommender.dataset.items.rows(ids)
    return {one_id: titles[row] for one_id, row in zip(ids, rows.tolist(), strict=True)}
