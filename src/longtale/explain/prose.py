"""Why an item is there, in words, by template: for a user, an editor or an engineer.

A user gets one friendly sentence, an editor the reasons with their shares and what the item owes
its place to, an engineer every number. Each sentence is built from a reason's own evidence: items
are named that were found to lift the item, counts are those of the data, and where a reason has no
evidence the sentence claims none.
"""

from __future__ import annotations

from collections.abc import Mapping

from longtale.explain.codes import ALIKE, CITING, FILLS, SAYINGS, TOGETHER
from longtale.explain.counterfactual import MOST
from longtale.explain.explanation import Effect, Explanation, Named, Why
from longtale.explain.phrases import Audience, Language, Phrases, phrases_of

_SECOND = 0.25
"""A user is told a second reason where it has at least this weight."""
_COUNTED = (TOGETHER, "chosen_after")
"""Codes that say that people chose both: only items that somebody chose too are named with them."""


def told(explanation: Explanation, audience: Audience = "user", language: Language = "en") -> str:
    """Put an explanation into words.

    Args:
        explanation: what was found.
        audience: `user`, `editor` or `engineer`.
        language: `en` or `zh`; what an engineer reads is numbers, named as in the code.

    Raises:
        QueryError: there is no such audience, or no such language.
    """
    phrases = phrases_of(audience, language)
    if audience == "engineer":
        return numbers(explanation)
    write = _to_user if audience == "user" else _to_editor
    return write(explanation, phrases)


def clause(why: Why, phrases: Phrases) -> str:
    """Give what follows "because" for one reason, with its own evidence."""
    cited = [c for c in why.evidence if why.code not in _COUNTED or c.together]
    items = phrases.listed([phrases.titled(c.item.title) for c in cited]) if cited else phrases.own
    said = phrases.clause(SAYINGS[why.code]).format(items)
    if cited and why.code not in CITING:
        said += phrases.owing.format(items=items)
    if why.code == ALIKE and len(cited) == 1 and cited[0].words:
        said += phrases.mention.format(words=phrases.listed(cited[0].words))
    if why.words:
        said += phrases.matched.format(words=phrases.listed(why.words))
    return said


def _to_user(explanation: Explanation, phrases: Phrases) -> str:
    item = phrases.titled(explanation.item.title)
    first, *others = explanation.reasons
    if first.code == FILLS:
        return phrases.fills.format(item=item)
    told = [first, *(why for why in others[:1] if why.weight >= _SECOND)]
    whys = phrases.second.join(clause(why, phrases) for why in told)
    template = phrases.not_here if explanation.place is None else phrases.here
    return template.format(item=item, why=whys)


def _to_editor(explanation: Explanation, phrases: Phrases) -> str:
    text = phrases.standing.format(
        item=phrases.titled(explanation.item.title),
        band=phrases.bands[explanation.band.value],
        times=phrases.times(explanation.n_events),
        rank=explanation.rank,
        of=explanation.n_candidates,
    )
    for why in explanation.reasons:
        text += phrases.share.format(weight=why.weight, why=clause(why, phrases))
    found = explanation.counterfactual
    if found is not None:
        names = phrases.listed([phrases.titled(item.title) for item in found.without])
        text += phrases.needed.format(items=names, rank=found.rank, n=explanation.n)
    elif explanation.history and explanation.rank <= explanation.n:
        text += phrases.not_needed.format(most=MOST, n=explanation.n)
    if explanation.barred_by is not None:
        text += phrases.barred.format(stage=explanation.barred_by)
    return text


def numbers(explanation: Explanation) -> str:
    """Give every number, one kind a line, with names as in the code."""
    score = "none" if explanation.score is None else f"{explanation.score:.4f}"
    lines = [
        f"item {_shown(explanation.item)} band={explanation.band.value} "
        f"n_events={explanation.n_events} rank={explanation.rank}/{explanation.n_candidates} "
        f"place={explanation.place} n={explanation.n} score={score} mean={explanation.mean:.4f} "
        f"barred_by={explanation.barred_by}",
        f"contributions {_signed(explanation.contributions, explanation.errors)}",
        f"weights {_signed(explanation.weights, {})}",
    ]
    for why in explanation.reasons:
        cited = "; ".join(
            f"{_shown(c.item)} drop={c.drop:+.4f} together={c.together} words={','.join(c.words)}"
            for c in why.evidence
        )
        lines.append(
            f"reason {why.code} weight={why.weight:.4f} sources={','.join(why.sources)} "
            f"words={','.join(why.words)} evidence: {cited or 'none'}"
        )
    left = "; ".join(_effect(effect) for effect in explanation.history)
    lines.append(f"without {len(explanation.history)}/{explanation.n_history}: {left or 'none'}")
    if explanation.words is not None:
        lines.append(f"without words: {_effect(explanation.words)}")
    found = explanation.counterfactual
    needed = "none" if found is None else ", ".join(_shown(item) for item in found.without)
    lines.append(f"counterfactual {needed}" + ("" if found is None else f" rank={found.rank}"))
    return "\n".join(lines)


def _effect(effect: Effect) -> str:
    named = "" if effect.item is None else f"{_shown(effect.item)} "
    return f"{named}drop={effect.drop:+.4f} rank={effect.rank}"


def _signed(values: Mapping[str, float], errors: Mapping[str, float]) -> str:
    return " ".join(
        f"{name}={value:+.4f}" + (f"±{errors[name]:.4f}" if name in errors else "")
        for name, value in values.items()
    )


def _shown(item: Named) -> str:
    return f"{item.id} '{' '.join(item.title.split())}'"
