"""One line of JSON for each request, without anything that says who asked or what they wrote."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import secrets
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

_logger = logging.getLogger("longtale.requests")
_MADE_BY_MACHINE = re.compile(
    r"(?=[0-9]*[a-f])(?:[0-9a-f]{16,64}|[0-9a-f]{8}(?:-[0-9a-f]{4,12}){4})"
)
"""A request id that is logged as it came: hexadecimal or a UUID. Others may be a name or a number
of somebody, since whoever asks may choose them."""


class RequestLog:
    """Logs requests under `longtale.requests`.

    An id of a user, a key or a client stands as a keyed hash (BLAKE2b), so that lines of one person
    can be put together while the process lives, and nobody can say whose they are.

    Args:
        salt: the key of the hash; None draws one that is never written anywhere.
    """

    def __init__(self, salt: bytes | None = None) -> None:
        self._salt = secrets.token_bytes(16) if salt is None else salt

    def answered(
        self,
        *,
        request_id: str,
        route: str,
        method: str,
        status: int,
        ms: float,
        degraded: Sequence[str] = (),
        user: str | None = None,
        key: str | None = None,
    ) -> None:
        """Log a request; a warning where the service is to blame.

        Args:
            request_id: of `X-Request-ID`.
            route: the path as it is declared, with `{user}` in place of the user.
            method: of HTTP.
            status: of the answer.
            ms: milliseconds that it took.
            degraded: parts that were stood in for.
            user: whom it was about; hashed.
            key: id of the key it came with; hashed.
        """
        fields: dict[str, object] = {
            "request_id": self._shown(request_id),
            "route": route,
            "method": method,
            "status": status,
            "ms": round(ms, 3),
        }
        if degraded:
            fields["degraded"] = list(degraded)
        if user is not None:
            fields["user"] = self.hashed(user)
        if key is not None:
            fields["key"] = self.hashed(key)
        level = logging.WARNING if status >= 500 else logging.INFO
        _logger.log(level, "answered a request", extra={"fields": fields})

    def hashed(self, identifier: str) -> str:
        """Give what stands for an id in the lines of this process."""
        content = identifier.encode("utf-8", "surrogatepass")
        return hashlib.blake2b(content, key=self._salt, digest_size=8).hexdigest()

    def _shown(self, request_id: str) -> str:
        known = _MADE_BY_MACHINE.fullmatch(request_id.lower())
        return request_id if known else f"hashed-{self.hashed(request_id)}"


class JsonLines(logging.Formatter):
    """Writes each record of any logger as one JSON object in one line.

    Of an error it writes the class and where it was raised, and leaves out the message, which may
    quote what somebody sent.

    Example:
        >>> record = logging.LogRecord("longtale", 20, "", 0, "learnt users=%d", (3,), None)
        >>> json.loads(JsonLines().format(record))["message"]
        'learnt users=3'
    """

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= getattr(record, "fields", {})
        if record.exc_info is not None and record.exc_info[0] is not None:
            error, _, tail = record.exc_info
            line["error"] = error.__name__
            line["at"] = [
                f"{Path(frame.filename).name}:{frame.lineno} {frame.name}"
                for frame in traceback.extract_tb(tail)
            ]
        return json.dumps(line, ensure_ascii=True)
