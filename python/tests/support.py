"""A real hub, servers that are none, and pictures."""

from __future__ import annotations

import base64
import contextlib
import importlib.util
import json
import logging
import os
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, Optional

# What is tried again is logged, and expected here.
logging.getLogger("streamflow").addHandler(logging.NullHandler())

ROOT = Path(__file__).resolve().parents[2]
# No test waits longer than this for something that must come.
LIMIT = 30.0

JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABALDA4MChAODQ4SERATGCgaGBYWGDEjJR0oOjM9PDkzODdASFxOQERXRTc4UG1RV19iZ2hnPk1xeXBkeFxlZ2P/"
    "wAALCAAQABgBAREA/8QAHwAAAQUBAQEBAQEAAAAAAAAAAAECAwQFBgcICQoL/8QAtRAAAgEDAwIEAwUFBAQAAAF9AQIDAAQRBRIhMUEGE1FhByJxFDKBkaEI"
    "I0KxwRVS0fAkM2JyggkKFhcYGRolJicoKSo0NTY3ODk6Q0RFRkdISUpTVFVWV1hZWmNkZWZnaGlqc3R1dnd4eXqDhIWGh4iJipKTlJWWl5iZmqKjpKWmp6ip"
    "qrKztLW2t7i5usLDxMXGx8jJytLT1NXW19jZ2uHi4+Tl5ufo6erx8vP09fb3+Pn6/9oACAEBAAA/ACiiiiiv/9k="
)
# Signed by itself with P-256, for the name `test`; and the SHA-256 of its public key.
CERTIFICATE = base64.b64decode(
    "MIIBhTCCASqgAwIBAgIUE46Wdm8pnH6lg5WrGh90aguF6PYwCgYIKoZIzj0EAwIwDzENMAsGA1UEAwwEdGVzdDAeFw0yNjExMzAwOTQ0NTVaFw0zNjExMjcw"
    "OTQ0NTVaMA8xDTALBgNVBAMMBHRlc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAARz6syw2CC+30cUzPMqdUuJAZY7GDy3tOkIKdK2lD79kcDlFNAemuQi"
    "AZfiKflX/oZgzstjhxo9qUJUZyJPwiSro2QwYjAdBgNVHQ4EFgQUnDI04DHhb3V1T1be0i2mBt9jQcUwHwYDVR0jBBgwFoAUnDI04DHhb3V1T1be0i2mBt9j"
    "QcUwDwYDVR0TAQH/BAUwAwEB/zAPBgNVHREECDAGggR0ZXN0MAoGCCqGSM49BAMCA0kAMEYCIQCn5L74wX6PMA8wKELgW4uYbRvI7dYIEHxeqnm0LOjAmgIh"
    "AM+PSVpclszckUSozF7DqarqiVVMyGZ4/nUAwqc0tzTX"
)
CERTIFICATE_KEY = "cce35be0609242e73e6eb70782c1d99b78b89058b4056d2c2dda359690064d96"


def jpeg(number: int) -> bytes:
    """A picture of 24 by 16 that is like no other: the number stands in a comment."""
    return JPEG[:2] + b"\xff\xfe" + struct.pack(">HI", 6, number) + JPEG[2:]


def number_of(picture: bytes) -> int:
    """The number of such a picture."""
    (number,) = struct.unpack_from(">I", picture, 6)
    return int(number)


def left_out(why: str) -> unittest.SkipTest:
    """What leaves a test out, and says so where everybody sees it."""
    print(f"left out: {why}", file=sys.stderr)
    return unittest.SkipTest(why)


