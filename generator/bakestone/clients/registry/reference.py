"""References to images: HOST/REPOSITORY:TAG@DIGEST, taken apart."""

from __future__ import annotations

from dataclasses import dataclass, replace

HUB = "docker.io"
"""The name of Docker Hub in references; its API is elsewhere."""
_HUB_API = "registry-1.docker.io"


@dataclass(frozen=True)
class Reference:
    """An image, or a repository when there is neither tag nor digest.

    `host` is HOST, HOST:PORT or [IPV6]:PORT.
    """

    host: str
    repository: str
    tag: str = ""
    digest: str = ""

    @staticmethod
    def parse(text: str) -> Reference:
        """`docker.io/library/debian:12` -> its parts."""
        host, _, rest = text.partition("/")
        rest, _, digest = rest.partition("@")
        repository, _, tag = rest.partition(":")
        return Reference(host, repository, tag, digest)

    def __str__(self) -> str:
        tag, digest = self.tag and f":{self.tag}", self.digest and f"@{self.digest}"
        return f"{self.name}{tag}{digest}"

    @property
    def name(self) -> str:
        """HOST/REPOSITORY."""
        return f"{self.host}/{self.repository}"

    @property
    def path(self) -> str:
        """The reference without its host, as messages name it."""
        return str(self).removeprefix(f"{self.host}/")

    @property
    def target(self) -> str:
        """What a registry is asked for: the digest, else the tag, else `latest`."""
        return self.digest or self.tag or "latest"

    @property
    def server(self) -> str:
        """The host (and port) that answers for it."""
        return _HUB_API if self.host == HUB else self.host

    def at(self, digest: str) -> Reference:
        """What has this digest, in the same repository."""
        return replace(self, tag="", digest=digest)

    def tagged(self, tag: str) -> Reference:
        """What has this tag, in the same repository."""
        return replace(self, tag=tag, digest="")
