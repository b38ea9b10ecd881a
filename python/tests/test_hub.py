"""What a user can rely on, with a real hub."""

from __future__ import annotations

import gc
import os
import socket
import struct
import threading
import time
import urllib.request
from typing import Any, Callable
from unittest import mock

import streamflow

from .support import LIMIT, Case, jpeg, number_of, publishing, wait_for


class Pictures(Case):
    def test_what_is_published_is_watched_with_its_metadata_and_nothing_is_sent_that_nobody_watches(self) -> None:
        hub = self.hub()
        with streamflow.publish(hub.address, "bench") as bench:
            wait_for(lambda: [one for one in streamflow.streams(hub.address) if one.name == "bench"], "the stream is there")
            for n in range(100):
                self.assertFalse(bench.send(jpeg(n)), "nobody watches")
            self.assertEqual((bench.wanted, bench.sent), (False, 0))
            with streamflow.view(hub.address, "bench", timeout=LIMIT) as view:
                self.assertTrue(bench.wait(LIMIT))
                self.assertEqual(bench.viewers, 1)
                first = 0
                for n in range(20):
                    said = {"n": n, "words": "gr\u00fcn \"x\"", "boxes": [[1, 2], {"a": None}]}
                    self.assertTrue(bench.send(jpeg(n), said))
                    picture = view.next()
                    self.assertEqual((picture.jpeg, picture.metadata, picture.size), (jpeg(n), said, (24, 16)))
                    first = first if n else picture.sequence
                    self.assertEqual((picture.sequence, picture.skipped, view.live), (first + n, 0, True))
            wait_for(lambda: not bench.wanted, "the hub says that nobody watches any more")
            self.assertFalse(bench.send(jpeg(0)))
        with self.assertRaises(streamflow.UsageError):
            bench.send(jpeg(0))
        with self.assertRaises(StopIteration):
            next(view)

    def test_an_array_is_encoded_only_for_somebody(self) -> None:
        hub, encoded = self.hub(), []

        def encode(*given: Any) -> bytes:
            encoded.append(given)
            return jpeg(7)

        with mock.patch("streamflow.publisher.encode", encode), streamflow.publish(hub.address, "bench", quality=55) as bench:
            wait_for(lambda: streamflow.streams(hub.address), "the stream is there")
            for _ in range(50):
                self.assertFalse(bench.send(object()))
            self.assertEqual(encoded, [])
            with streamflow.view(hub.address, "bench", timeout=LIMIT) as view:
                self.assertTrue(bench.wait(LIMIT))
                self.assertTrue(bench.send(object()))
                self.assertEqual((view.next().jpeg, len(encoded)), (jpeg(7), 1))
                self.assertEqual(encoded[0][1:], ("bgr", 55))

    def test_a_slow_consumer_gets_the_newest_and_all_that_was_left_out_is_counted(self) -> None:
        hub = self.hub()
        with streamflow.publish(hub.address, "bench") as bench, streamflow.view(hub.address, "bench", timeout=LIMIT) as view:
            with publishing(bench) as sent:
                first = last = view.next()
                taken = 1
                for _ in range(5):
                    before = sent[0]
                    wait_for(lambda: sent[0] > before + 40, "pictures come meanwhile")
                    picture = view.next()
                    taken += 1
                    self.assertGreater(number_of(picture.jpeg), before, "not one from before the pause")
                    self.assertGreater(picture.skipped, 0)
                    self.assertEqual((picture.sequence - last.sequence - 1) % 2**32, picture.skipped)
                    last = picture
            self.assertGreaterEqual(view.skipped, last.sequence - first.sequence + 1 - taken)

    def test_the_age_is_true_and_none_where_nobody_knows(self) -> None:
        hub = self.hub()

        def known(view: streamflow.View) -> streamflow.Picture:
            return next(picture for picture in view if not picture.estimated)

        for old in (0.0, 5.0, 3600.0):
            name = f"old-{old:.0f}"
            with streamflow.publish(hub.address, name) as bench, streamflow.view(hub.address, name, timeout=LIMIT) as view:
                self.assertTrue(bench.wait(LIMIT))
                stop = threading.Event()

                def send() -> None:
                    while not stop.is_set():
                        captured = time.time() - old
                        bench.send(jpeg(0), {"at": captured}, captured)
                        time.sleep(0.01)

                thread = threading.Thread(target=send, daemon=True)
                thread.start()
                picture = known(view)
                least = time.time() - picture.metadata["at"]
                age = picture.age
                most = time.time() - picture.metadata["at"]
                stop.set()
                thread.join(LIMIT)
                assert age is not None and picture.captured is not None
                # Clocks of one machine, compared over loopback: what is on the way is under the hub's own bound of 5 ms.
                self.assertTrue(least - 0.02 <= age <= most + 0.02, (least, age, most))
                self.assertAlmostEqual(picture.captured, picture.metadata["at"], delta=0.02)
                # What is made of it goes on with its age.
                with streamflow.publish(hub.address, "made") as made, streamflow.view(hub.address, "made", timeout=LIMIT) as watch:
                    self.assertTrue(made.wait(LIMIT))
                    again = picture
                    while again is picture or again.estimated:
                        self.assertTrue(made.send(jpeg(1), captured=picture))
                        again = watch.next()
                    assert again.captured is not None
                    self.assertAlmostEqual(again.captured, picture.captured, delta=0.02)
        # Bare pictures have no time, and what comes behind them has none either.
        with socket.create_connection(("127.0.0.1", hub.port)) as bare, streamflow.view(hub.address, "127.0.0.1", timeout=LIMIT) as view:
            stop = threading.Event()

            def send_bare() -> None:
                while not stop.wait(0.02):
                    bare.sendall(struct.pack("<Q", len(jpeg(0))) + jpeg(0))

            thread = threading.Thread(target=send_bare, daemon=True)
            thread.start()
            for _ in range(20):
                picture = view.next()
                self.assertEqual((picture.age, picture.captured, picture.estimated), (None, None, True))
            stop.set()
            thread.join(LIMIT)
            with streamflow.publish(hub.address, "made") as made, streamflow.view(hub.address, "made", timeout=LIMIT) as watch:
                self.assertTrue(made.wait(LIMIT))
                made.send(jpeg(1), captured=picture)
                self.assertIsNone(watch.next().age)

    def test_both_come_back_by_themselves_when_the_hub_does(self) -> None:
        hub = self.hub()
        with streamflow.publish(hub.address, "bench") as bench, streamflow.view(hub.address, "bench", timeout=LIMIT) as view:
            with publishing(bench) as sent, self.assertLogs("streamflow", "WARNING"):
                view.next()
                hub.stop(kill=True)
                with self.assertRaisesRegex(streamflow.NoPictureError, "127.0.0.1"):
                    while True:
                        view.next(timeout=0.5)
                before = sent[0]
                self.assertFalse(bench.wanted, "without a hub nobody watches")
                self.hub(port=hub.port)
                self.assertGreaterEqual(number_of(view.next().jpeg), before)

    def test_a_time_without_a_picture_ends_in_words_and_the_next_one_is_given_all_the_same(self) -> None:
        hub = self.hub()
        with streamflow.view(hub.address, "bench", timeout=0.3) as view:
            with self.assertRaisesRegex(streamflow.NoPictureError, "nobody publishes main/bench"):
                next(view)
            self.assertEqual(view.live, False)
            with streamflow.publish(hub.address, "bench") as bench:
                self.assertTrue(bench.wait(LIMIT))
                bench.send(jpeg(3))
                self.assertEqual(view.next(timeout=LIMIT).jpeg, jpeg(3))
        self.assertTrue(issubclass(streamflow.NoPictureError, TimeoutError))

    def test_whoever_waits_comes_to_the_end_when_it_is_closed_and_a_view_that_is_let_go_ends(self) -> None:
        hub = self.hub()
        view = streamflow.view(hub.address, "bench")
        threading.Timer(0.2, view.close).start()
        self.assertEqual(list(view), [])
        viewers: Callable[[], int] = lambda: sum(one.viewers for one in streamflow.streams(hub.address))
        with streamflow.publish(hub.address, "bench") as bench:
            for _ in streamflow.view(hub.address, "bench", timeout=LIMIT) if bench.send(jpeg(0)) else ():
                break
            held = streamflow.view(hub.address, "bench")
            wait_for(lambda: viewers() == 1, "it watches")
            del held
            gc.collect()
            wait_for(lambda: viewers() == 0, "it does not watch any more")

    def test_a_name_that_is_taken_is_refused_in_the_hubs_words_and_replace_takes_it(self) -> None:
        hub = self.hub()
        with streamflow.publish(hub.address, "bench") as first:
            wait_for(lambda: streamflow.streams(hub.address), "the stream is there")

            def refused(bench: streamflow.Publisher) -> str:
                try:
                    bench.send(jpeg(0))
                except streamflow.RefusedError as error:
                    return str(error)
                return ""

            with streamflow.publish(hub.address, "bench") as second:
                self.assertIn("bench", wait_for(lambda: refused(second), "it is refused"))
            with streamflow.publish(hub.address, "bench", replace=True):
                self.assertIn("another publisher", wait_for(lambda: refused(first), "it is replaced"))

    def test_what_is_no_picture_is_refused_before_it_is_sent(self) -> None:
        hub = self.hub()
        with streamflow.publish(hub.address, "bench") as bench, streamflow.view(hub.address, "bench"):
            self.assertTrue(bench.wait(LIMIT))
            deep: list[Any] = []
            for _ in range(100000):
                deep = [deep]
            for image, metadata, captured in [
                (b"no", None, None), (jpeg(0), {"x": float("nan")}, None), (jpeg(0), {"x": "y" * 65536}, None), (jpeg(0), {1, 2}, None),
                (jpeg(0), deep, None), (jpeg(0), None, time.time() + 60), (jpeg(0), None, 0.0), (b"\xff\xd8" + bytes(9 << 20), None, None),
            ]:
                with self.subTest(str(image[:5])), self.assertRaises(streamflow.UsageError):
                    bench.send(image, metadata, captured)
            while deep:
                deep = deep[0]

    def test_a_hub_behind_a_websocket_is_the_same(self) -> None:
        hub = self.hub()
        address = f"ws://{hub.address}/ws"
        with streamflow.publish(address, "bench") as bench, streamflow.view(address, "bench", timeout=LIMIT) as view:
            self.assertTrue(bench.wait(LIMIT))
            for n in range(10):
                self.assertTrue(bench.send(jpeg(n) + bytes(70000 * (n % 2)), {"n": n}))
                self.assertEqual(view.next().metadata, {"n": n})
            self.assertEqual(streamflow.streams(address, "main")[0].name, "bench")

    def test_a_snapshot_is_young_and_says_why_there_is_none(self) -> None:
        hub = self.hub()
        with streamflow.publish(hub.address, "t\u00fcr") as bench, publishing(bench):
            wait_for(lambda: streamflow.streams(hub.address), "the stream is there")
            for name in ("t\u00fcr", "main/t\u00fcr", ""):
                picture = streamflow.snapshot(hub.address, name)
                self.assertEqual((picture.jpeg[:2], picture.size), (b"\xff\xd8", (24, 16)))
            found = wait_for(lambda: [one for one in streamflow.streams(hub.address, "main") if one.size], "the size is known")
            self.assertEqual((found[0].name, found[0].size, found[0].live), ("t\u00fcr", (24, 16), True))
        with self.assertRaisesRegex(streamflow.NoPictureError, "nothing"):
            streamflow.snapshot(hub.address, "nothing")
        posted = urllib.request.Request(f"http://{hub.address}/api/publish/main/still", data=jpeg(9), method="POST")
        urllib.request.urlopen(posted, timeout=LIMIT).close()
        still = streamflow.snapshot(hub.address, "still")
        self.assertEqual((still.jpeg, still.age), (jpeg(9), None), "nobody dated it")

    def test_a_sealed_stream_is_said_to_be_one_and_opens_with_its_key(self) -> None:
        import subprocess

        from .support import needs, program

        hub, key = self.hub(), "correct horse battery staple"
        environment = {**os.environ, "STREAMFLOW_KEY": key}
        sender = subprocess.Popen(
            [program("streamflow-send"), "--source", "pattern", "--size", "160x120", "--host", hub.address, "--name", "door", "--quiet"],
            env=environment,
        )
        self.addCleanup(sender.wait, LIMIT)
        self.addCleanup(sender.terminate)
        wait_for(lambda: streamflow.streams(hub.address), "the stream is there")
        with streamflow.view(hub.address, "door", timeout=LIMIT) as view, self.assertRaisesRegex(streamflow.SealedError, "key"):
            view.next()
        with self.assertRaises(streamflow.SealedError):
            streamflow.snapshot(hub.address, "door")
        needs("cryptography")
        with streamflow.view(hub.address, "door", key=key, timeout=LIMIT) as view:
            self.assertEqual([view.next().size for _ in range(5)], [(160, 120)] * 5)
        with streamflow.view(hub.address, "door", key=key + "r", timeout=LIMIT) as view, self.assertRaises(streamflow.SealedError):
            view.next()
