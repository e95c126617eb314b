"""Why an item is not there, in words, by template: for a user, an editor or an engineer."""

from __future__ import annotations

from typing import Any

from longtale.explain.phrases import Audience, Language, Phrases, phrases_of
from longtale.explain.why_not import UNKNOWN, Change, Tried, WhyNot

_OF_USERS = frozenset({"muted", "excluded", "filter"})
"""Stages at which a user decides; what editors decide is not proposed to users."""


def refused(why_not: WhyNot, audience: Audience = "user", language: Language = "en") -> str:
    """Put into words why an item is not there, and what would let it in.

    Args:
        why_not: what was found.
        audience: a `user` is told of one change that is theirs to make, an `editor` of all, an
            `engineer` of all numbers.
        language: `en` or `zh`; what an engineer reads is named as in the code.

    Raises:
        QueryError: there is no such audience, or no such language.
    """
    phrases = phrases_of(audience, language)
    if audience == "engineer":
        return _numbers(why_not)
    text = phrases.stages.get(why_not.stage, phrases.other_stage).format(
        item=phrases.titled(why_not.item.title),
        stage=why_not.stage,
        rank=why_not.rank,
        of=why_not.n_candidates,
        n=why_not.n,
    )
    if why_not.stage == UNKNOWN and why_not.nearest is not None:
        text += phrases.nearest.format(item=phrases.titled(why_not.nearest.title))
    if audience == "editor":
        return text + "".join(
            phrases.lets_in.format(change=_change(tried, phrases)) for tried in why_not.changes
        )
    own = [tried for tried in why_not.changes if set(tried.change.lift) <= _OF_USERS]
    return text + "".join(
        phrases.lets_in.format(change=_said(tried.change, phrases)) for tried in own[:1]
    )


def _change(tried: Tried, phrases: Phrases) -> str:
    return _said(tried.change, phrases) + phrases.at_rank.format(rank=tried.rank)


def _said(change: Change, phrases: Phrases) -> str:
    parts = []
    for name, template in phrases.changes.items():
        value = getattr(change, name)
        if name == "filter" and value is not None and not value:
            parts.append(phrases.no_filter)
        elif value not in (None, ()):
            parts.append(template.format(_shown(name, value, phrases)))
    return phrases.listed(parts)


def _shown(name: str, value: Any, phrases: Phrases) -> Any:
    if name == "touch":
        return phrases.listed([phrases.titled(item.title) for item in value])
    if name == "say":
        return phrases.titled(value)
    return phrases.comma.join(value) if isinstance(value, tuple) else value


def _numbers(why_not: WhyNot) -> str:
    lines = [
        f"item {why_not.item.id} '{' '.join(why_not.item.title.split())}' stage={why_not.stage} "
        f"barred_by={','.join(why_not.barred_by)} rank={why_not.rank}/{why_not.n_candidates} "
        f"n={why_not.n} nearest={why_not.nearest and why_not.nearest.id}"
    ]
    for tried in why_not.changes:
        change = " ".join(f"{name}={value}" for name, value in tried.change.as_dict().items())
        lines.append(f"change {change} rank={tried.rank}")
    return "\n".join(lines)
