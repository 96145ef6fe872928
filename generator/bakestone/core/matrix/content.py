"""What a team adds to its images, in the words of Dockerfiles and Compose: variables, labels,
annotations, certificates, files, steps, and how a container begins.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from bakestone.core.matrix.certificates import OwnCertificate
from bakestone.errors import Position

CA_PACKAGE = "ca-certificates"
"""What brings the trust store that a team's certificates come into."""
MAX_FILE = 64 * 1024
"""Bytes of one of a team's files: it stands in the Dockerfile, where people read it."""
PREFIX = "/opt/environment"
"""Where an environment of Python is unless a family says otherwise."""
MAX_FILES = 1024 * 1024
"""Bytes of all files of a family."""


@dataclass(frozen=True)
class OwnFile:
    """A file of the repository that goes into the images: its content, its place there, its
    permissions in octal, and whether it is the user's; `origin` is its name in the repository.
    """

    origin: str
    content: bytes
    path: str
    mode: str
    of_user: bool
    where: Position = field(compare=False)


@dataclass(frozen=True)
class OwnStep:
    """A script of /bin/sh that root runs at the end, and why."""

    name: str
    because: str
    script: str
    network: bool
    where: Position = field(compare=False)


@dataclass(frozen=True)
class OwnPython:
    """Python packages in an environment of their own: requirements in pip's words, sorted, each
    once; where it is, and whether it is the user's; `sources` (`fusepy==3.0.1`) may be built.
    """

    requirements: tuple[str, ...]
    prefix: str
    of_user: bool
    where: Position = field(compare=False)
    sources: tuple[str, ...] = ()

    @property
    def identity(self) -> str:
        """12 hex digits over what is asked for, by which the inventory knows it."""
        return hashlib.sha256("\n".join((*self.requirements, *self.sources)).encode()).hexdigest()[
            :12
        ]


@dataclass(frozen=True)
class Content:
    """All of it; what is empty, or None, was not said. `places` has where each key was said, and
    each variable, label and annotation, as (`env`, NAME).
    """

    env: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] | None = None
    workdir: str = ""
    shell: tuple[str, ...] = ()
    expose: tuple[str, ...] = ()
    certificates: tuple[OwnCertificate, ...] = ()
    files: tuple[OwnFile, ...] = ()
    steps: tuple[OwnStep, ...] = ()
    places: dict[tuple[str, ...], Position] = field(default_factory=dict, compare=False)
    python: OwnPython | None = None
