"""What goes wrong. Each says what to do; `Error` is all of them."""


class Error(Exception):
    """Any error of this package."""


class UsageError(Error, ValueError):
    """What was asked for makes no sense: an address that is none, a picture that is none."""


class UnreachableError(Error, ConnectionError):
    """There is no hub, or the way to it broke. Programs try again."""


class RefusedError(Error):
    """The hub says no, or it is not the hub that is meant. Asking again does not help."""


class UnauthorizedError(RefusedError):
    """The hub asks for a right that was not shown, or has ended."""


class ProtocolError(Error):
    """What answers is no StreamFlow hub, or breaks the protocol."""


class NoPictureError(Error, TimeoutError):
    """No picture came in time; the text says why, where that is known."""


class SealedError(Error):
    """The pictures are sealed end to end, and cannot be opened."""


class DecoderError(Error):
    """There is nothing here that makes an array of a JPEG or a JPEG of an array, or it cannot."""


def shown(text: str, most: int = 300) -> str:
    """Words from outside, for a person: on one line, with no characters that steer a terminal, and not too long."""
    text = text if len(text) <= most else text[:most] + "…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
