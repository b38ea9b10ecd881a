"""Where a hub is, as people and links write it. The same rules as those of the programs."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field, replace
from typing import Optional
from urllib.parse import unquote_to_bytes

from .der import Fingerprint
from .errors import UsageError, shown

PORT = 8002
SECRET_MOST = 4096


class Secret(str):
    """What lets somebody in, or a key. It does not show in what is printed for debugging."""

    def __repr__(self) -> str:
        return "Secret(…)"

    @classmethod
    def checked(cls, text: str, what: str = "token") -> Secret:
        """One that somebody typed or kept in a file."""
        if not text:
            raise UsageError(f"the {what} is empty")
        if len(text.encode("utf-8", "replace")) > SECRET_MOST:
            raise UsageError(f"the {what} is too long")
        if any(c < " " or "\x7f" <= c <= "\x9f" or "\ud800" <= c <= "\udfff" for c in text):
            raise UsageError(f"the {what} has control characters")
        return cls(text)

    @classmethod
    def of_url(cls, text: str, what: str = "token") -> Secret:
        """The same as it stands in a URL."""
        if len(text) > 3 * SECRET_MOST:
            raise UsageError(f"the {what} is too long")
        try:
            return cls.checked(unquote_to_bytes(text).decode("utf-8"), what)
        except UnicodeDecodeError:
            raise UsageError(f"the {what} is no text") from None


@dataclass(frozen=True)
class Address:
    """The address of a hub."""

    host: str
    port: int = PORT
    # The path of the WebSocket, where packets travel as its messages.
    websocket: Optional[str] = None
    # True: encrypted in any case; False: never; None: where it leaves this machine.
    tls: Optional[bool] = None
    pin: Optional[Fingerprint] = None
    token: Optional[Secret] = field(default=None, repr=False)

    @property
    def place(self) -> str:
        """What the hub is called where its key and what lets in are kept."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def authority(self) -> str:
        """The same without the zone of an IPv6 address, which means nothing to the other side."""
        return replace(self, host=self.name).place

    @property
    def name(self) -> str:
        """The host without a zone."""
        return self.host.partition("%")[0]

    def __str__(self) -> str:
        if self.websocket is None:
            return self.place
        return f"{'wss' if self.tls else 'ws'}://{self.place}{self.websocket}"


@dataclass(frozen=True)
class Target:
    """A hub, and the stream that is wanted there."""

    hub: Address
    room: str
    # Empty: the first stream there is in the room.
    name: str
    key: Optional[Secret] = field(default=None, repr=False)

    @property
    def stream(self) -> str:
        """The stream, for a person."""
        return f"{self.room}/{self.name}" if self.name else self.room


def parse_address(text: str) -> Address:
    """Reads HOST, HOST:PORT, [IPv6]:PORT, ws://HOST[:PORT][/PATH], wss://… . Raises UsageError."""

    def wrong(why: str) -> UsageError:
        # A link may have been pasted here, with a secret behind its `#`.
        front = shown(text.partition("#")[0])
        return UsageError(f"'{front}' is no hub address: {why}; write HOST, HOST:PORT, wss://HOST:PORT/PATH or a link (sf://…)")

    scheme, split, rest = text.partition("://")
    websocket, tls = None, None
    if not split:
        rest = text
    elif scheme in ("ws", "wss"):
        rest, _, path = rest.partition("/")
        websocket, tls = "/" + (path or "ws"), scheme == "wss"
        if not re.fullmatch(r"[!-~]*", websocket) or "#" in websocket:
            raise wrong("the path has characters that no URL has")
    else:
        raise wrong(f"'{shown(scheme)}' is no scheme of ours")
    port: Optional[str]
    if rest.startswith("["):
        host, closed, after = rest[1:].partition("]")
        if not closed:
            raise wrong("the bracket is not closed")
        if after and not after.startswith(":"):
            raise wrong("after the bracket comes :PORT or nothing")
        port = after[1:] if after else None
    elif rest.count(":") > 1:
        host, port = rest, None
    else:
        host, colon, after = rest.partition(":")
        port = after if colon else None
    # In URLs the zone of an IPv6 address stands behind an escaped `%`.
    host = host.replace("%25", "%", 1)
    if not host or not all(c.isalnum() or c in "-._:%" for c in host):
        raise wrong("the host is missing or has characters that no host has")
    if ":" in host or "%" in host:
        address, percent, zone = host.partition("%")
        try:
            ipaddress.IPv6Address(address)
        except ValueError:
            raise wrong("this is no IPv6 address") from None
        if percent and (not zone or "%" in zone):
            raise wrong("this is no IPv6 address")
    if port is None:
        # A WebSocket's default port is HTTP's (RFC 6455, section 3).
        number = PORT if websocket is None else 443 if tls else 80
    elif re.fullmatch(r"[0-9]{1,5}", port) and 1 <= int(port) <= 65535:
        number = int(port)
    else:
        raise wrong("the port is 1 to 65535")
    return Address(host, number, websocket, tls)


