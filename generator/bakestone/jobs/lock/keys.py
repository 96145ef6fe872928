"""The key file of a vendor's package repository: fetched, looked into, and its checksum noted."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from bakestone.clients.http.ask import Asker
from bakestone.clients.http.session import HttpError, shown
from bakestone.core.library.component import Repository
from bakestone.core.lock.openpgp import fingerprints
from bakestone.errors import fail

MAX_KEY = 2**20
"""Bytes of a key file: the largest one that the library names has 4 kB."""


@dataclass(frozen=True)
class FetchedKey:
    """The checksum of a key file, or why there is none."""

    sha256: str = ""
    why: str = ""


def fetch(repository: Repository, asker: Asker) -> FetchedKey:
    """What a vendor's server, or its mirror, has.

    A server that does not answer, or not with a key, says nothing. Raises `BakestoneError` for
    another key than the library names: that is no file to pin.
    """
    try:
        answer = asker.page(repository.key, MAX_KEY)
    except HttpError as problem:
        return FetchedKey(why=problem.reason.partition(" (")[0])  # the rest differs
    if not answer.good:
        return FetchedKey(why=f"{answer.place} answers {answer.said}")
    try:
        found = fingerprints(answer.body)
    except ValueError as problem:
        return FetchedKey(why=f"{answer.place}: {problem}")
    if repository.fingerprint not in found:
        raise fail(
            f"{shown(answer.url)} has the key {', '.join(found[:3])}, not {repository.fingerprint}",
            "ask the vendor whether the key was changed; then correct its fingerprint in the"
            " component",
        )
    return FetchedKey(hashlib.sha256(answer.body).hexdigest())
