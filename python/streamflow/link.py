"""The connection of a program to its hub, with its thread: it connects, greets, reads, writes, and connects again."""

from __future__ import annotations

import logging
import random
import selectors
import socket
import ssl
import threading
import time
from typing import Optional, Union

from . import websocket
from .address import Target
from .clock import now
from .dial import CONNECT, AgainError, NotLetIn, Rights, SockAddr, Way, in_turn
from .errors import Error, ProtocolError, RefusedError, UnreachableError, shown
from .session import Backoff, DeadError, Moment, Session, bye_error
from .state import State
from .wire import Control, Deframer, PicturePacket, Skipped, control_packet, read_packet

log = logging.getLogger("streamflow")

CHUNK = 256 * 1024
# Bytes that are read before other things have a turn.
TURN = 4 << 20
# How long a goodbye may take, in seconds.
GOODBYE = 0.5
# A connection that held for so long begins the waits anew, in microseconds.
HELD = 1_000_000
# What waits to be written: pongs and acknowledgements of somebody who reads nothing.
OUT_MOST = 256 * 1024

Framing = Union[Deframer, websocket.WebSocket]


class LinkUser:
    """Who has a link: told of everything on the link's thread."""

    def welcomed(self, message: Control) -> None:
        """The hub has let us in."""

    def picture(self, packet: PicturePacket, moment: Moment) -> Control:
        """A picture came. Gives the acknowledgement."""
        raise NotImplementedError

    def control(self, message: Control) -> None:
        """Another control message came."""

    def take(self, session: Session, now: int) -> Optional[bytes]:
        """A packet with a picture that is to be sent now: all before it is written."""
        return None

    def lost(self, reason: str) -> None:
        """There is no connection any more, or not yet."""

    def failed(self, error: Error) -> None:
        """It is over; nothing follows."""


