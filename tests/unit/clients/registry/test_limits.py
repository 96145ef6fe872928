"""What registries take is told before anything is built."""

from __future__ import annotations

import pytest

from bakestone.clients.registry.limits import limit, missing
from bakestone.clients.registry.reference import Reference

REFUSED = {
    "docker.io/acme/base": "Docker Hub has two levels",
    "docker.io": "Docker Hub has two levels",
    "localhost:5000/Acme": "lower case: acme/debian",
    "localhost:5000/a..b": "`a..b` is no part",
    "localhost:5000/a//b": "`` is no part",
    "localhost:5000/" + "a" * 250: "registries take 255",
    "europe-docker.pkg.dev/project": "three levels",
}
TAKEN = [
    "docker.io/acme",
    "localhost:5000/base",
    "[::1]:5000/x",
    "ghcr.io/acme/images/base",
    "localhost:5000/a__b/c-d/e.f",
    "europe-docker.pkg.dev/project/repository",
    "123456789012.dkr.ecr.eu-central-1.amazonaws.com/base",
]


@pytest.mark.parametrize(("registry", "reason"), REFUSED.items())
def test_what_a_registry_does_not_take_has_a_reason(registry: str, reason: str) -> None:
    assert reason in (limit(registry, "debian") or "")


@pytest.mark.parametrize("registry", TAKEN)
def test_nothing_is_said_against_what_it_takes(registry: str) -> None:
    assert limit(registry, "debian") is None


def test_who_makes_no_repository_by_itself_says_how_it_is_made() -> None:
    ecr = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/base/debian:x"
    assert "aws ecr create-repository --repository-name base/debian" in missing(
        Reference.parse(ecr)
    )
    assert "path right" in missing(Reference.parse("localhost:5000/base/debian"))
