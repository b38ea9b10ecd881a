"""Pictures of a StreamFlow hub, as young as can be.

    import streamflow

    for picture in streamflow.view("hub", "door"):
        print(picture.sequence, picture.age, len(picture.jpeg))

    with streamflow.publish("hub", "bench") as bench:
        bench.send(jpeg)

A hub is written as for the programs: `HOST`, `HOST:PORT`, `wss://HOST/ws`, or a link, `sf://HOST/ROOM/NAME#pin=…&token=…`.
"""

from .errors import (
    DecoderError,
    Error,
    NoPictureError,
    ProtocolError,
    RefusedError,
    SealedError,
    UnauthorizedError,
    UnreachableError,
    UsageError,
)
from .picture import Picture
from .publisher import Publisher, publish
from .viewer import View, view
from .web import StreamInfo, snapshot, streams

__all__ = [
    "DecoderError",
    "Error",
    "NoPictureError",
    "Picture",
    "ProtocolError",
    "Publisher",
    "RefusedError",
    "SealedError",
    "StreamInfo",
    "UnauthorizedError",
    "UnreachableError",
    "UsageError",
    "View",
    "publish",
    "snapshot",
    "streams",
    "view",
]

__version__ = "0.1.0"
