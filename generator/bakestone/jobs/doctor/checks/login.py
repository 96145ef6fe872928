"""The registry that images go to: can this account push there? An upload is begun and given up; no
blob is stored.
"""

from __future__ import annotations

import contextlib

from bakestone.clients.http.session import Session
from bakestone.clients.registry.client import Reference, Registry
from bakestone.errors import BakestoneError
from bakestone.jobs.doctor.checks.bases import silent
from bakestone.jobs.doctor.report import ENVIRONMENTAL, Trouble


def check(repository: str, registry: Registry, hosts: Session) -> list[Trouble]:
    """What is wrong with pushing to HOST/REPOSITORY.

    Raises `UnreachableError` when its registry gives no answer.
    """
    parsed = Reference.parse(repository)
    hosts.alive(parsed.host)
    try:
        begun = registry.request(parsed, "POST", "blobs/uploads/", headers={"Content-Length": "0"})
    except BakestoneError as problem:
        told = silent(problem, hosts)
        if told is not problem:
            raise told from problem
        return [
            Trouble("registry", repository, f.message, f.hint, ENVIRONMENTAL)
            for f in problem.findings
        ]
    if begun is None:
        return [
            Trouble(
                "registry",
                repository,
                "the registry has no such repository, and makes none by itself",
                "create it there",
                ENVIRONMENTAL,
            )
        ]
    hosts.note(parsed.host, begun.headers)
    place = begun.headers.get("Location", "")
    if place:
        with contextlib.suppress(
            BakestoneError
        ):  # some registries do not take it back; they forget it by themselves
            registry.request(parsed, "DELETE", place)
    return []
