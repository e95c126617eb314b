"""What may be asked, as models.

Validation, the pointer to a fault, and the OpenAPI page come from the same declaration.
"""

from __future__ import annotations

import reprlib
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)

from longtale.errors import did_you_mean
from longtale.explain.phrases import Audience, Language
from longtale.recommend.dials import Dials
from longtale.serve.documents import DEEPEST, is_too_deep
from longtale.serve.problems import Code, Problem

Id = Annotated[
    str,
    StringConstraints(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]+$"),
]
"""An id of the caller's own: 1 to 256 characters, none of them a control character."""
_ID: TypeAdapter[str] = TypeAdapter(Id)
Words = Annotated[str, StringConstraints(max_length=2000)]


def _shallow(values: dict[str, Any]) -> dict[str, Any]:
    if is_too_deep(values):
        raise ValueError(f"nested too deep; at most {DEEPEST} deep")
    return values


Context = Annotated[dict[str, Any], AfterValidator(_shallow)]
Explain = Literal["none", "codes", "text", "trace"]


class Message(BaseModel):
    """What every message shares: no unknown keys, nothing changes afterwards."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class EventIn(Message):
    """One thing that somebody did with an item."""

    kind: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    """What they did: `view`, `click`, `play`, `cart`, `buy`, `rate`, `dismiss`, or a kind of your
    own that the settings declare."""
    item: Id
    """With which item."""
    user: Id | None = None
    """Who; or give a session."""
    session: Id | None = None
    """Whose visit, where nobody has signed in."""
    event_id: Id | None = None
    """An id of yours: sent again under the same id, the event counts once."""
    value: float | None = Field(default=None, allow_inf_nan=False, ge=-1e12, le=1e12)
    """A rating, a price or seconds."""
    time: AwareDatetime | None = None
    """When; without it, now. At most a day ahead."""
    context: Context | None = None
    """Whatever else you want to keep with it."""
    slate_id: Id | None = None
    """The slate in which the item was shown."""
    rank: int | None = Field(default=None, ge=1, le=10_000)
    """Its place in that slate, 1 is the first."""


class ListQuery(Message):
    """What every list may be asked with."""

    n: int = Field(default=10, ge=1, le=200)
    """How many items."""
    filter: str = Field(default="", max_length=2000)
    """Condition on attributes: `year >= 1990 and genres has 'Drama'`."""
    explain: Explain = "codes"
    """How much is said of each item: nothing, codes with evidence, sentences, or every number."""
    min_seq: int = Field(default=0, ge=0)
    """The answer must know the log up to this number."""


class RecommendQuery(ListQuery):
    """A request for a slate."""

    exclude: tuple[Id, ...] = Field(default=(), max_length=5000)
    """Ids of further items that must not come."""
    history: tuple[Id, ...] = Field(default=(), max_length=500)
    """Ids of items just touched, oldest first, that were not sent as events."""
    text: Words = ""
    """What is wanted, in words: `quiet science fiction, no war`."""
    diversity: float = Field(default=0, ge=0, le=1)
    """How far what resembles the items before it gives way."""
    long_tail: float = Field(default=0, ge=0, le=1)
    """How far less known items are lifted."""
    explore: float = Field(default=0, ge=0, le=1)
    """Chance that a lower place is lent to another item; the answer says with which propensity."""
    at_most: dict[str, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    """By column, the most items of one value: `{"brand": 2}`."""
    at_least_new: int = Field(default=0, ge=0, le=200)
    """How many items that nobody has touched are to be in the slate."""
    context: Context = Field(default_factory=dict)
    """Whatever you want to keep with the slate."""
    budget_ms: float | None = Field(default=None, gt=0)
    """Milliseconds the answer may take: too few, and a quicker part answers (see `degraded`)."""

    @property
    def dials(self) -> Dials:
        """What is turned."""
        return Dials(
            diversity=self.diversity,
            long_tail=self.long_tail,
            at_most=self.at_most,
            at_least_new=self.at_least_new,
            explore=self.explore,
        )


class SessionQuery(RecommendQuery):
    """A request of somebody without an account: their session, what they touched, a wish."""

    session: Id | None = None
    """The session whose events were sent."""


class SimilarQuery(ListQuery):
    """A request for items that go with one."""

    by: Literal["semantic", "together", "blend"] = "blend"
    """By meaning, by what people chose together, or both alike."""


class RankQuery(Message):
    """A list of the caller's own, to be put in order."""

    items: tuple[Id, ...] = Field(min_length=1, max_length=1000)
    """Ids; unknown ones come back in `missing`."""
    user: Id | None = None
    """For whom; or give a session, or neither."""
    session: Id | None = None
    """Whose visit."""
    text: Words = ""
    """What is wanted, in words."""
    explain: Explain = "codes"
    """How much is said of each item."""
    min_seq: int = Field(default=0, ge=0)
    """The answer must know the log up to this number."""


