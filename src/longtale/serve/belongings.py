"""Everything that is kept about a user: given to them, and forgotten with a receipt."""

from __future__ import annotations

from longtale import log
from longtale.data.record import RecordKind
from longtale.errors import BundleError, UnknownIdError
from longtale.recommend import bundle
from longtale.recommend.answer import Json
from longtale.serve.audit import Doer
from longtale.serve.records import document_of, taste
from longtale.serve.service import Service

MOST_EXPORTED = 100_000
"""Events and slates of one user that an export holds."""


def export(service: Service, user: str) -> dict[str, Json]:
    """Give all that is kept about a user, also what the model's own data hold of them.

    Raises:
        UnknownIdError: nothing is kept about anybody of this id.
    """
    _make_sure_is_known(service, user)
    events: list[Json] = [
        {"seq": s.seq, "at": s.record.at, "event_id": s.record.id, **dict(s.record.body or {})}
        for s in service.store.recent(RecordKind.EVENT, user, MOST_EXPORTED)
    ]
    slates: list[Json] = [
        {"slate_id": s.id, "at": s.at, **dict(s.body)}
        for s in service.keeper.slates_of(user, MOST_EXPORTED)
    ]
    dataset = service.engine.world.recommender.dataset
    rows = dataset.users.rows([user])
    liked, dismissed = (
        dataset.items.ids_of(found(rows).items) for found in (dataset.histories, dataset.dismissed)
    )
    return {
        "user": user,
        "attributes": document_of(service, RecordKind.USER, user),
        "taste": taste(service, user).model_dump(mode="json"),
        "events": events,
        "slates": slates,
        "history_in_model": [*liked],
        "dismissed_in_model": [*dismissed],
    }


def forget(service: Service, user: str, doer: Doer) -> dict[str, Json]:
    """Forget a user: at once in every answer, then in the files; give the receipt.

    What models learned from all users together stays until the next training.

    Raises:
        UnknownIdError: nothing is kept about anybody of this id.
    """
    _make_sure_is_known(service, user)
    dropped = service.keeper.forget(user)
    with service.noting_the_store():
        receipt, removed = service.engine.forget(user, also=[doer.record()])
        dropped += service.keeper.forget(user)  # slates of answers that were under way
        service.store.compact()
    left = _places(service, user)
    bundles = _forgotten_by_bundles(service, user)
    counts: dict[str, Json] = {
        **removed,
        "slates_not_written_yet": dropped,
        "bundles_written_again": bundles,
    }
    return {
        "receipt": receipt,
        "removed": counts,
        "verified": not left,
        "left": [*left],
        "yours": "remove the user from the tables that the settings name; a training with this log "
        "leaves them out all the same",
    }


def _forgotten_by_bundles(service: Service, user: str) -> int:
    """Write each bundle again that knows a user, without them; one that is not whole stays."""
    written = 0
    for folder in service.registry.folders():
        try:
            written += bundle.forget(folder, user)
        except BundleError as error:
            log.warn("a bundle that is not whole was not written again", reason=str(error))
    return written


def _make_sure_is_known(service: Service, user: str) -> None:
    if not _places(service, user):
        raise UnknownIdError(f"nothing is kept about a user '{user}'")


def _places(service: Service, user: str) -> list[str]:
    """Say where something about a user is found."""
    store, views = service.store, service.engine.views
    found = {
        "events": bool(store.recent(RecordKind.EVENT, user, 1)),
        "attributes": user in views.users or bool(store.recent(RecordKind.USER, user, 1)),
        "taste": user in views.tastes or bool(store.recent(RecordKind.TASTE, user, 1)),
        "slates": bool(service.keeper.slates_of(user, 1)),
        "answers": service.engine.world.knows(user),
    }
    return [name for name, is_found in found.items() if is_found]
