#!/usr/bin/env python3
"""Receives pictures from a plain listener, each an 8-byte length and a JPEG, and writes the newest to picture.jpg.

    streamflow-send --plain 127.0.0.1:8003      then: view.py 127.0.0.1 8003 [COUNT]"""
import socket
import struct
import sys

host, port, *count = sys.argv[1:]
with socket.create_connection((host, int(port))) as connection, connection.makefile("rb") as stream:
    for number in range(1, int(count[0]) + 1 if count else sys.maxsize):
        head = stream.read(8)
        if len(head) < 8:
            sys.exit("the hub has closed the connection")
        picture = stream.read(struct.unpack("<Q", head)[0])
        with open("picture.jpg", "wb") as file:
            file.write(picture)
        print(f"picture {number}: {len(picture)} bytes", flush=True)
