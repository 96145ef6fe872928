"""Manifests and small blobs of a registry, read whole and checked against their digests, and what
is said when that fails.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bakestone.clients.registry import manifest as answers
from bakestone.errors import ENVIRONMENT, BakestoneError, fail

TOTAL = 120
"""Seconds in which a document must have come, tries included."""
TRIES = 3


@dataclass(frozen=True)
class Reference:
    """HOST/REPOSITORY:TAG or @DIGEST, taken apart."""

    host: str
    repository: str
    tag: str

    @staticmethod
    def parse(text: str) -> Reference:
        """`docker.io/library/debian:12` -> its parts; a missing tag is `latest`."""
        host, _, rest = text.partition("/")
        if "@" in rest:
            repository, _, tag = rest.partition("@")
        else:
            repository, _, tag = rest.partition(":")
        return Reference(host, repository.partition(":")[0], tag or "latest")


class SilentError(BakestoneError):
    """A host that gave no answer at all."""


class Documents:
    """What was read from registries by `request` (registry.py's); what has a digest is asked for
    once.
    """

    def __init__(self, request: Callable[..., Any]) -> None:
        self._request = request
        self._contents: dict[str, tuple[str, bytes]] = {}

    def get(self, parsed: Reference, kind: str, tag: str) -> tuple[str, bytes] | None:
        """Media type and bytes of a manifest or a small blob, checked;

        None for 404. What has a digest is asked for once.
        """
        key = f"{parsed.host}/{parsed.repository}@{tag}"
        if key in self._contents:
            return self._contents[key]
        found = self._whole(parsed, f"{kind}/{tag}")
        if found is None:
            return None
        headers, raw = found
        digest = "sha256:" + hashlib.sha256(raw).hexdigest()
        if headers.get("Docker-Content-Digest", digest) != digest or (
            tag.startswith("sha256:") and tag != digest
        ):
            what = "manifest" if kind == "manifests" else "blob"
            raise fail(
                f"the registry's {what} of"
                f" {parsed.host}/{parsed.repository}{'@' if ':' in tag else ':'}{tag} does not have"
                " its digest",
                "ask the registry's operators; the answer was altered or cut off",
                name=parsed.host,
                code=ENVIRONMENT,
            )
        kept = headers.get("Content-Type", "").partition(";")[0], raw
        self._contents[f"{parsed.host}/{parsed.repository}@{digest}"] = kept
        return kept

    def _whole(self, parsed: Reference, path: str) -> tuple[Any, bytes] | None:
        """Headers and body of a small document; one that was cut off is asked for again.

        None for 404.
        """
        end = time.monotonic() + TOTAL
        for attempt in range(1, TRIES + 1):
            response = self._request(parsed, "GET", path, stream=True)
            if response is None:
                return None
            try:
                with response:
                    return response.headers, answers.body(response, end)
            except answers.BrokenError as problem:
                if attempt == TRIES or not problem.again or time.monotonic() > end:
                    raise fail(
                        f"the answer of the registry {parsed.host} for {parsed.repository} is of no"
                        f" use: {problem}",
                        "try again, or name a mirror under `mirrors.registries` in the site file",
                        name=parsed.host,
                        code=ENVIRONMENT,
                    ) from None
                time.sleep(0.2 * attempt)
        return None


def too_many(host: str, response: Any) -> BakestoneError:
    """What is said of an answer 429."""
    wait = answers.patience().get_retry_after(response.raw) or 0
    return fail(
        f"the registry {host} takes no more requests for now (429)"
        + (f": it asks to wait {wait:.0f} seconds" if wait else ""),
        f"wait, log in with `docker login {host}` (an account may ask more often), or name a mirror"
        " under `mirrors.registries` in the site file",
        name=host,
        code=ENVIRONMENT,
    )


def unfit(host: str) -> BakestoneError:
    """What is said of a login that no client could follow."""
    hint = "is a proxy in between? Name a mirror under `mirrors.registries` in the site file"
    return fail(
        f"the registry {host} asks for a login in a way that cannot be followed",
        hint,
        name=host,
        code=ENVIRONMENT,
    )
