"""The registries of the conformance suite: real ones, and stand-ins with vendors' manners."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.support.realregistry import debian, newest
from tests.support.vendorregistry import Manners


@dataclass(frozen=True)
class Setup:
    """A registry of the table: a real `program`, or a stand-in with a vendor's `manners`.

    `login` is "basic", "bearer", both or empty. `refresh` says that people have a refresh token,
    `life` how many seconds tokens live.
    """

    login: str = ""
    program: Callable[[], str] | None = None
    tls: bool = False
    life: float = 300
    manners: Manners = field(default_factory=Manners)
    refresh: bool = False

    @property
    def deletes_tags(self) -> bool:
        """distribution 2.8 does not."""
        return self.program is not debian and self.manners.deletes == 202


_KINDS: dict[str, dict[str, Any]] = {
    "open": {},
    "htpasswd": {"login": "basic"},
    "token": {"login": "bearer"},
    "short-token": {"login": "bearer", "life": 2},
    "tls": {"tls": True},
    "tls-htpasswd": {"login": "basic", "tls": True},
    "tls-token": {"login": "bearer", "tls": True},
}
REAL = {
    f"{name}-{kind}": Setup(program=program, **about)
    for name, program in (("debian", debian), ("v3", newest))
    for kind, about in _KINDS.items()
}
BEARER = 'Bearer realm="{realm}",service="{service}",scope="{scope}"'
BASIC = 'Basic realm="Registry, Realm"'
VENDORS = {
    "quay: a repository that is not there is 401": Manners("bearer", absent=401),
    "artifactory: a repository that is not there is 403": Manners("basic", BASIC, absent=403),
    "harbor: two challenges in two headers": Manners("bearer basic", f"{BASIC}\n{BEARER}"),
    "nexus: two challenges in one header": Manners("bearer basic", f"{BASIC}, {BEARER}"),
    "gitea: parameters without quotes": Manners(
        "bearer", "Bearer realm={realm},service={service},scope={scope}"
    ),
    "ghcr: the challenge always says pull": Manners(
        "bearer", BEARER.replace("{scope}", "repository:user/image:pull")
    ),
    "no scope in the challenge": Manners("bearer", 'Bearer realm="{realm}",service="{service}"'),
    "acr: a refresh token, and a Location without a host": Manners("bearer", location="rooted"),
    "gitlab: a Location with a query": Manners("bearer", location="query"),
    "a Location that is relative": Manners("basic", BASIC, location="relative"),
    "a Location on another host": Manners("bearer", location="elsewhere"),
    "a front that refuses HEAD (405)": Manners("bearer", head=405),
    "a front that refuses HEAD (501)": Manners(head=501),
    "gar: no tag is deleted": Manners("basic", BASIC, deletes=405),
    "no index": Manners(index=400),
    "no artifacts": Manners(artifacts=400),
    "the API of referrers": Manners(lists=True),
}


SETUPS = REAL | {
    name: Setup(manners.login, manners=manners, refresh=name.startswith("acr"))
    for name, manners in VENDORS.items()
}


def at(fits: Callable[[Setup], bool]) -> pytest.MarkDecorator:
    """A promise that is made at some registries of the table alone."""
    names = [name for name, setup in SETUPS.items() if fits(setup)]
    return pytest.mark.parametrize("running", names, indirect=True, scope="module")
