"""The way to a hub: TCP, TLS where it leaves this machine, and that it is the hub that is meant before any secret is said.

Python's ssl cannot ask us about a key during the handshake. So a key that is known is compared behind the handshake, on a
connection that has not carried anything; where none is known, ssl itself asks the authorities of this machine.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from dataclasses import dataclass, replace
from typing import Any, Callable, NamedTuple, Optional, TypeVar

from .address import Address, Secret, Target
from .der import Fingerprint
from .errors import Error, RefusedError, UnauthorizedError, UnreachableError, shown
from .state import KnownHub, State

# So long may each step to a hub take, in seconds.
CONNECT = 5.0
# Addresses of a name that are tried.
MOST_ADDRESSES = 8
# X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED: a matter of time, or of this machine's clock.
OF_TIME = {9: "it is not valid yet; is the clock right?", 10: "it has expired"}

T = TypeVar("T")


@dataclass
class Way:
    """A connection to a hub. `key`: what it has proven to have, and is trusted; None: it is in the clear."""

    socket: socket.socket
    key: Optional[Fingerprint]


class AgainError(Error):
    """One address came to nothing; `heard`: somebody answered there, who is no hub or let nobody in. `end`: what it is for the
    program, if no other address is the hub."""

    def __init__(self, text: str, heard: bool = True, end: type[Error] = UnreachableError) -> None:
        super().__init__(text)
        self.heard, self.end = heard, end


def _context(authorities: bool) -> ssl.SSLContext:
    if authorities:
        context = ssl.create_default_context()
        # As the programs judge, and Python before 3.13: authorities that people make lack what else it asks for (key usage).
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        # The key is compared by us. That the other side has it, and not only its certificate, the handshake proves.
        context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


class SockAddr(NamedTuple):
    """One address of a name."""

    family: socket.AddressFamily
    place: tuple[Any, ...]

    @property
    def is_loopback(self) -> bool:
        """Whether it is this machine."""
        try:
            ip = ipaddress.ip_address(str(self.place[0]).partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(ip, "ipv4_mapped", None)
        return bool((mapped or ip).is_loopback)


def resolve(hub: Address) -> list[SockAddr]:
    """The addresses of a hub's name."""
    try:
        found = socket.getaddrinfo(hub.host, hub.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise AgainError(f"cannot find {hub.host}: {error}", heard=False) from None
    return [SockAddr(family, address) for family, _, _, _, address in found][:MOST_ADDRESSES]


def _reach(address: SockAddr, hub: Address) -> socket.socket:
    connection = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        connection.settimeout(CONNECT)
        connection.connect(address.place)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as error:
        connection.close()
        if isinstance(error, ConnectionRefusedError):
            why = "nobody listens there"
        elif isinstance(error, socket.timeout):
            why = f"no answer within {CONNECT:.0f} s"
        else:
            why = error.strerror or str(error)
        raise AgainError(f"hub {hub} unreachable: {why}", heard=False) from None
    return connection


def _handshake(address: SockAddr, hub: Address, authorities: bool) -> tuple[ssl.SSLSocket, Fingerprint]:
    """Encrypts, and says to which key. Raises ssl.SSLError, OSError, AgainError."""
    connection = _reach(address, hub)
    try:
        encrypted = _context(authorities).wrap_socket(connection, server_hostname=hub.name)
    except BaseException:
        connection.close()
        raise
    try:
        certificate = encrypted.getpeercert(binary_form=True)
        if not certificate:
            raise AgainError(f"hub {hub} cannot be encrypted to: it showed no certificate")
        return encrypted, Fingerprint.of_certificate(certificate)
    except ValueError as error:
        encrypted.close()
        raise AgainError(f"hub {hub} cannot be encrypted to: its certificate is none: {error}") from None
    except BaseException:
        encrypted.close()
        raise


def _encrypt(address: SockAddr, hub: Address, known: Optional[KnownHub], own: Optional[Fingerprint]) -> Way:
    trusted = {hub.pin} if hub.pin else {known.key if known else None, own} - {None}
    key = None
    try:
        if trusted:
            encrypted, key = _handshake(address, hub, authorities=False)
            if key in trusted:
                return Way(encrypted, key)
            encrypted.close()
            if hub.pin:
                raise RefusedError(
                    f"hub {hub} has the key {key}, and not the one that was asked for ({hub.pin}): somebody may be in between, or "
                    "the link is of another hub"
                )
        try:
            encrypted, key = _handshake(address, hub, authorities=True)
            return Way(encrypted, key)
        except ssl.SSLCertVerificationError as error:
            why = OF_TIME.get(error.verify_code) or (error.verify_message or str(error))
            passes = error.verify_code in OF_TIME and known is None
        if key is None:
            # What it is, for whoever compares it. Nothing is said on that connection.
            encrypted, key = _handshake(address, hub, authorities=False)
            encrypted.close()
    except ssl.SSLError as error:
        if known is None and hub.pin is None:
            raise AgainError(
                f"what answers at {hub} does not encrypt ({shown(error.reason or str(error))}): an older hub, or one that listens on "
                "its machine alone, is reached in the clear with tls=False, where everybody on the way can watch"
            ) from None
        raise AgainError(f"the connection to {hub} broke before it was encrypted: {shown(str(error))}") from None
    except (OSError, UnicodeError) as error:
        raise AgainError(f"the connection to {hub} broke before it was encrypted: {shown(str(error))}") from None
    if known:
        raise RefusedError(
            f"hub {hub} has another key than on {shown(known.since)}: {key}. If it was set up anew, remove line {known.line} of "
            f"{known.file}; if not, somebody may be in between"
        )
    if passes:
        raise AgainError(f"the certificate of hub {hub} is not valid: {why}")
    raise RefusedError(
        f"hub {hub} shows a key that nobody has confirmed: {key}, and {shown(why)}. If the hub itself says the same when it "
        f'starts, connect with pin="{key}", or with a link of it'
    )


def reach(address: SockAddr, hub: Address, state: State) -> Way:
    """Connects to this address of a hub, and encrypts where it is not this machine, or where the hub is known to encrypt."""
    known = state.known(hub.place)
    loopback = address.is_loopback
    encrypts = (not loopback or known is not None) if hub.tls is None else hub.tls
    if encrypts:
        return _encrypt(address, hub, known, state.own())
    if not loopback and hub.token:
        raise RefusedError(f"a token is not sent to {hub} in the clear, where everybody on the way can take it")
    return Way(_reach(address, hub), None)


class NotLetIn(Error):
    """The hub asks for a right that was not shown. `reason`: in its words."""


class Rights:
    """What is shown to be let in. In this order: what was given; what let this user in before; the secret of this user's own hub."""

    def __init__(self, role: str, target: Target, state: State) -> None:
        self.role, self.target, self.state = role, target, state
        # It asked for a right in the clear, and may be this user's own.
        self._own_at = False
        self._outdated = False
        self._shown: Optional[str] = None

    def show(self, way: Way) -> Optional[Secret]:
        """What is shown on this way. What was not given for this very connection is shown only to a key that is trusted."""
        hub, self._shown = self.target.hub, None
        if hub.token:
            self._shown = "the token that was shown is not taken"
            return hub.token
        if way.key is None:
            return None
        if not self._outdated:
            kept = self.state.token(hub.place, self.role, self.target.room, self.target.name)
            if kept:
                self._shown = "the token that is remembered does not hold any more"
                return kept
        local = self.state.local_secret() if self.state.own() == way.key else None
        self._shown = "this user's own secret is not taken" if local else None
        return local

    def _has_more(self, way: Way) -> bool:
        own = self.state.own()
        if own is None or self.state.local_secret() is None or self.target.hub.token:
            return False
        if way.key is None and self._shown is None and self.target.hub.tls is None and not self._own_at:
            # What is in the clear, and not shown a token, is on this machine.
            self._own_at = True
            return True
        if way.key == own and self._shown and "remembered" in self._shown and not self._outdated:
            self._outdated = True
            return True
        return False

    def _in_words(self, reason: str) -> str:
        what = "--publish" if self.role == "publish" else "--view"
        shown_before = f"; {self._shown}" if self._shown else ""
        return (
            f"the hub refused: {shown(reason)}{shown_before}. Ask whoever runs it for a link (on its machine: streamflow-hub link "
            f"{what} {self.target.stream}), and give it in the place of the hub's address"
        )

    def visit(self, address: SockAddr, talk: Callable[[Way], T]) -> T:
        """Connects to an address and talks there. Where `talk` raises NotLetIn and there is more to show, once more."""
        asked_for: Optional[str] = None
        while True:
            hub = self.target.hub
            own = self.state.own() if self._own_at else None
            if own is not None:
                hub = replace(hub, pin=own, tls=True)
            try:
                way = reach(address, hub, self.state)
            except (AgainError, RefusedError) as error:
                if own is None:
                    raise
                # What was taken for this user's own hub is another, or is not there: it is met in the clear again.
                self._own_at = False
                if asked_for:
                    raise UnauthorizedError(asked_for) from None
                raise AgainError(str(error)) from None
            try:
                return talk(way)
            except NotLetIn as error:
                words = self._in_words(str(error))
                if not self._has_more(way):
                    raise UnauthorizedError(words) from None
                asked_for = words
            finally:
                way.socket.close()


def in_turn(hub: Address, one: Callable[[SockAddr], T]) -> T:
    """Tries each address of a name until one is the hub. Raises UnreachableError, or another, with what tells most."""
    said = AgainError(f"cannot find {hub.host}", heard=False)
    try:
        for address in resolve(hub):
            try:
                return one(address)
            except AgainError as error:
                if error.heard or not said.heard:
                    said = error
    except AgainError as error:
        said = error
    raise said.end(str(said)) from None
