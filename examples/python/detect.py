#!/usr/bin/env python3
"""Finds and follows what moves in a stream, and publishes the pictures with boxes, numbers and metadata.

    streamflow-send --source door.mjpg --name door
    detect.py 127.0.0.1 door                        and: streamflow-view --room detection, or the page
    detect.py HUB door --model yolo.onnx --labels coco.txt --report report.json --for 60

Without a model everything that moves is an object (OpenCV's MOG2, for a camera that stands still). A model is any ONNX file that
cv2.dnn reads and whose output is that of YOLO: rows of centre, size and scores. It never falls behind: each turn takes the newest
picture, and what came meanwhile is left out and counted. Drawn and encoded is only for somebody who watches.

Needs: pip install './python[array]'"""

import argparse
import collections
import json
import pathlib
import re
import signal
import sys
import time

import cv2
import numpy as np

import streamflow

Box = collections.namedtuple("Box", "x y w h label score")


def overlap(a, b):
    """Intersection over union of two boxes, 0 to 1."""
    width = min(a.x + a.w, b.x + b.w) - max(a.x, b.x)
    height = min(a.y + a.h, b.y + b.h) - max(a.y, b.y)
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / (a.w * a.h + b.w * b.h - width * height)


class Movers:
    """Finds what moves before a background that stands still."""

    # It is looked for in a small picture: this wide at most.
    WIDTH = 320
    # So different are two pictures, of 255, when the scene is another: the camera was turned, or a film was cut.
    CUT = 30
    # The largest part of the picture that is one thing.
    MOST = 0.7

    def __init__(self, least):
        self.least = least
        self.before = self.background = None

    def find(self, frame):
        """The boxes of what moves, and whether the scene is another than before."""
        scale = min(1.0, self.WIDTH / frame.shape[1])
        small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        tiny = cv2.resize(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), (32, 24), interpolation=cv2.INTER_AREA).astype(np.int16)
        cut = self.before is None or np.abs(tiny - self.before).mean() > self.CUT
        self.before = tiny
        if cut:
            self.background = cv2.createBackgroundSubtractorMOG2(varThreshold=32, detectShadows=True)
        # Left to itself it learns so quickly at first that it takes what moves for background, for a second.
        mask = self.background.apply(small, learningRate=1.0 if cut else 1 / 200)
        if cut:
            return [], True
        # 255 moves, 127 is a shadow. Specks go, and pieces of one thing become one.
        mask = cv2.threshold(mask, 200, 255, cv2.THRESH_BINARY)[1]
        mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
        mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((11, 11), np.uint8))
        outlines = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]
        least = self.least * small.shape[0] * small.shape[1]
        found = [cv2.boundingRect(outline) for outline in outlines if cv2.contourArea(outline) >= least]
        # Where nearly all moves, it is the camera.
        most = self.MOST * small.shape[0] * small.shape[1]
        return [Box(*(round(value / scale) for value in box), "moves", 1.0) for box in found if box[2] * box[3] <= most], False


class Model:
    """Finds what a network knows."""

    def __init__(self, file, labels, size, score):
        self.net, self.size, self.score = cv2.dnn.readNetFromONNX(str(file)), size, score
        self.labels = pathlib.Path(labels).read_text().split("\n") if labels else []

    def find(self, frame):
        """The boxes of what was found; the scene is never said to be another."""
        height, width = frame.shape[:2]
        # The picture as a square, with grey below or beside it.
        scale = self.size / max(height, width)
        square = np.full((self.size, self.size, 3), 114, np.uint8)
        small = cv2.resize(frame, (max(1, round(width * scale)), max(1, round(height * scale))))
        square[: small.shape[0], : small.shape[1]] = small
        self.net.setInput(cv2.dnn.blobFromImage(square, 1 / 255.0, swapRB=True))
        return self.boxes(np.squeeze(self.net.forward()), 1 / scale), False

    def boxes(self, rows, scale):
        """The boxes of an output: a row each, or, as of version 8 on, a column each without a score of the whole."""
        if rows.ndim != 2:
            raise SystemExit(f"detect: the model's output of {rows.shape} is not that of YOLO: rows of x, y, w, h and scores")
        whole = rows.shape[0] >= rows.shape[1]
        rows = rows if whole else rows.T
        scores = rows[:, 5:] * rows[:, 4:5] if whole else rows[:, 4:]
        kinds = scores.argmax(axis=1)
        best = scores[np.arange(len(rows)), kinds]
        keep = best >= self.score
        rows, kinds, best = rows[keep, :4] * scale, kinds[keep], best[keep]
        corners = np.hstack([rows[:, :2] - rows[:, 2:] / 2, rows[:, 2:]])
        chosen = cv2.dnn.NMSBoxes(corners.tolist(), best.tolist(), self.score, 0.5)
        name = lambda kind: self.labels[kind] if kind < len(self.labels) and self.labels[kind] else f"kind {kind}"
        return [Box(*(round(float(v)) for v in corners[n]), name(int(kinds[n])), float(best[n])) for n in np.ravel(chosen).astype(int)]


