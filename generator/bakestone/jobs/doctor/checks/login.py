"""The registry that images go to: can this account push there? An upload is begun and given up; no
blob is stored.
"""

from __future__ import annotations

from bakestone.clients.http.session import Session
from bakestone.clients.registry.client import Reference, Registry
from bakestone.errors import BakestoneError
from bakestone.jobs.doctor.checks.bases import silent
from bakestone.jobs.doctor.report import ENVIRONMENTAL, Trouble


def check(repository: str, registry: Registry, hosts: Session) -> list[Trouble]:
    """What is wrong with pushing to HOST/REPOSITORY.

    Raises `UnreachableError` when its registry gives no answer.
    """
    host = Reference.parse(repository).host
    hosts.alive(host)
    try:
        registry.probe(repository)
    except BakestoneError as problem:
        told = silent(problem, hosts)
        if told is not problem:
            raise told from problem
        return [
            Trouble("registry", repository, f.message, f.hint, ENVIRONMENTAL)
            for f in problem.findings
        ]
    hosts.skews |= registry.session.skews
    return []