class SearchQuery(ListQuery):
    """A search in words."""

    q: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    """What is looked for."""
    user: Id | None = None
    """Whose taste counts too."""
    personal: float = Field(default=0.3, ge=0, le=1)
    """How much it counts beside the words."""
    correct: bool = True
    """Replace words that no item has by likely ones; the answer says which."""


class SlateQuery(Message):
    """A question for a slate that was served."""

    replay: bool = True
    """Ask the same again now, and say whether the same list comes."""


class ExplainQuery(Message):
    """A question why an item stands in a slate."""

    audience: Audience = "user"
    """Who reads it: `user`, `editor` or `engineer`."""
    language: Language = "en"
    """Of the prose: `en` or `zh`."""


class WhyNotQuery(SessionQuery):
    """A question why an item is not in a slate."""

    item: Id
    """Which item."""
    user: Id | None = None
    """For whom; or give a session, or neither."""
    audience: Audience = "user"
    """Who reads it: `user`, `editor` or `engineer`."""
    language: Language = "en"
    """Of the prose: `en` or `zh`."""


class Page(Message):
    """A request for the next part of a long list."""

    limit: int = Field(default=100, ge=1, le=1000)
    """How many."""
    cursor: str = Field(default="", max_length=512)
    """Where to go on: what the part before gave as `next`; empty begins at the start."""
    filter: str = Field(default="", max_length=2000)
    """Condition on attributes."""


_BRIEF = reprlib.Repr()  # goes no deeper than it shows, however deep a value is
_BRIEF.maxstring = _BRIEF.maxother = _BRIEF.maxlong = 80
_M = TypeVar("_M", bound=BaseModel)


@dataclass(frozen=True)
class Fault:
    """What is wrong with a message, for programs (`code`) and for people.

    Args:
        code: `unknown_field`, `missing_field` or `invalid_field`; events know more.
        pointer: JSON pointer to the part that is wrong.
        detail: what is wrong, with the value seen.
        hint: what is allowed.
    """

    code: str
    pointer: str
    detail: str
    hint: str


def parsed(model: type[_M], values: object) -> _M:
    """Check plain values against a message.

    Raises:
        Problem: the first fault, with the pointer to it.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        found = fault(model, error)
        raise Problem(Code.BAD_DATA, found.detail, pointer=found.pointer, hint=found.hint) from None


def checked_id(own_id: str) -> str:
    """Give an id back under which something may be kept.

    Raises:
        Problem: it is too long, or holds control characters.
    """
    try:
        return _ID.validate_python(own_id)
    except ValidationError as error:
        hint = error.errors(include_url=False)[0]["msg"]
        raise Problem(
            Code.BAD_DATA, f"the id is {_shown(own_id)}", pointer="/id", hint=hint
        ) from None


def fault(model: type[BaseModel], error: ValidationError) -> Fault:
    """Give the first thing that validation found."""
    first = error.errors(include_url=False, include_context=False)[0]
    parts = [str(part) for part in first["loc"]]
    pointer = pointer_to(*parts)
    name = ".".join(parts)[:80] or "the body"
    if first["type"] == "extra_forbidden":
        allowed = sorted(model.model_fields)
        hint = f"allowed are {', '.join(allowed)}{did_you_mean(parts[-1], allowed)}"
        return Fault("unknown_field", pointer, f"unknown field '{name}'", hint)
    if first["type"] == "missing":
        return Fault("missing_field", pointer, f"'{name}' is missing", "give it")
    return Fault("invalid_field", pointer, f"'{name}' is {_shown(first['input'])}", first["msg"])


def pointer_to(*parts: str) -> str:
    """Give the JSON pointer (RFC 6901) to a part of a body.

    Example:
        >>> pointer_to("a/b", "0")
        '/a~1b/0'
    """
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)


def _shown(value: object) -> str:
    text = _BRIEF.repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
