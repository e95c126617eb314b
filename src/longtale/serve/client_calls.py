"""What a client can ask for, without the network: plans of calls, the same for both clients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict, Unpack

from longtale.errors import ServiceError
from longtale.recommend.answer import Answer, Json
from longtale.serve.client_answers import Ranking, answer_of, ranking_of
from longtale.serve.client_request import Call, Plan, get, path_of, sending

Document = dict[str, Any]
Row = Mapping[str, Any]
Audience = Literal["user", "editor", "engineer"]
Language = Literal["en", "zh"]
Explain = Literal["none", "codes", "text", "trace"]


class ListOptions(TypedDict, total=False):
    """What every list may be asked with; what is left out is as the service has it."""

    n: int
    filter: str
    explain: Explain
    min_seq: int


class RecommendOptions(ListOptions, total=False):
    """What a slate may be asked with."""

    exclude: Sequence[str]
    history: Sequence[str]
    text: str
    diversity: float
    long_tail: float
    explore: float
    at_most: Mapping[str, int]
    at_least_new: int
    context: Mapping[str, Json]
    budget_ms: float


class SessionOptions(RecommendOptions, total=False):
    """What a slate for somebody without an account may be asked with."""

    session: str


class SimilarOptions(ListOptions, total=False):
    """What items like another may be asked with."""

    by: Literal["semantic", "together", "blend"]


class RankOptions(TypedDict, total=False):
    """What an order may be asked with."""

    user: str
    session: str
    text: str
    explain: Explain
    min_seq: int


class SearchOptions(ListOptions, total=False):
    """What a search may be asked with."""

    user: str
    personal: float
    correct: bool


class WhyNotOptions(SessionOptions, total=False):
    """What the list was asked with in which an item is missed, and for whom the answer is."""

    audience: Audience
    language: Language


def recommend(user: str, **asked: Unpack[RecommendOptions]) -> Plan[Answer]:
    """Give a slate for a user; one who is not known yet is a newcomer."""
    return answer_of((yield sending("POST", path_of("recommend", user), asked)))


def session_recommend(**asked: Unpack[SessionOptions]) -> Plan[Answer]:
    """Give a slate for somebody without an account: by what they touched, by a wish in words."""
    return answer_of((yield sending("POST", "/v1/sessions/recommend", asked)))


def similar(item: str, **asked: Unpack[SimilarOptions]) -> Plan[Answer]:
    """Give the items that go with one item."""
    query: Mapping[str, Any] = asked
    return answer_of((yield get(path_of("similar", item), query)))


def rank(items: Sequence[str], **asked: Unpack[RankOptions]) -> Plan[Ranking]:
    """Put up to 1,000 items of your own in order."""
    return ranking_of((yield sending("POST", "/v1/rank", {"items": list(items), **asked})))


def search(q: str, **asked: Unpack[SearchOptions]) -> Plan[Answer]:
    """Find items by words, for one user rather those that suit them."""
    return answer_of((yield sending("POST", "/v1/search", {"q": q, **asked})))


def put_item(item: str, attributes: Row) -> Plan[Document]:
    """Set an item as it is from now on."""
    return (yield sending("PUT", path_of("items", item), attributes))


def get_item(item: str) -> Plan[Document]:
    """Give an item."""
    return (yield get(path_of("items", item)))


def patch_item(item: str, changes: Row) -> Plan[Document]:
    """Change some attributes of an item; None takes one away."""
    return (yield sending("PATCH", path_of("items", item), changes))


def delete_item(item: str) -> Plan[Document]:
    """Take an item out of every list."""
    return (yield Call("DELETE", path_of("items", item)))


def put_user(user: str, attributes: Row) -> Plan[Document]:
    """Set a user's attributes as they are from now on."""
    return (yield sending("PUT", path_of("users", user), attributes))


def get_user(user: str) -> Plan[Document]:
    """Give a user's attributes."""
    return (yield get(path_of("users", user)))


def patch_user(user: str, changes: Row) -> Plan[Document]:
    """Change some attributes of a user; None takes one away."""
    return (yield sending("PATCH", path_of("users", user), changes))


def delete_user(user: str) -> Plan[Document]:
    """Drop a user's attributes; `forget` drops all that is known of them."""
    return (yield Call("DELETE", path_of("users", user)))


def taste(user: str) -> Plan[Document]:
    """Give what a user asked for more or less of, and what they muted."""
    return (yield get(path_of("users", user, "taste")))


def put_taste(
    user: str, *, more: Sequence[str] = (), less: Sequence[str] = (), muted: Sequence[str] = ()
) -> Plan[Document]:
    """Set what a user asks for more or less of, and which items never come."""
    body = {"more": list(more), "less": list(less), "muted": list(muted)}
    return (yield sending("PUT", path_of("users", user, "taste"), body))


def export(user: str) -> Plan[Document]:
    """Give everything that is kept about a user."""
    return (yield get(path_of("users", user, "export")))


def forget(user: str) -> Plan[Document]:
    """Forget a user everywhere; the receipt says what was removed where."""
    return (yield sending("POST", path_of("users", user, "forget"), {}))


def slate(slate_id: str, *, replay: bool = True) -> Plan[Document]:
    """Give a list exactly as it was served, and, to replay it, what the same question gives now."""
    return (yield get(path_of("slates", slate_id), {"replay": replay}))


def explain(
    slate_id: str, item: str, *, audience: Audience = "user", language: Language = "en"
) -> Plan[Document]:
    """Say why an item is in a slate."""
    query = {"audience": audience, "language": language}
    return (yield get(path_of("explain", slate_id, item), query))


def why_not(user: str | None, item: str, **asked: Unpack[WhyNotOptions]) -> Plan[Document]:
    """Say at which stage an item fell out of a user's list, and what would let it in."""
    whom = {} if user is None else {"user": user}
    return (yield get("/v1/why-not", {"item": item, **whom, **asked}))


def rules() -> Plan[Document]:
    """Give the rules of the editors."""
    return (yield get("/v1/rules"))


def put_rule(rule_id: str, rule: Row) -> Plan[Document]:
    """Set a rule: pin, boost, bury, hide, or limit per group."""
    return (yield sending("PUT", path_of("rules", rule_id), rule))


def delete_rule(rule_id: str) -> Plan[Document]:
    """Take a rule away."""
    return (yield Call("DELETE", path_of("rules", rule_id)))


def preview(rule: Row, *, user: str | None = None, n: int = 10) -> Plan[Document]:
    """Show what a rule would change, without setting it."""
    whom = {} if user is None else {"user": user}
    return (yield sending("POST", "/v1/rules/preview", {"rule": rule, "n": n, **whom}))


def models() -> Plan[Document]:
    """Give the bundles that may answer."""
    return (yield get("/v1/models"))


def promote(version: str) -> Plan[Document]:
    """Let another bundle answer."""
    return (yield sending("POST", path_of("models", version, "promote"), {}))


def rollback() -> Plan[Document]:
    """Let the model before this one answer again."""
    # Twice would be two steps back: it is asked again only where it surely was not done.
    return (yield Call("POST", "/v1/models/rollback", body=b"{}", is_repeatable=False))


def status() -> Plan[Document]:
    """Say how things stand: model, log, catalogue, what is degraded and why."""
    return (yield get("/v1/status"))


def ready() -> Plan[bool]:
    """Say whether the service can answer now; one that cannot be reached cannot."""
    try:
        yield Call("GET", "/v1/health/ready", is_patient=False)
    except ServiceError:
        return False
    return True