class Link:
    """A link. It ends with `close`, or when it is over."""

    def __init__(self, target: Target, state: State, hello: Control, user: LinkUser) -> None:
        self._target, self._hello, self._user = target, hello, user
        self._rights = Rights(hello["role"], target, state)
        self._stopped = threading.Event()
        self._wake_in, self._wake_out = socket.socketpair()
        for end in (self._wake_in, self._wake_out):
            end.setblocking(False)
        self._welcomed_at: Optional[int] = None
        self._local = False
        self._answered = 0
        self._thread = threading.Thread(target=self._run, name="streamflow-link", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """There is something to send."""
        try:
            self._wake_in.send(b"x")
        except OSError:
            # It is awake already, or over.
            pass

    def close(self) -> None:
        """Says goodbye, and ends. It waits a moment, and not for a name or an address that does not answer."""
        self._stopped.set()
        self.wake()
        if threading.current_thread() is not self._thread:
            self._thread.join(2 * GOODBYE)

    def _run(self) -> None:
        backoff, said = Backoff(), None
        try:
            while not self._stopped.wait(backoff.next(random.random(), self._local)):
                self._welcomed_at = None
                try:
                    in_turn(self._target.hub, self._visit)
                    return
                except UnreachableError as error:
                    if self._stopped.is_set():
                        return
                    reason = str(error)
                self._user.lost(reason)
                if self._welcomed_at is not None and now() - self._welcomed_at >= HELD:
                    backoff.succeeded()
                    said = None
                if reason != said:
                    log.warning("%s; tries again", reason)
                    said = reason
        except Error as error:
            self._user.failed(error)
        except Exception as error:
            # Whoever waits for a picture must not wait for ever because of a fault of ours.
            log.exception("a fault in streamflow")
            self._user.failed(Error(f"a fault in streamflow: {error!r}"))
        finally:
            self._wake_in.close()
            self._wake_out.close()

    def _visit(self, address: SockAddr) -> None:
        self._local = address.is_loopback
        self._rights.visit(address, self._talk)

    def _talk(self, way: Way) -> None:
        """From the hello to the end. Returns when this program ends it."""
        hub = self._target.hub
        try:
            self._serve(way)
        except UnreachableError:
            raise
        except (EOFError, DeadError, OSError) as error:
            if isinstance(error, DeadError):
                why = str(error)
            elif isinstance(error, EOFError):
                why = "connection closed by the hub"
            else:
                why = f"connection lost: {error.strerror or error}"
            if self._welcomed_at is not None:
                raise UnreachableError(f"hub {hub}: {shown(why)}") from None
            if isinstance(error, DeadError):
                raise AgainError(f"hub {hub} unreachable: {why}") from None
            raise AgainError(f"{hub} closed the connection without a word; its log may say why") from None
        except ProtocolError as error:
            if self._welcomed_at is not None:
                raise ProtocolError(f"the hub {hub} breaks the protocol: {error}") from None
            why = f"what answers at {hub} is no StreamFlow hub ({error})"
            raise AgainError(why, end=ProtocolError) from None

    def _framing(self, way: Way) -> Framing:
        path = self._target.hub.websocket
        if path is None:
            return Deframer()
        asked, accept = websocket.request(self._target.hub.authority, path)
        way.socket.settimeout(CONNECT)
        way.socket.sendall(asked)
        head, until = bytearray(), time.monotonic() + CONNECT
        while b"\r\n\r\n" not in head:
            if len(head) > websocket.HEAD_MOST or time.monotonic() > until:
                raise ProtocolError("its answer does not end")
            more = way.socket.recv(4096)
            if not more:
                raise EOFError
            head += more
        end = head.index(b"\r\n\r\n")
        status = websocket.status(bytes(head[:end]), accept)
        if status != 101:
            words = shown(head[end + 4 :].split(b"\n")[0].decode("utf-8", "replace").strip())
            why = f"{self._target.hub} answers: {words or 'nothing more'} ({status})"
            # A proxy whose hub is not there may have it soon.
            raise AgainError(why) if status in (502, 503, 504) else AgainError(why, end=RefusedError)
        framing = websocket.WebSocket()
        framing.push(bytes(head[end + 4 :]))
        return framing

    def _serve(self, way: Way) -> None:
        framing = self._framing(way)
        connection = way.socket
        connection.setblocking(False)
        hello = dict(self._hello)
        token = self._rights.show(way)
        if token:
            hello["token"] = str(token)
        session = Session(hello["role"] == "view", now())
        out = bytearray(framing.frame(control_packet(hello)))
        with selectors.DefaultSelector() as selector:
            selector.register(connection, selectors.EVENT_READ)
            selector.register(self._wake_out, selectors.EVENT_READ)
            while True:
                if self._stopped.is_set():
                    # Nothing but the hello is said before the welcome.
                    if session.open:
                        self._goodbye(connection, framing, out)
                    return
                # What came meanwhile is heard before anybody is judged for being silent.
                more = self._read(connection, framing, session, out)
                if self._stopped.is_set():
                    continue
                ping, due = session.due(now())
                if ping:
                    out += framing.frame(control_packet(ping))
                if session.open and not out:
                    packet = self._user.take(session, now())
                    if packet:
                        out += framing.frame(packet)
                _write(connection, out)
                events = selectors.EVENT_READ | (selectors.EVENT_WRITE if out else 0)
                selector.modify(connection, events)
                wait = 0.0 if more else max(due - now(), 0) / 1e6
                for key, _ in selector.select(wait):
                    if key.fileobj is self._wake_out:
                        self._wake_out.recv(4096)

    def _read(self, connection: socket.socket, framing: Framing, session: Session, out: bytearray) -> bool:
        """Reads what there is. Says whether there may be more."""
        have = 0
        while have < TURN:
            try:
                data = connection.recv(CHUNK)
            except (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                data = None
            if data == b"":
                raise EOFError
            if data:
                have += len(data)
                session.heard(now())
                framing.push(data)
            # At the first time there may be bytes that came behind an answer.
            while True:
                packet = framing.next()
                if packet is None:
                    break
                for message in self._packet(packet, session):
                    self._answer(framing.frame(control_packet(message)), out)
            for answer in framing.answers():
                self._answer(answer, out)
            if self._answered > OUT_MOST:
                raise ProtocolError("it asks, and does not read the answers")
            if data is None:
                return False
        return True

    def _answer(self, answer: bytes, out: bytearray) -> None:
        # Counted from when all was written last.
        self._answered = len(answer) + (self._answered if out else 0)
        out += answer

    def _packet(self, packet: bytes, session: Session) -> list[Control]:
        """A packet came. Gives what is to be said."""
        read, received = read_packet(packet), now()
        if isinstance(read, Skipped):
            return [{"type": "ack", "sequence": read.sequence}] if read.sequence is not None and session.open else []
        if isinstance(read, PicturePacket):
            # Nothing was asked for before the welcome.
            if not session.open:
                return []
            session.picture(read.captured, read.spent, received)
            moment = Moment(session.clock, read.captured, read.estimated, read.arrival, received)
            return [self._user.picture(read, moment)]
        kind = read["type"]
        if kind == "bye":
            self._bye(read, session)
        elif kind == "welcome" and not session.open:
            session.welcomed(received)
            self._welcomed_at = received
            self._user.welcomed(read)
        elif session.open:
            answer = session.control(read, received)
            if answer:
                return [answer]
            self._user.control(read)
        return []

    def _bye(self, message: Control, session: Session) -> None:
        cause, reason = bye_error(message)
        if cause == "unauthorized":
            if session.open:
                raise UnreachableError(f"the hub ends the session: {shown(reason)}")
            raise NotLetIn(reason)
        if cause in ("refused", "protocol"):
            raise RefusedError(f"the hub refused: {shown(reason)}")
        if cause == "replaced":
            raise RefusedError(f"another publisher has taken the name over: {shown(reason)}")
        # It may be back soon; another of its addresses is the same hub.
        raise UnreachableError(f"the hub says goodbye: {shown(reason)}")

    def _goodbye(self, connection: socket.socket, framing: Framing, out: bytearray) -> None:
        out += framing.frame(control_packet({"type": "bye", "cause": "stopping"}))
        try:
            connection.settimeout(GOODBYE)
            connection.sendall(out)
        except OSError:
            # It is gone already, or does not read.
            pass


def _write(connection: socket.socket, out: bytearray) -> None:
    """Writes as much as goes."""
    while out:
        try:
            with memoryview(out) as view:
                sent = connection.send(view[: 1 << 20])
        except (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        del out[:sent]
