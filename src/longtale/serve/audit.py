"""Who changed what: a record in the log beside each change, kept or lost together with it."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

from longtale.data.record import Record, RecordKind, Stored
from longtale.recommend.answer import Json


@dataclass(frozen=True)
class Doer:
    """Who asks for a change, and by which request.

    Args:
        key: id of the key; `local` where no key was ever made.
        method: of HTTP.
        route: the path as it is declared, so that it holds no id of a user.
    """

    key: str
    method: str
    route: str

    def record(self, subject: str | None = None, **facts: Json) -> Record:
        """Give the record that tells of a change.

        Args:
            subject: id of what was changed; None where that is a user, who may be forgotten.
            facts: whatever else is worth knowing.
        """
        body = {"method": self.method, "route": self.route, **facts}
        if subject is not None:
            body["subject"] = subject
        return Record(RecordKind.AUDIT, self.key, body, uuid.uuid4().hex, time.time_ns() // 1000)


def told(stored: Stored) -> dict[str, Json]:
    """Give a record of a change as plain values.

    Example:
        >>> record = Doer("local", "PUT", "/v1/rules/{id}").record("summer")
        >>> told(Stored(7, record))["subject"]
        'summer'
    """
    record = stored.record
    at = datetime.fromtimestamp(record.at / 1_000_000, UTC)
    body = {} if record.body is None else dict(record.body)
    return {"seq": stored.seq, "at": at.isoformat(), "key": record.subject, **body}
