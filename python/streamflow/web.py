"""What a hub tells over HTTP: a single picture, and which streams there are (docs/http.md)."""

from __future__ import annotations

import http.client
import json
import ssl
from dataclasses import dataclass, field
from typing import Any, Optional
from urllib.parse import quote

from . import clock
from .address import Target, target
from .dial import AgainError, NotLetIn, Rights, SockAddr, Way, in_turn
from .errors import NoPictureError, ProtocolError, RefusedError, SealedError, UnreachableError, UsageError, shown
from .picture import Picture
from .session import Moment
from .state import State
from .viewer import SEALED_TEXT, _given
from .wire import LONGEST

# What a list of streams has at most, in bytes.
LIST_MOST = 16 << 20
WORDS_MOST = 4096


@dataclass(frozen=True)
class StreamInfo:
    """A stream, as the hub lists it."""

    room: str
    name: str
    live: bool
    viewers: int
    sealed: bool
    # Why it is not live, for a person.
    reason: str
    # Width and height as it is shown; None where the hub does not know.
    size: Optional[tuple[int, int]]
    # Seconds since the newest picture was captured; None where nobody knows.
    age: Optional[float]
    # All that the hub says, by the names of docs/http.md.
    details: dict[str, Any] = field(repr=False)


def _fetch(wanted: Target, path: str, state: State, most: int, timeout: float) -> tuple[http.client.HTTPResponse, bytes]:
    """Gets a path of the hub. Raises for every status but 200, 403 and 503."""
    hub, rights = wanted.hub, Rights("view", wanted, state)
    # A hub behind a proxy may stand under a path; that of its WebSocket ends with `ws`.
    base = (hub.websocket or "/ws").partition("?")[0].rpartition("/")[0]

    def talk(way: Way) -> tuple[http.client.HTTPResponse, bytes]:
        connection = http.client.HTTPConnection(hub.host, hub.port)
        connection.sock = way.socket
        way.socket.settimeout(timeout)
        fields = {"Host": hub.authority, "User-Agent": "python-streamflow", "Connection": "close"}
        token = rights.show(way)
        if token:
            fields["Authorization"] = b"Bearer " + token.encode()  # type: ignore[assignment]
        try:
            connection.request("GET", base + path, headers=fields)
            response = connection.getresponse()
            body = response.read(most + 1)
        except http.client.HTTPException:
            raise AgainError(f"what answers at {hub} is no StreamFlow hub (it does not speak HTTP)", end=ProtocolError) from None
        except (OSError, ssl.SSLError) as error:
            raise AgainError(f"{hub} does not answer: {shown(str(error))}") from None
        if len(body) > most:
            raise AgainError(f"{hub} answers with more than {most} bytes", end=ProtocolError)
        words = shown(body[:WORDS_MOST].decode("utf-8", "replace").strip()) if response.status != 200 else ""
        is_text = not response.getheader("Content-Type", "").startswith("image/")
        if response.status == 401 or (response.status == 403 and is_text):
            raise NotLetIn(words)
        if response.status in (502, 504):
            raise AgainError(f"{hub} answers: {words or 'nothing more'} ({response.status})")
        if response.status not in (200, 403, 503):
            raise RefusedError(f"{hub} answers: {words or 'nothing more'} ({response.status})")
        return response, body

    def one(address: SockAddr) -> tuple[http.client.HTTPResponse, bytes]:
        return rights.visit(address, talk)

    return in_turn(hub, one)


def snapshot(
    hub: str,
    name: str = "",
    *,
    timeout: float = 30.0,
    token: Optional[str] = None,
    pin: Optional[str] = None,
    tls: Optional[bool] = None,
    state: Optional[str] = None,
) -> Picture:
    """A picture as young as can be, which the hub waits for: it was captured after this was called, where that is possible.

    Arguments as for `view`. Raises NoPictureError, with the hub's reason, where there is none; its `sequence` is 0.
    """
    wanted = target(hub, name, _given(token, "STREAMFLOW_TOKEN", hub), pin, tls)
    if wanted.name:
        path = f"/snapshot/{quote(wanted.room, '')}/{quote(wanted.name, '')}"
    elif wanted.room == "main":
        path = "/snapshot"
    else:
        raise UsageError("a snapshot needs the name of a stream, or is of the first one of room main")
    response, body = _fetch(wanted, path, State(state), LONGEST, timeout)
    received = clock.now()
    if response.status == 403:
        raise SealedError(SEALED_TEXT)
    if response.status == 503:
        raise NoPictureError(f"{wanted.stream}: {shown(body[:WORDS_MOST].decode('utf-8', 'replace').strip())}")
    if body[:2] != b"\xff\xd8":
        raise ProtocolError(f"what answers at {wanted.hub} gives no JPEG")
    estimated, age = response.getheader("X-Age-Estimated") == "1", _number(response.getheader("X-Age-Ms"))
    known = None if age is None or estimated else received - round(age * 1000)
    return Picture(body, 0, Moment.at(known, estimated))


def _number(text: Optional[str]) -> Optional[float]:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if 0 <= number < 1e12 else None


def streams(
    hub: str,
    room: str = "",
    *,
    timeout: float = 10.0,
    token: Optional[str] = None,
    pin: Optional[str] = None,
    tls: Optional[bool] = None,
    state: Optional[str] = None,
) -> list[StreamInfo]:
    """The streams of a hub, or of one of its rooms, that whoever asks may see. Arguments as for `view`."""
    wanted = target(hub, f"{room}/" if room else "", _given(token, "STREAMFLOW_TOKEN", hub), pin, tls)
    path = "/api/streams" + (f"?room={quote(room, '')}" if room else "")
    response, body = _fetch(wanted, path, State(state), LIST_MOST, timeout)
    if response.status != 200:
        raise UnreachableError(f"{wanted.hub} answers: {shown(body[:WORDS_MOST].decode('utf-8', 'replace').strip())}")
    try:
        found = json.loads(body)
        found = found["streams"] if isinstance(found, dict) else found
        return [_info(one) for one in found]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise ProtocolError(f"what answers at {wanted.hub} gives no list of streams") from None


def _info(one: dict[str, Any]) -> StreamInfo:
    width, by, height = str(one.get("size") or "").partition("x")
    age = one.get("newest_age_ms")
    return StreamInfo(
        room=str(one["room"]),
        name=str(one["name"]),
        live=one.get("live") is True,
        viewers=int(one.get("viewers") or 0),
        sealed=one.get("sealed") is True,
        reason=str(one.get("reason") or ""),
        size=(int(width), int(height)) if by else None,
        age=None if age is None or one.get("age_estimated") else float(age) / 1000,
        details=one,
    )
