"""One answer within bounds: how long it may take in all, how large it may become, and which text it is.

A server that sends a byte a second never runs into a timeout of the single read, and two megabytes can unpack to four
gigabytes.
"""

from __future__ import annotations

import codecs
import json
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import httpcore
import httpx

# A thousand full contacts are a tenth of it. What is larger is asked for in smaller pages.
MOST_BYTES = 32_000_000

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)
# zlib's names of the formats; a deflate stream comes with its header or without.
_GZIP, _DEFLATE, _BARE_DEFLATE = 31, 15, -15
_FORMATS = {"gzip": (_GZIP,), "x-gzip": (_GZIP,), "deflate": (_DEFLATE, _BARE_DEFLATE)}


class Unpackable(Exception):
    """A body that cannot be unpacked within bounds; its text says why."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """What is read and written in this thread, by a client that is `bounded`, ends with a timeout after so long."""
    token = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


def bounded(client: httpx.Client) -> httpx.Client:
    """The client, heeding `within`: the timeouts of httpx 0.28 are of single reads, and start anew with each byte."""
    for transport in (client._transport, *client._mounts.values()):
        if isinstance(transport, httpx.HTTPTransport):
            pool = transport._pool
            pool._network_backend = _Backend(pool._network_backend)
    return client


def content(response: httpx.Response) -> bytes:
    """The body of a response that was sent as a stream, unpacked. Raises `Unpackable`."""
    if response.is_stream_consumed:
        # A transport that is none of a network has read and unpacked it.
        return response.content
    packed = bytearray()
    for chunk in response.iter_raw():
        packed += chunk
        if len(packed) > MOST_BYTES:
            raise Unpackable(f"more than {MOST_BYTES / 1e6:.0f} MB")
    body = bytes(packed)
    codings = response.headers.get("content-encoding", "").lower().split(",")
    for coding in reversed([name.strip() for name in codings]):
        if body and coding not in ("", "identity"):
            body = _unpacked(body, coding)
    return body


def text(body: bytes, charset: str | None) -> str:
    """The text that a body is: JSON is UTF-8, or one of its siblings, whatever it is called; only else as it says."""
    for encoding in (json.detect_encoding(body), charset):
        if encoding is None:
            continue
        try:
            # Some servers mark their JSON as UTF-8 with a character that JSON does not have.
            return codecs.decode(body, encoding).removeprefix("\ufeff") if _is_of_text(encoding) else _garbled(body)
        except UnicodeError:
            continue
    return _garbled(body)


def _garbled(body: bytes) -> str:
    return body.decode("utf-8", errors="replace").removeprefix("\ufeff")


def _is_of_text(encoding: str) -> bool:
    try:
        # `hex` and `zlib` are codecs too, and a name may hold what no name may.
        return isinstance("".encode(encoding), bytes)
    except (LookupError, UnicodeError, ValueError):
        return False


def _unpacked(body: bytes, coding: str) -> bytes:
    for form in _FORMATS.get(coding, ()):
        unpacker = zlib.decompressobj(form)
        try:
            unpacked = unpacker.decompress(body, MOST_BYTES + 1)
        except zlib.error:
            continue
        if len(unpacked) > MOST_BYTES:
            raise Unpackable(f"more than {MOST_BYTES / 1e6:.0f} MB once it is unpacked")
        if not unpacker.eof:
            raise Unpackable("it breaks off")
        return unpacked
    raise Unpackable("it is packed in another way than was asked for, or damaged")


def _left(timeout: float | None) -> float | None:
    deadline = _deadline.get()
    if deadline is None:
        return timeout
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("no whole answer in time")
    return left if timeout is None else min(timeout, left)


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None) -> _Stream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    def __init__(self, backend: httpcore.NetworkBackend) -> None:
        self._backend = backend

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> _Stream:
        return _Stream(self._backend.connect_tcp(host, port, _left(timeout), local_address, socket_options))
