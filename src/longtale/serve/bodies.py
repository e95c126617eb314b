"""The body of a request as it comes: unpacked piece by piece, counted, cut off at its limit."""

from __future__ import annotations

import asyncio
import re
import zlib

from starlette.types import Receive, Scope

from longtale.serve.headers import RawHeaders, header
from longtale.serve.problems import Code, Problem

PIECE_BYTES = 256 * 1024
"""Most bytes that are unpacked at once."""
CLOSE = {"Connection": "close"}
"""What is still to come of a refused body is not waited for."""
_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"""What zlib wants to be told of each packing (zlib manual, inflateInit2)."""
_LENGTH = re.compile(rb"[0-9]{1,18}")


class Body:
    """A body as it comes.

    Args:
        scope: of the request; says how the body is packed and how long it is.
        receive: where it comes from.
        limit: most bytes, packed as well as unpacked.

    Raises:
        Problem: it says that it is longer, or packed in a way that is not read here.
    """

    def __init__(self, scope: Scope, receive: Receive, limit: int) -> None:
        self.receive = receive
        self.n_bytes = 0
        """Bytes given so far."""
        self.is_over = False
        self._limit = limit
        self._n_sent = 0
        self._check(_announced(scope["headers"]))
        bits = _window_bits(scope["headers"])
        self._zip = None if bits is None else zlib.decompressobj(bits)
        self._packed = b""
        self._has_more = True

    async def next(self) -> bytes | None:
        """Give the next piece, which may be empty; None where whoever sent it is gone.

        Raises:
            Problem: it is too long, or not packed as it says.
        """
        if self._packed:
            await asyncio.sleep(0)  # others get their turn between the pieces of a large chunk
        else:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                return None
            self._packed = message.get("body", b"")
            self._has_more = message.get("more_body", False)
            self._n_sent += len(self._packed)
            self._check(self._n_sent)
        piece = self._unpacked()
        self.n_bytes += len(piece)
        self._check(self.n_bytes)
        self.is_over = not (self._has_more or self._packed)
        if self.is_over and self._zip is not None and not self._zip.eof:
            raise _not_packed_so("it ends too early")
        return piece

    def _unpacked(self) -> bytes:
        """Unpack as much as may be unpacked at once of what has come."""
        if self._zip is None:
            piece, self._packed = self._packed, b""
            return piece
        try:
            piece = self._zip.decompress(self._packed, PIECE_BYTES)
        except zlib.error as error:
            raise _not_packed_so(str(error)) from None
        if self._zip.unused_data:
            raise _not_packed_so("something stands behind its end")
        self._packed = self._zip.unconsumed_tail
        return piece

    def _check(self, n_bytes: int) -> None:
        if n_bytes > self._limit:
            raise Problem(
                Code.BODY_TOO_LARGE,
                f"the body has more than {self._limit} bytes, which is the most that is read here",
                hint="send it in parts; many rows go to /v1/bulk",
                headers=CLOSE,
            )


def has_body(scope: Scope) -> bool:
    """Say whether a request has a body; before HTTP/2 its headers tell."""
    if scope.get("http_version", "1.1") not in ("1.0", "1.1"):
        return True
    headers = scope["headers"]
    return header(headers, b"transfer-encoding") is not None or (
        header(headers, b"content-length") not in (None, b"0")
    )


def forget_packing(scope: Scope, n_bytes: int | None) -> None:
    """Let the headers describe the body as it is handed on; None where its length is not known."""
    packing = (b"content-encoding", b"content-length", b"transfer-encoding")
    headers = [pair for pair in scope["headers"] if pair[0] not in packing]
    if n_bytes is not None:
        headers.append((b"content-length", str(n_bytes).encode("ascii")))
    scope["headers"] = headers


def packings(headers: RawHeaders) -> list[str]:
    """Give the packings that a body says it has, in the order in which they were put on.

    Example:
        >>> packings([(b"content-encoding", b"identity, GZip")])
        ['gzip']
    """
    said = [value.decode("latin-1") for name, value in headers if name == b"content-encoding"]
    words = (word.strip(" \t").lower() for word in ",".join(said).split(","))
    return [word for word in words if word not in ("", "identity")]


def _window_bits(headers: RawHeaders) -> int | None:
    found = packings(headers)
    if not found:
        return None
    if len(found) > 1 or found[0] not in _WINDOW_BITS:
        raise Problem(
            Code.BAD_ENCODING,
            f"the body is packed as '{', '.join(found)[:80]}'; read are gzip and deflate, once",
            hint="send it as it is, or packed with gzip",
            headers={"Accept-Encoding": "gzip, deflate", **CLOSE},
        )
    return _WINDOW_BITS[found[0]]


def _announced(headers: RawHeaders) -> int:
    """Give the length that the headers announce, 0 where they say none."""
    said = {value for name, value in headers if name == b"content-length"}
    if not said:
        return 0
    if len(said) > 1 or not _LENGTH.fullmatch(value := said.pop()):
        raise Problem(Code.BAD_REQUEST, "Content-Length is not one whole number", headers=CLOSE)
    return int(value)


def _not_packed_so(why: str) -> Problem:
    return Problem(
        Code.BAD_BODY, f"the body is not packed as Content-Encoding says: {why}", headers=CLOSE
    )
