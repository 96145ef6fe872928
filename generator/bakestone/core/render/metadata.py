"""Where an image comes from, for registries and tools that show it: annotations of its index, by
the names of the OCI image specification (annotations.md). They are no part of an image. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace

PREFIX = "org.opencontainers.image"
MAX_VALUE = 300
"""Characters of a value, as in schemas/site.schema.json: an index has it once for each platform."""
_STEERS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""Control characters, line breaks, and what turns the direction of writing."""
_URL = re.compile(r"(https?|ssh|git)://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~%+@=,:-]*)*")
_REVISION = re.compile(r"[0-9A-Za-z][0-9A-Za-z._/+-]*")
_SCP = re.compile(r"(?:[^@/:\s]+@)?([A-Za-z0-9.-]{2,}):(?!/)([^\s@]+)")
"""[user@]host:path, as git takes it; one letter before the colon would be a drive."""
_USERINFO = re.compile(r"(?<=://)[^/]*@")


@dataclass(frozen=True)
class Metadata:
    """What is known of the files that images are made from; empty where nothing is."""

    source: str = ""
    revision: str = ""
    url: str = ""
    documentation: str = ""
    authors: str = ""
    vendor: str = ""

    def over(self, other: Metadata) -> Metadata:
        """What is known here, else what the other one knows."""
        known = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(other, **{name: value for name, value in known.items() if value})

    def fitting(self) -> Metadata:
        """The same without values that nobody checked and that no annotation may hold."""
        known = {f.name: getattr(self, f.name) for f in fields(self)}
        return Metadata(**{name: v for name, v in known.items() if _fits(name, v)})

    def annotations(self, created: str, base: str, digest: str) -> dict[str, str]:
        """The annotations of an image that was published at a time (RFC 3339) and stands on a base
        image; what is not known is left out.
        """
        named = {f.name: getattr(self, f.name) for f in fields(self)}
        named |= {"created": created, "base.name": base, "base.digest": digest}
        return {f"{PREFIX}.{name}": value for name, value in sorted(named.items()) if value}


def without_account(url: str) -> str:
    """A repository's URL as git has it, without what a login, a token or this machine is in; empty
    where nothing is left. `git@host:path` becomes `ssh://host/path`.
    """
    if "://" not in url and (found := _SCP.fullmatch(url)):
        url = f"ssh://{found[1]}/{found[2]}"
    return _USERINFO.sub("", re.split(r"[?#]", url)[0])


def _fits(name: str, value: str) -> bool:
    if len(value) > MAX_VALUE or _STEERS.search(value):
        return False
    if name in ("source", "url", "documentation"):
        return bool(_URL.fullmatch(value))
    return name != "revision" or bool(_REVISION.fullmatch(value))
