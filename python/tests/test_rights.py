"""Who is let in, and to which hub a secret is said."""

from __future__ import annotations

import os
import re
import socket
import ssl
import subprocess
from pathlib import Path
from typing import Callable

import streamflow
from streamflow.der import Fingerprint
from streamflow.state import State

from .support import LIMIT, Case, Server, jpeg, left_out


def own_key(state: Path) -> Fingerprint:
    found = State(str(state)).own()
    assert found is not None
    return found


class Rights(Case):
    def test_a_link_is_all_that_is_needed_and_a_wrong_token_is_refused_in_words(self) -> None:
        hub = self.hub("--listen", "ALL")
        watch, give = hub.link("--view", "main/door"), hub.link("--publish", "main/door")
        with streamflow.publish(give) as door, streamflow.view(watch, timeout=LIMIT) as view:
            self.assertTrue(door.wait(LIMIT))
            door.send(jpeg(5), {"n": 5})
            picture = view.next()
            self.assertEqual((picture.jpeg, picture.metadata), (jpeg(5), {"n": 5}))
            self.assertEqual(streamflow.snapshot(watch).jpeg, jpeg(5))
            self.assertEqual([one.name for one in streamflow.streams(watch)], ["door"])
        # The token apart from the link, as an argument and in the environment.
        bare, _, fragment = watch.partition("#")
        pin, token = (pair.partition("=")[2] for pair in fragment.split("&"))
        wrong = token[:-4] + "AAAA"
        for given in (wrong, "guess"):
            calls: list[Callable[[], object]] = [
                lambda: streamflow.view(bare, pin=pin, token=given, timeout=LIMIT).next(),
                lambda: streamflow.snapshot(bare, pin=pin, token=given),
                lambda: streamflow.view(f"{bare}#pin={pin}&token={given}", timeout=LIMIT).next(),
            ]
            for call in calls:
                with self.assertRaisesRegex(streamflow.UnauthorizedError, "token that was shown is not taken.*streamflow-hub link --view") as raised:
                    call()
                self.assertNotIn(given, str(raised.exception))
        for used in (watch, bare):
            with self.assertRaisesRegex(streamflow.UnauthorizedError, "--publish main/door"), streamflow.publish(used, pin=pin, token=token if used == bare else None) as no:
                no.wait(LIMIT)
        os.environ["STREAMFLOW_TOKEN"] = token
        self.assertEqual(len(streamflow.streams(bare, pin=pin)), 1)

    def test_another_key_is_refused_and_told_nothing(self) -> None:
        real, other = self.hub("--listen", "ALL"), self.hub("--listen", "ALL", state="other")
        link = real.link("--view", "main/door")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(other.state / "hub-cert.pem", other.state / "hub-key.pem")
        heard: list[bytes] = []

        def hear(connection: socket.socket) -> None:
            heard.append(connection.recv(4096))

        thief = Server(self, hear, context)
        fake = link.replace(real.address, thief.address)
        for _ in range(10):
            with self.assertRaisesRegex(streamflow.RefusedError, re.escape(str(own_key(other.state))) + ".*not the one that was asked for"):
                streamflow.view(fake, timeout=LIMIT).next()
            with self.assertRaises(streamflow.RefusedError):
                streamflow.snapshot(fake)
        self.assertEqual(set(heard), {b""}, "nothing was said to it")
        # Nobody vouches for a key that signed itself, and nobody has confirmed it.
        with self.assertRaisesRegex(streamflow.RefusedError, re.escape(f"nobody has confirmed: {own_key(real.state)}")):
            streamflow.view(real.address, "door", tls=True, timeout=LIMIT).next()
        # One that was met with another key.
        state = self.folder / "met"
        state.mkdir()
        (state / "known-hubs").write_text(f"# mine\n{thief.address} {own_key(real.state)} 2026-11-30\n")
        with self.assertRaisesRegex(streamflow.RefusedError, "another key than on 2026-11-30.*remove line 2 of"):
            streamflow.view(thief.address, "door", token="hunter2", state=str(state), timeout=LIMIT).next()
        self.assertEqual(set(heard), {b""})

    def test_this_users_own_hub_lets_its_programs_in_and_no_other_hub_is_shown_its_secret(self) -> None:
        mine, other = self.hub("--listen", "ALL"), self.hub("--listen", "ALL", state="other")
        for _ in range(2):
            with streamflow.publish(mine.address, "door", state=str(mine.state)) as door:
                with streamflow.view(mine.address, "door", state=str(mine.state), timeout=LIMIT) as view:
                    self.assertTrue(door.wait(LIMIT))
                    door.send(jpeg(1))
                    self.assertEqual(view.next().jpeg, jpeg(1))
                self.assertEqual(len(streamflow.streams(mine.address, state=str(mine.state))), 1)
        calls: list[Callable[[], object]] = [
            lambda: streamflow.view(other.address, "door", state=str(mine.state), timeout=LIMIT).next(),
            lambda: streamflow.streams(other.address, state=str(mine.state)),
        ]
        for call in calls:
            with self.assertRaisesRegex(streamflow.UnauthorizedError, "Ask whoever runs it for a link"):
                call()

    def test_what_the_programs_remember_is_used(self) -> None:
        hub, state = self.hub("--listen", "ALL"), self.folder / "met"
        token = hub.link("--view", "main").rpartition("token=")[2]
        state.mkdir()
        (state / "known-hubs").write_text(f"{hub.address} {own_key(hub.state)} 2026-11-30\n")
        (state / "tokens").write_text(f"{hub.address} view main/garden 2026-11-30 {token}\n")
        self.assertEqual(streamflow.streams(hub.address, state=str(state)), [])
        with self.assertRaisesRegex(streamflow.NoPictureError, "nobody publishes"):
            streamflow.view(hub.address, "door", state=str(state), timeout=1).next()

    def test_a_token_is_not_sent_in_the_clear_beyond_this_machine(self) -> None:
        # TEST-NET-1 (RFC 5737): nobody is there, and nothing is sent.
        with self.assertRaisesRegex(streamflow.RefusedError, "in the clear"):
            streamflow.view("192.0.2.1", "door", token="hunter2", tls=False, timeout=LIMIT).next()

    def test_a_certificate_of_an_authority_is_taken_for_its_name_alone(self) -> None:
        def openssl(*arguments: str) -> None:
            try:
                subprocess.run(["openssl", *arguments], cwd=self.folder, capture_output=True, check=True, timeout=LIMIT)
            except (FileNotFoundError, subprocess.CalledProcessError):
                raise left_out("there is no openssl here that makes certificates") from None

        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=authority")
        openssl("req", *key, "-keyout", "hub.key", "-out", "hub.csr", "-subj", "/CN=hub")
        (self.folder / "names").write_text("subjectAltName=DNS:localhost\n")
        openssl("x509", "-req", "-in", "hub.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", "hub.pem", "-days", "2",
                "-extfile", "names")
        hub = self.hub("--listen", "ALL", "--open", "--tls-cert", str(self.folder / "hub.pem"), "--tls-key", str(self.folder / "hub.key"))
        with self.assertRaisesRegex(streamflow.RefusedError, "nobody has confirmed"):
            streamflow.streams(f"localhost:{hub.port}", tls=True)
        os.environ["SSL_CERT_FILE"] = str(self.folder / "ca.pem")
        self.assertEqual(streamflow.streams(f"localhost:{hub.port}", tls=True), [])
        with streamflow.publish(f"wss://localhost:{hub.port}/ws", "door") as door:
            with streamflow.view(f"wss://localhost:{hub.port}/ws", "door", timeout=LIMIT) as view:
                self.assertTrue(door.wait(LIMIT))
                door.send(jpeg(1))
                self.assertEqual(view.next().jpeg, jpeg(1))
        with self.assertRaisesRegex(streamflow.RefusedError, "nobody has confirmed"):
            streamflow.streams(hub.address, tls=True)
        # A pin holds, whoever vouches for another.
        with self.assertRaisesRegex(streamflow.RefusedError, "not the one that was asked for"):
            streamflow.streams(f"localhost:{hub.port}", pin=str(Fingerprint(bytes(32))))