def needs(*modules: str) -> None:
    """Leaves a test out where a package is missing, and says which."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise left_out(f"{module} is not installed here")


def wait_for(what: Callable[[], Any], words: str) -> Any:
    """Waits until it is so."""
    until = time.monotonic() + LIMIT
    while True:
        found = what()
        if found:
            return found
        if time.monotonic() > until:
            raise AssertionError(f"{words}: not within {LIMIT:.0f} s")
        time.sleep(0.01)


def program(name: str) -> Path:
    """A program of this project: of STREAMFLOW_BIN, or that was built last."""
    folders = [Path(os.environ["STREAMFLOW_BIN"])] if os.environ.get("STREAMFLOW_BIN") else []
    target = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
    for folder in folders or [target / "debug", target / "release"]:
        if (folder / name).is_file():
            return folder / name
    raise left_out(f"{name} is not built; STREAMFLOW_BIN says where it is, or: cargo build --bins")


class Case(unittest.TestCase):
    """A test with a folder of its own, and nothing of this user's."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="streamflow-python-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        before = dict(os.environ)

        def restore() -> None:
            os.environ.clear()
            os.environ.update(before)

        self.addCleanup(restore)
        for name in [name for name in os.environ if name.startswith("STREAMFLOW_") and name != "STREAMFLOW_BIN"]:
            del os.environ[name]
        os.environ["STREAMFLOW_STATE"] = str(self.folder / "nobody")

    def hub(self, *arguments: str, state: str = "hub", port: int = 0) -> Hub:
        """A hub of this test."""
        hub = Hub(self.folder / state, arguments, port)
        self.addCleanup(hub.stop)
        return hub


class Hub:
    """A real hub."""

    def __init__(self, state: Path, arguments: tuple[str, ...], port: int = 0) -> None:
        self.state = state
        where = [] if "--listen" in arguments else ["--listen", f"127.0.0.1:{port}"]
        where = [*where, *(f"0.0.0.0:{port}" if one == "ALL" else one for one in arguments)]
        self.process = subprocess.Popen(
            [program("streamflow-hub"), "--state", state, *where], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        said = wait_for(lambda: [line for line in self.lines if "hosts the hub at " in line] or self.process.poll() is not None, "a hub")
        if said is True:
            raise AssertionError("".join(self.lines))
        if "ALL" in arguments:
            wait_for(lambda: any("encrypted" in line for line in self.lines), "the hub says its key")
        self.port = int(said[0].split("hosts the hub at ")[1].split()[0].rstrip(":,").rpartition(":")[2])
        self.address = f"127.0.0.1:{self.port}"

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)

    def stop(self, kill: bool = False) -> None:
        if self.process.poll() is None:
            (self.process.kill if kill else self.process.terminate)()
            self.process.wait(LIMIT)
        self._reader.join(LIMIT)
        assert self.process.stderr is not None
        self.process.stderr.close()

    def link(self, *what: str) -> str:
        """A link of this hub, that names this machine."""
        made = subprocess.run(
            [program("streamflow-hub"), "link", "--json", "--state", self.state, *what], capture_output=True, text=True, check=True, timeout=LIMIT
        )
        front, _, behind = str(json.loads(made.stdout)["join"]).partition("#")
        path = front.partition("://")[2].partition("/")[2]
        return f"sf://{self.address}/{path}#{behind}"


class Server:
    """A server that is no hub: what it does with each connection is given."""

    def __init__(self, test: unittest.TestCase, serve: Callable[[socket.socket], None], context: Optional[ssl.SSLContext] = None) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.connections = 0
        self._serve, self._context = serve, context
        threading.Thread(target=self._run, daemon=True).start()
        test.addCleanup(self.listener.close)

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection: socket.socket) -> None:
        connection.settimeout(LIMIT)
        with contextlib.suppress(OSError), contextlib.closing(connection):
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True)
            with contextlib.closing(connection):
                self._serve(connection)


def numbered(publisher: Any, stop: threading.Event, sent: list[int]) -> Iterator[None]:
    """Publishes numbered pictures until it is stopped; the last number is in `sent`."""
    number = 0
    while not stop.is_set():
        if publisher.send(jpeg(number), {"n": number}):
            sent[0] = number
            number += 1
        time.sleep(0.004)
    yield


@contextlib.contextmanager
def publishing(publisher: Any) -> Iterator[list[int]]:
    """Does so in the background."""
    stop, sent = threading.Event(), [-1]
    thread = threading.Thread(target=lambda: list(numbered(publisher, stop, sent)), daemon=True)
    thread.start()
    try:
        yield sent
    finally:
        stop.set()
        thread.join(LIMIT)