class Track:
    """One thing, from when it was first seen."""

    def __init__(self, box, now):
        self.id, self.box, self.first, self.last, self.pictures = None, box, now, now, 1
        # How fast it moves, in pixels a second.
        self.speed = (0.0, 0.0)

    def expected(self, now):
        """Where it should be now."""
        gone = now - self.last
        return self.box._replace(x=self.box.x + self.speed[0] * gone, y=self.box.y + self.speed[1] * gone)

    def seen(self, box, now):
        """It was found here."""
        gone = max(now - self.last, 1e-3)
        there = [new + size / 2 - old - before / 2 for new, size, old, before in
                 zip((box.x, box.y), (box.w, box.h), (self.box.x, self.box.y), (self.box.w, self.box.h))]
        self.speed = tuple(0.5 * speed + 0.5 * way / gone for speed, way in zip(self.speed, there))
        self.box, self.last, self.pictures = box, now, self.pictures + 1


class Tracker:
    """Gives what is found again the number it had: each box goes to the track whose expected place it overlaps most."""

    # Overlap from which on it is the same; pictures until it gets a number; seconds after which it is gone.
    SAME, SURE, GONE = 0.2, 5, 0.7

    def __init__(self):
        self.tracks, self.all = [], []

    def update(self, boxes, now, cut):
        """What is found now; gives the tracks that have a number and are seen now."""
        if cut:
            self.tracks = []
        self.tracks = [track for track in self.tracks if now - track.last <= self.GONE]
        places = [track.expected(now) for track in self.tracks]
        pairs = [(overlap(place, box), t, b) for t, place in enumerate(places) for b, box in enumerate(boxes)]
        tracks, free = set(range(len(self.tracks))), set(range(len(boxes)))
        for same, t, b in sorted(pairs, reverse=True):
            if same >= self.SAME and t in tracks and b in free and self.tracks[t].box.label == boxes[b].label:
                tracks.remove(t)
                free.remove(b)
                self.tracks[t].seen(boxes[b], now)
        for track in self.tracks:
            if track.id is None and track.pictures >= self.SURE:
                self.all.append(track)
                track.id = len(self.all)
        self.tracks += [Track(boxes[b], now) for b in sorted(free)]
        return [track for track in self.tracks if track.id and track.last == now]


def draw(frame, tracks):
    """Draws boxes and numbers into a picture."""
    for track in tracks:
        x, y, w, h = (int(value) for value in track.box[:4])
        # A colour for each, bright enough for any picture.
        hue = np.uint8([[[track.id * 67 % 180, 220, 255]]])
        colour = tuple(int(value) for value in cv2.cvtColor(hue, cv2.COLOR_HSV2BGR)[0, 0])
        cv2.rectangle(frame, (x, y), (x + w, y + h), colour, 2)
        words = f"{track.id} {track.box.label}"
        (wide, high), _ = cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, 0.5, 1)
        top = max(y - high - 6, 0)
        cv2.rectangle(frame, (x, top), (x + wide + 6, top + high + 6), colour, -1)
        cv2.putText(frame, words, (x + 3, top + high + 2), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)


