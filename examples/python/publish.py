#!/usr/bin/env python3
"""Publishes JPEG files to a hub: an 8-byte length and a JPEG, again and again. The stream is named after this address.

    streamflow-hub      then: publish.py 127.0.0.1 8002 FILE.jpg [FILE.jpg ...]      and: streamflow-view

Shows each file for a tenth of a second, over and over.
"""
import itertools
import socket
import struct
import sys
import time

host, port, files = sys.argv[1], int(sys.argv[2]), sys.argv[3:]

with socket.create_connection((host, port)) as connection:
    for name in itertools.cycle(files):
        with open(name, "rb") as file:
            picture = file.read()
        connection.sendall(struct.pack("<Q", len(picture)) + picture)
        time.sleep(0.1)
