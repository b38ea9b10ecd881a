"""The examples, as programs, on a scene that is made here."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
import unittest
from collections.abc import Iterator
from typing import Any

import streamflow

from .support import LIMIT, ROOT, Case, jpeg, needs

FOLDER = ROOT / "examples" / "python"


def scene(n: int, other: bool = False, things: bool = True) -> Any:
    """A picture of a wall, and of two things that pass each other before it."""
    import numpy

    wall = numpy.random.default_rng(1).integers(90, 130, (240, 320, 3), numpy.uint8)
    if other:
        wall = 255 - wall // 3
    places = ((20 + n * 3 % 260, 40, (250, 250, 250)), (260 - n * 2 % 250, 150, (10, 10, 200)))
    for x, y, colour in places if things else ():
        wall[y : y + 45, x : x + 40] = colour
    return wall


def example(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Programs(Case):
    @contextlib.contextmanager
    def run_example(self, *command: str) -> Iterator[subprocess.Popen[str]]:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}
        running = subprocess.Popen(
            [sys.executable, FOLDER / command[0], *command[1:]], env=environment, cwd=self.folder, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )
        try:
            yield running
        finally:
            running.kill()
            running.communicate()

    def test_twenty_lines_publish_and_view(self) -> None:
        for name in ("publish.py", "view.py"):
            self.assertLessEqual(len((FOLDER / name).read_text().splitlines()), 20, name)
        hub = self.hub()
        for n in (1, 2):
            (self.folder / f"{n}.jpg").write_bytes(jpeg(n))
        with self.run_example("publish.py", hub.address, "bench", "1.jpg", "2.jpg"):
            with self.run_example("view.py", hub.address, "bench", "5") as view:
                out, err = view.communicate(timeout=LIMIT)
                self.assertEqual((view.returncode, len(out.splitlines())), (0, 5), err)
        self.assertIn((self.folder / "picture.jpg").read_bytes(), (jpeg(1), jpeg(2)))

    def test_the_detection_worker_follows_what_moves_and_tells_of_it(self) -> None:
        needs("numpy", "cv2")
        hub, stop = self.hub(), threading.Event()
        with streamflow.publish(hub.address, "door") as door:

            def play() -> None:
                n = 0
                with contextlib.suppress(streamflow.UsageError):
                    while not stop.wait(0.03):
                        n += door.send(scene(n))

            player = threading.Thread(target=play, daemon=True)
            player.start()
            with self.run_example("detect.py", hub.address, "door", "--report", "report.json") as worker:
                with streamflow.view(hub.address, "detection/door", timeout=LIMIT) as view:
                    drawn = next(picture for picture in view if picture.metadata["objects"] == 2 and picture.captured)
                self.assertEqual(drawn.size, (320, 240))
                boxes = {one.partition(":")[0]: one for one in drawn.metadata["boxes"].split()}
                self.assertEqual(len(boxes), 2, drawn.metadata)
                self.assertTrue(all(not isinstance(value, (list, dict)) for value in drawn.metadata.values()), "shown in the window")
                worker.send_signal(signal.SIGTERM)
                _, err = worker.communicate(timeout=LIMIT)
                self.assertEqual(worker.returncode, 0, err)
            stop.set()
            player.join(LIMIT)
        report = json.loads((self.folder / "report.json").read_text())
        self.assertGreaterEqual(report["objects"], 2)
        self.assertGreater(report["published"], 0)
        self.assertEqual(len(report["ids"]), report["objects"])
        self.assertTrue(all(report["ms"][step]["p50"] >= 0 for step in ("decode", "find", "track", "publish", "whole")))

    def test_the_worker_ends_with_the_code_of_a_refusal_where_it_is_refused(self) -> None:
        needs("numpy", "cv2")
        hub = self.hub("--listen", "ALL")
        with self.run_example("detect.py", hub.link("--view", "main/door").partition("&token")[0] + "&token=guess", "--publish", "main/a") as worker:
            _, err = worker.communicate(timeout=LIMIT)
            self.assertEqual(worker.returncode, 4, err)
            self.assertNotIn("Traceback", err)


class Detection(unittest.TestCase):
    def setUp(self) -> None:
        needs("numpy", "cv2")
        self.detect = example("detect")

    def test_two_things_that_pass_each_other_keep_their_numbers_and_another_scene_begins_anew(self) -> None:
        movers, tracker = self.detect.Movers(0.01), self.detect.Tracker()
        cuts = []
        for n in range(80):
            boxes, cut = movers.find(scene(n, other=n >= 50, things=n % 50 > 2))
            tracker.update(boxes, n / 30, cut)
            cuts += [n] if cut else []
            if n == 49:
                self.assertEqual([track.id for track in tracker.all], [1, 2])
                self.assertTrue(all(track.pictures > 30 for track in tracker.all))
        self.assertEqual((cuts, len(tracker.all)), ([0, 50], 4))

    def test_outputs_of_both_kinds_of_models_become_boxes(self) -> None:
        import numpy

        model = self.detect.Model.__new__(self.detect.Model)
        model.score, model.labels = 0.4, ["person", "car", ""]
        rows = numpy.zeros((8400, 7), numpy.float32)
        rows[5] = (100, 50, 40, 20, 0.0, 0.9, 0.0)
        rows[6] = (101, 50, 40, 20, 0.0, 0.8, 0.0)
        rows[9] = (300, 200, 20, 60, 0.0, 0.0, 0.5)
        # A column each, four of place and three of scores.
        boxes = model.boxes(rows.T, 2.0)
        self.assertEqual([tuple(box)[:5] for box in boxes], [(160, 80, 80, 40, "car"), (580, 340, 40, 120, "kind 2")])
        whole = numpy.insert(rows, 4, 1.0, axis=1)
        self.assertEqual(model.boxes(whole, 2.0), boxes)
        self.assertEqual(model.boxes(numpy.zeros((7, 8400), numpy.float32), 1.0), [])
