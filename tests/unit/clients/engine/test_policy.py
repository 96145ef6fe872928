"""The source policy, read as BuildKit reads it: mirrors by their longest prefix, and nothing beside
the lock when that is asked for.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from bakestone.clients.engine.policy import locked_sources, names, source_policy
from bakestone.clients.site import site
from bakestone.clients.site.site import Site
from bakestone.core.lock.lock import Lock, LockedArtifact, LockedBase, LockedKeyring
from tests.unit.clients.site.test_site import with_secrets

DIGEST = "sha256:" + "a" * 64
HERE = Site(
    registries={"docker.io": "m.example:5000/hub", "docker.io/library": "m.example:5000/library"},
    urls={
        "https://a.example/": "https://files.example/a/",
        "https://a.example/big/": "https://files.example/big/",
    },
)


def fetched(policy: dict[str, Any] | None, source: str) -> str:
    """What BuildKit fetches for a source, or `denied`:

    `evaluatePolicy` of its sourcepolicy/engine.go, rule by rule.
    """
    rules = policy["rules"] if policy else []
    for _ in range(20):
        denied, changed = False, ""
        for rule in rules:
            found = _match(rule["selector"], source)
            if not found:
                continue
            if rule["action"] == "CONVERT":
                target = rule["updates"]["identifier"].replace("${1}", found[1])
                if target != source:
                    changed = target
                    break
            else:
                denied = rule["action"] == "DENY"
        if not changed:
            return "denied" if denied else source
        source = changed
    raise AssertionError("BuildKit gives up: too many mutations on a single source")


def _match(selector: dict[str, str], source: str) -> re.Match[str] | None:
    pattern = re.escape(selector["identifier"])
    return re.fullmatch(
        pattern.replace(r"\*", "(.*)") if selector["match_type"] == "WILDCARD" else pattern, source
    )


def lock() -> Lock:
    bases = {
        "docker.io/library/debian:12": LockedBase(DIGEST, {}, "registry", ""),
        "docker.io/old/cuda:9": LockedBase("", {}, "library", ""),
    }
    return Lock(
        bases=bases,
        artifacts={"https://a.example/big/x.tar.gz": LockedArtifact("0" * 64, 1, "x")},
        keyrings={"vendor": LockedKeyring("https://v.example/key.pub", "F" * 40)},
    )


def only_locked(here: Site) -> dict[str, Any] | None:
    return source_policy(here, locked_sources(lock()))


def test_the_longest_prefix_counts_for_buildkit_as_it_does_for_bakestone() -> None:
    policy = source_policy(HERE)
    for ref in ("docker.io/library/debian:12", "docker.io/nvidia/cuda:1", "ghcr.io/x/y:1"):
        assert fetched(policy, f"docker-image://{ref}") == f"docker-image://{HERE.mirror(ref)}"
    for url in ("https://a.example/x", "https://a.example/big/x", "https://b.example/x"):
        assert fetched(policy, url) == HERE.mirror_url(url)


def test_without_mirrors_there_is_no_policy_unless_only_what_is_locked_may_be_fetched() -> None:
    assert source_policy(Site()) is None
    assert fetched(only_locked(Site()), "https://v.example/key.pub") == "https://v.example/key.pub"
    assert fetched(only_locked(Site()), "https://v.example/other") == "denied"


def test_what_the_lock_holds_may_be_fetched_from_its_mirror() -> None:
    policy = only_locked(HERE)
    assert (
        fetched(policy, f"docker-image://docker.io/library/debian:12@{DIGEST}")
        == f"docker-image://m.example:5000/library/debian:12@{DIGEST}"
    )
    assert fetched(policy, "https://a.example/big/x.tar.gz") == "https://files.example/big/x.tar.gz"
    assert fetched(policy, "https://v.example/key.pub") == "https://v.example/key.pub"
    assert fetched(policy, "local://dockerfile") == "local://dockerfile"


def test_a_base_that_nobody_knows_a_digest_of_may_be_fetched_by_its_tag() -> None:
    policy = only_locked(HERE)
    for reference in ("docker.io/old/cuda:9", f"docker.io/old/cuda:9@{DIGEST}"):
        assert (
            fetched(policy, f"docker-image://{reference}")
            == f"docker-image://m.example:5000/hub/old/{reference.rpartition('/')[2]}"
        )
    assert fetched(policy, "docker-image://docker.io/old/cuda:99") == "denied"


def test_nothing_else_may_be_fetched() -> None:
    policy = only_locked(HERE)
    for source in (
        "docker-image://docker.io/library/debian:12",
        "docker-image://docker.io/library/debian:12@sha256:" + "b" * 64,
        "docker-image://docker.io/library/alpine:3",
        "docker-image://docker.io/docker/dockerfile:1",
        f"docker-image://m.example:5000/library/debian:13@{DIGEST}",
        "https://a.example/big/x.tar.gz.sig",
        "https://a.example/x.tar.gz",
        "http://v.example/key.pub",
        "git://github.com/a/b.git",
        "oci-layout://x@" + DIGEST,
    ):
        assert fetched(policy, source) == "denied", source


def test_a_source_is_named_as_dockerfiles_name_it() -> None:
    for source in ("docker.io/library/alpine:3", "docker.io/x/y:1", "ghcr.io/x/y:1"):
        assert names(HERE, f"docker-image://{HERE.mirror(source)}")[0] == source
    for source in ("https://a.example/x", "https://a.example/big/x", "https://b.example/x"):
        assert names(HERE, HERE.mirror_url(source))[0] == source
    both = Site(
        urls={
            "https://a.example/": "https://m.example/",
            "https://b.example/": "https://m.example/",
        }
    )
    assert names(both, "https://m.example/x") == [
        "https://a.example/x",
        "https://b.example/x",
        "https://m.example/x",
    ]


def test_of_a_site_file_every_mirror_is_in_the_policy(tmp_path: Path) -> None:
    loaded = site.load(with_secrets(tmp_path))
    policy = source_policy(loaded)
    assert policy is not None
    assert {r["action"] for r in policy["rules"]} == {"CONVERT"}
    assert len(policy["rules"]) == len(loaded.registries) + len(loaded.urls)