def middle(values, part=0.5):
    """A percentile, rounded; None of nothing."""
    return round(float(np.percentile(values, part * 100)), 2) if len(values) else None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hub", help="HOST, HOST:PORT, or a link")
    parser.add_argument("name", nargs="?", default="", help="the stream, as NAME or ROOM/NAME; the first there is")
    parser.add_argument("--publish", metavar="ROOM/NAME", help="the stream with boxes (detection/NAME)")
    parser.add_argument("--to", metavar="HUB", help="the hub or link for it, where it is another")
    parser.add_argument("--model", metavar="FILE", help="an ONNX file; otherwise what moves is found")
    parser.add_argument("--labels", metavar="FILE", help="what the model's kinds are called, a line each")
    parser.add_argument("--model-size", type=int, default=640, metavar="N", help="width and height that the model takes (640)")
    parser.add_argument("--score", type=float, default=0.4, help="the least score of what a model finds (0.4)")
    parser.add_argument("--least", type=float, default=0.01, help="the least part of the picture that moves and counts (0.01)")
    parser.add_argument("--for", dest="seconds", type=float, metavar="SECONDS", help="end after so long")
    parser.add_argument("--report", metavar="FILE", help="write what was found as JSON at the end; - is standard output")
    options = parser.parse_args()

    finder = Model(options.model, options.labels, options.model_size, options.score) if options.model else Movers(options.least)
    tracker, times, ages = Tracker(), collections.defaultdict(lambda: collections.deque(maxlen=10000)), collections.deque(maxlen=10000)
    begun, pictures, published, cuts = time.monotonic(), 0, 0, 0
    # Ctrl-C and `kill` end it with its report.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    source = streamflow.view(options.hub, options.name, timeout=5)
    name = options.publish or f"detection/{options.name.rpartition('/')[2] or 'camera'}"
    # Of a link to a stream, the hub and what lets in.
    out = streamflow.publish(options.to or re.sub("^(sf://[^/#]*)[^#]*", r"\1", options.hub), name)
    with source, out:
        try:
            while options.seconds is None or time.monotonic() - begun < options.seconds:
                try:
                    picture = source.next()
                except streamflow.NoPictureError as why:
                    print(f"detect: {why}", file=sys.stderr)
                    continue
                steps = [time.perf_counter()]
                frame = picture.array()
                steps.append(time.perf_counter())
                boxes, cut = finder.find(frame)
                steps.append(time.perf_counter())
                now = picture.captured or time.time()
                seen = tracker.update(boxes, now, cut)
                steps.append(time.perf_counter())
                pictures, cuts = pictures + 1, cuts + (cut and pictures > 0)
                if out.wanted:
                    draw(frame, seen)
                    # Flat, so that window and page show it; `boxes` is ID:X,Y,W,H for whoever draws for himself.
                    said = {
                        "objects": len(seen),
                        "seen": len(tracker.all),
                        "ms": round((steps[-1] - steps[0]) * 1000, 1),
                        "boxes": " ".join(f"{t.id}:{t.box.x},{t.box.y},{t.box.w},{t.box.h}" for t in seen),
                        "labels": " ".join(f"{t.id}:{t.box.label}" for t in seen),
                    }
                    published += out.send(frame, said, captured=picture)
                steps.append(time.perf_counter())
                for step, (before, after) in zip(("decode", "find", "track", "publish"), zip(steps, steps[1:])):
                    times[step].append((after - before) * 1000)
                times["whole"].append((steps[-1] - steps[0]) * 1000)
                if picture.age is not None:
                    ages.append(picture.age * 1000)
        except KeyboardInterrupt:
            pass
        except streamflow.Error as error:
            print(f"detect: {error}", file=sys.stderr)
            sys.exit(4 if isinstance(error, streamflow.RefusedError) else 1)
        finally:
            report = {
                "pictures": pictures,
                "skipped": source.skipped,
                "published": published,
                "seconds": round(time.monotonic() - begun, 2),
                "scenes": cuts + 1,
                "objects": len(tracker.all),
                "ids": [{"id": t.id, "label": t.box.label, "pictures": t.pictures, "seconds": round(t.last - t.first, 2)} for t in tracker.all],
                "ms": {step: {"p50": middle(each), "p99": middle(each, 0.99)} for step, each in times.items()},
                "age_ms": {"p50": middle(ages), "p99": middle(ages, 0.99)},
            }
            if options.report == "-":
                print(json.dumps(report))
            elif options.report:
                pathlib.Path(options.report).write_text(json.dumps(report, indent=1) + "\n")
            print(f"detect: {report['objects']} objects in {pictures} pictures, {report['skipped']} left out, "
                  f"{report['ms'].get('whole', {}).get('p50')} ms a picture", file=sys.stderr)


if __name__ == "__main__":
    main()
