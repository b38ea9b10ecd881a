#!/usr/bin/env python3
"""Publishes JPEG files, ten a second, over and over, while somebody watches.

    streamflow-hub      then: publish.py 127.0.0.1 bench FILE.jpg ...      and: streamflow-view"""
import itertools
import pathlib
import sys
import time

import streamflow

hub, name, *files = sys.argv[1:]
with streamflow.publish(hub, name) as bench:
    for picture in itertools.cycle([pathlib.Path(file).read_bytes() for file in files]):
        bench.send(picture)
        time.sleep(0.1)
