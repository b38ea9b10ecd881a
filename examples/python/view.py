#!/usr/bin/env python3
"""Watches a stream, and writes the newest picture to picture.jpg.

    streamflow-send     then: view.py 127.0.0.1 [NAME [COUNT]]"""
import itertools
import pathlib
import sys

import streamflow

hub, name, count = [*sys.argv[1:], "", ""][:3]
with streamflow.view(hub, name) as view:
    for picture in itertools.islice(view, int(count) if count else None):
        pathlib.Path("picture.jpg").write_bytes(picture.jpeg)
        age = "of unknown age" if picture.age is None else f"{picture.age * 1000:.1f} ms old"
        print(f"picture {picture.sequence}: {len(picture.jpeg)} bytes, {age}, {picture.skipped} left out", flush=True)
