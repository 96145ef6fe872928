"""References to images are taken apart as registries understand them."""

from __future__ import annotations

import pytest

from bakestone.clients.registry.reference import Reference
from bakestone.clients.site.site import Site

DIGEST = "sha256:" + "0" * 64

CASES = {
    "docker.io/library/debian:12": ("docker.io", "library/debian", "12"),
    "docker.io/library/debian": ("docker.io", "library/debian", "latest"),
    "localhost:5000/base/debian:openmpi5.0.10": ("localhost:5000", "base/debian", "openmpi5.0.10"),
    "localhost:5000/base/debian": ("localhost:5000", "base/debian", "latest"),
    f"ghcr.io/a/b@{DIGEST}": ("ghcr.io", "a/b", DIGEST),
    f"localhost:5000/a/b:tag@{DIGEST}": ("localhost:5000", "a/b", DIGEST),
    "[::1]:5000/a:b": ("[::1]:5000", "a", "b"),
}


@pytest.mark.parametrize(("text", "parts"), CASES.items())
def test_a_reference_has_a_host_a_repository_and_a_tag(
    text: str, parts: tuple[str, str, str]
) -> None:
    reference = Reference.parse(text)
    assert (reference.host, reference.repository, reference.target) == parts


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:5000",
        "127.0.0.1:5000",
        "127.0.0.1",
        "[::1]:5000",
        "mirror.example.com:5000",
        "plain.example.com:80",
    ],
)
def test_loopback_and_named_hosts_are_spoken_to_in_plain_http(host: str) -> None:
    assert Site(insecure=("mirror.example.com:5000", "plain.example.com")).plain_http(host)


@pytest.mark.parametrize(
    "host",
    [
        "docker.io",
        "registry.example.com:5000",
        "10.0.0.1:5000",
        "localhost.example.com",
        "mirror.example.com",
    ],
)
def test_everything_else_is_spoken_to_in_tls(host: str) -> None:
    assert not Site(insecure=("mirror.example.com:5000",)).plain_http(host)


@pytest.mark.parametrize("text", CASES)
def test_a_reference_is_shown_as_it_was_given(text: str) -> None:
    assert str(Reference.parse(text)) == text


def test_a_reference_leads_to_others_in_its_repository() -> None:
    reference = Reference.parse(f"[::1]:5000/a/b:tag@{DIGEST}")
    assert (reference.name, reference.path) == ("[::1]:5000/a/b", f"a/b:tag@{DIGEST}")
    assert str(reference.at(DIGEST)) == f"[::1]:5000/a/b@{DIGEST}"
    assert str(reference.tagged("new")) == "[::1]:5000/a/b:new"


def test_docker_hub_answers_elsewhere() -> None:
    assert Reference.parse("docker.io/library/debian").server == "registry-1.docker.io"
    assert Reference.parse("localhost:5000/a").server == "localhost:5000"
