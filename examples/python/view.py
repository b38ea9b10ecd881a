#!/usr/bin/env python3
"""Receives pictures from a hub's plain listener: an 8-byte length and a JPEG, again and again.

    streamflow-send --plain 127.0.0.1:8003      then: view.py 127.0.0.1 8003 [COUNT]

Writes the newest picture to picture.jpg and says how many bytes it has.
"""
import socket
import struct
import sys

host, port = sys.argv[1], int(sys.argv[2])
count = int(sys.argv[3]) if len(sys.argv) > 3 else 0

with socket.create_connection((host, port)) as connection, connection.makefile("rb") as stream:
    number = 0
    while number < count or not count:
        head = stream.read(8)
        if len(head) < 8:
            sys.exit("the hub has closed the connection")
        (length,) = struct.unpack("<Q", head)
        picture = stream.read(length)
        number += 1
        with open("picture.jpg", "wb") as file:
            file.write(picture)
        print(f"picture {number}: {len(picture)} bytes", flush=True)
