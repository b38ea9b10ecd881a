"""What the programs of this user keep in the state folder: keys of hubs that were met, what let in there, and that of the own hub.
All is read here, and nothing is written."""

from __future__ import annotations

import os
import re
import ssl
from pathlib import Path
from typing import NamedTuple, Optional

from .address import SECRET_MOST, Secret
from .der import Fingerprint
from .errors import RefusedError, UsageError

KNOWN_MOST = 1 << 20
TOKENS_MOST = 4 << 20
CERTIFICATE_MOST = 1 << 20


def default_folder() -> Optional[Path]:
    """`STREAMFLOW_STATE`, systemd's, `$XDG_STATE_HOME/streamflow`, or `~/.local/state/streamflow`."""
    named = os.environ.get("STREAMFLOW_STATE")
    if named:
        return Path(named)
    service = os.environ.get("STATE_DIRECTORY", "").split(os.pathsep)[0]
    if service and os.path.isabs(service):
        return Path(service)
    for base, below in (("XDG_STATE_HOME", ""), ("HOME", ".local/state"), ("LOCALAPPDATA", "")):
        path = os.environ.get(base, "")
        if path and os.path.isabs(path):
            return Path(path, below, "streamflow")
    return None


class KnownHub(NamedTuple):
    """A hub that was met."""

    key: Fingerprint
    since: str
    line: int
    file: Path


class State:
    """The folder."""

    def __init__(self, folder: Optional[str] = None) -> None:
        self.folder = Path(folder) if folder else default_folder()

    def _read(self, name: str, most: int) -> str:
        """A file; one that is not there is empty. Raises OSError where it is there and cannot be read."""
        if self.folder is None:
            return ""
        path = self.folder / name
        try:
            with open(path, "rb") as file:
                found = file.read(most + 1)
        except (FileNotFoundError, NotADirectoryError):
            return ""
        if len(found) > most:
            raise OSError(f"{path} is too long")
        return found.decode("utf-8", "replace")

    def known(self, place: str) -> Optional[KnownHub]:
        """What is known of the hub at this place. Raises RefusedError where that cannot be read: it is not known what is known."""
        found = None
        try:
            lines = self._read("known-hubs", KNOWN_MOST).splitlines()
        except OSError as error:
            raise RefusedError(f"the hubs that were met cannot be read: {error}") from None
        for number, line in enumerate(lines, 1):
            words = line.split()
            if len(words) >= 2 and words[0].lower() == place.lower():
                key = Fingerprint.read(words[1])
                if key is not None:
                    since = words[2] if len(words) > 2 else "an unknown day"
                    found = KnownHub(key, since, number, (self.folder or Path()) / "known-hubs")
        return found

    def own(self) -> Optional[Fingerprint]:
        """The key of this user's own hub on this machine."""
        try:
            pem = self._read("hub-cert.pem", CERTIFICATE_MOST)
            first = re.search("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", pem, re.DOTALL)
            return Fingerprint.of_certificate(ssl.PEM_cert_to_DER_cert(first.group())) if first else None
        except (OSError, ValueError):
            return None

    def local_secret(self) -> Optional[Secret]:
        """The secret of this user's own hub, which is for a hub with the own key alone."""
        try:
            text = self._read("local-secret", SECRET_MOST).strip()
            return Secret.checked(text) if text else None
        except (OSError, UsageError):
            return None

    def token(self, place: str, role: str, room: str, name: str) -> Optional[Secret]:
        """What let this user in there for the same, or else for another stream of the same room. The newest counts."""
        same = of_room = None
        try:
            lines = self._read("tokens", TOKENS_MOST).splitlines()
        except OSError:
            return None
        for line in lines:
            words = line.split()
            if len(words) != 5 or words[0].lower() != place.lower() or words[1] != role:
                continue
            of, _, stream = words[2].partition("/")
            if of != room:
                continue
            try:
                token = Secret.of_url(words[4])
            except UsageError:
                continue
            if stream == name:
                same = token
            else:
                of_room = token
        return same or of_room