def parse_link(text: str) -> Target:
    """Reads `sf://HOST[:PORT][/ROOM[/NAME]]#pin=KEY&token=TOKEN`, or the link to a hub's page. Raises UsageError."""
    text = text.strip()

    def wrong(why: str) -> UsageError:
        front = re.split("[#?&=]", text, maxsplit=1)[0]
        return UsageError(
            f"'{shown(front)}' is no link: {why}; a link is sf://HOST[:PORT][/ROOM[/NAME]]#pin=KEY&token=TOKEN, as a hub prints it"
        )

    def host(address: str) -> Address:
        try:
            return parse_address(address)
        except UsageError:
            raise wrong("the host is missing, or is none") from None

    scheme, _, rest = text.partition("://")
    front, _, fragment = rest.partition("#")
    if scheme == "sf":
        authority, _, path = front.partition("/")
        hub = host(authority)
    elif scheme == "https":
        # The page names the stream behind `#`, and its packets come over a WebSocket beside it.
        if "?" in front or not re.fullmatch(r"[^\s\x00-\x20\x7f]*", front):
            raise wrong("this is no address of a hub's page")
        hub = host(f"wss://{front.rstrip('/')}/ws")
        path = ""
        if fragment.startswith("/"):
            path, _, fragment = fragment[1:].replace("?", "&", 1).partition("&")
            try:
                path = unquote_to_bytes(path).decode("utf-8")
            except UnicodeDecodeError:
                raise wrong("the stream's name is no text") from None
    else:
        raise wrong("it does not begin with sf://")
    if re.search("[&?=#]", path):
        raise wrong("behind the room and the name comes #, and then pin=, token= or key=")
    found: dict[str, str] = {}
    for pair in filter(None, fragment.split("&")):
        what, equals, value = pair.partition("=")
        if not equals or what not in ("pin", "token", "key"):
            raise wrong("it has something behind # that this version does not know")
        if what in found:
            raise wrong(f"it has {what}= twice")
        found[what] = value
    secret: dict[str, Secret] = {}
    for what in ("token", "key"):
        if what in found:
            try:
                secret[what] = Secret.of_url(found[what], what)
            except UsageError as error:
                raise wrong(str(error)) from None
    pin = None
    if "pin" in found:
        pin = Fingerprint.read(found["pin"])
        if pin is None:
            raise wrong("its pin is no fingerprint")
    # Who names a key means an encrypted hub, on this machine too.
    hub = replace(hub, pin=pin, token=secret.get("token"), tls=True if pin else hub.tls)
    room, slash, name = path.partition("/")
    if not room and (slash and name):
        raise wrong("the room is missing")
    for part in (room, name):
        why = part and _no_name(part)
        if why:
            raise wrong(why)
    return Target(hub, room, name, secret.get("key"))


def _no_name(part: str) -> Optional[str]:
    """Why this is no name of a room or a stream; the hub knows the rule better, and says so."""
    if len(part) > 64:
        return "a room and a name have 64 characters at most"
    if part.startswith(".") or not all(c.isprintable() and not c.isspace() and c not in "/\\?#&=\"'<>" for c in part):
        return "a room and a name are letters, digits and -_.@, and do not begin with a dot"
    return None


def target(hub: str, name: str, token: Optional[str], pin: Optional[str], tls: Optional[bool]) -> Target:
    """What the arguments of a program come to together. `name` is NAME, or ROOM/NAME, or ROOM/ for the first in a room."""
    is_link = hub.strip().partition("://")[0] in ("sf", "https")
    found = parse_link(hub) if is_link else Target(parse_address(hub.strip()), "", "")
    address = found.hub
    if pin is not None:
        given = Fingerprint.parse(pin)
        if address.pin not in (None, given):
            raise UsageError("the link names one key, and pin another")
        if tls is False:
            raise UsageError("a pin is the key of an encrypted hub, and tls=False does not encrypt")
        if address.tls is False:
            raise UsageError("a pin is the key of an encrypted hub, and ws:// does not encrypt: write wss://")
        address = replace(address, pin=given, tls=True)
    if token is not None:
        address = replace(address, token=Secret.checked(token))
    if tls is not None:
        if address.tls is not None and address.tls != tls:
            raise UsageError("the address says whether it is encrypted, and tls says otherwise")
        address = replace(address, tls=tls)
    room, slash, stream = name.rpartition("/")
    for part in (room, stream):
        why = part and _no_name(part)
        if why:
            raise UsageError(f"'{shown(name)}' is no stream: {why}")
    if slash and not room:
        raise UsageError("the room is missing in front of the slash")
    if name and found.room and (room or found.room, stream) != (found.room, found.name or stream):
        raise UsageError(f"the link is to {shown(found.stream)}, and the name is {shown(name)}")
    return Target(address, room or found.room or "main", stream or found.name, found.key)
