#!/usr/bin/env python3
"""Publishes JPEG files to a hub, each as an 8-byte length and the file, ten a second, over and over.

    streamflow-hub      then: publish.py 127.0.0.1 8002 FILE.jpg ...      and: streamflow-view"""
import itertools
import pathlib
import socket
import struct
import sys
import time

host, port, *files = sys.argv[1:]
pictures = [pathlib.Path(file).read_bytes() for file in files]
with socket.create_connection((host, int(port))) as connection:
    for picture in itertools.cycle(pictures):
        connection.sendall(struct.pack("<Q", len(picture)) + picture)
        time.sleep(0.1)
