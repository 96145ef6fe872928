"""The checksums of vendors' key files: noted when the server answers, kept when it does not, and
never of a file with another key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bakestone.core.library.catalog import Library
from bakestone.core.lock import scope, survey
from bakestone.core.lock.lock import Lock, LockedKeyring
from bakestone.core.lock.scope import Scope
from bakestone.jobs.lock.entries import Entries
from bakestone.jobs.lock.journal import Journal
from bakestone.project import Project
from tests.support.keys import KEYS, STRANGER
from tests.support.mirror import FIRST, vendor_component
from tests.support.samples import NOW, made_up, made_up_lock, project
from tests.support.webserver import Answer, WebServer, body, serving, status

MATRIX = """\
version: 1
registry: localhost:5000/base
families:
  - name: vendor
    axes: {distro: [ubuntu@22.04], acme: ["1.0"]}
"""
KEY = (KEYS / "first.asc").read_bytes()
CHECKSUM = hashlib.sha256(KEY).hexdigest()
URL = "https://apt.acme.test/acme.asc"
LATER = datetime(2030, 1, 1, tzinfo=UTC)


@dataclass
class Vendor:
    """A matrix with a package of a vendor, whose key a stand-in on loopback has."""

    server: WebServer
    project: Project
    old: Lock
    said: list[str] = field(default_factory=list)

    def lock(self, *again: str) -> tuple[LockedKeyring, Entries]:
        """The keyring as a new lock has it."""
        made = self.project
        journal = Journal(made.lock_path, made.site, LATER, self.said.append)
        entries = Entries(
            made, self.old, Scope(keyrings=set(again)), journal, LATER, self.said.append
        )
        new = entries.resolve(survey.collect(made.matrix.variants, made.matrix.library))
        return new.keyrings["acme"], entries

    def has(self, **fields: str) -> None:
        """What the present lock says."""
        self.old.keyrings["acme"] = replace(self.old.keyrings["acme"], **fields)


@pytest.fixture
def vendor(tmp_path: Path) -> Iterator[Vendor]:
    vendor_component(tmp_path)
    library = Library.beside(tmp_path)
    with serving() as server:
        server.answers["/acme.asc"] = body(KEY)
        site = f"version: 1\nmirrors: {{urls: {{https://apt.acme.test/: {server.url}}}}}\n"
        made = project(tmp_path, MATRIX, library=library, site=site)
        old = made_up_lock(made.matrix.variants, library, {"debian@12": "snapshot"})
        old.bases = {r: replace(b, resolved_from="registry") for r, b in old.bases.items()}
        yield Vendor(server, made, old)


def test_a_missing_checksum_is_asked_of_the_vendor_s_mirror(vendor: Vendor) -> None:
    found, entries = vendor.lock()
    assert found == LockedKeyring(URL, FIRST, CHECKSUM, "library", "2030-01-01T00:00:00Z")
    assert (entries.problems, vendor.said) == ({}, [])


def test_a_checksum_that_is_there_is_kept_without_asking(vendor: Vendor) -> None:
    vendor.has(sha256=CHECKSUM)
    found, _ = vendor.lock()
    assert (found, vendor.server.asked) == (vendor.old.keyrings["acme"], [])


def test_an_update_asks_again_and_keeps_the_entry_where_nothing_is_new(vendor: Vendor) -> None:
    vendor.has(sha256=CHECKSUM)
    found, _ = vendor.lock("acme")
    assert (found, vendor.server.asked) == (vendor.old.keyrings["acme"], ["/acme.asc"])


def test_an_update_takes_another_file_with_the_same_key_and_says_so(vendor: Vendor) -> None:
    vendor.has(sha256=made_up("the file of last year"))
    found, _ = vendor.lock("acme")
    assert (found.sha256, found.resolved) == (CHECKSUM, "2030-01-01T00:00:00Z")
    assert vendor.said == ["the key of acme: the file is another one, with the same key in it"]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (status(404), " answers 404 Not Found"),
        (body(b"<html>log in</html>", "text/html"), ": it is no OpenPGP key"),
        (body(KEY + bytes(2**20)), "it is longer than 1048576 bytes"),
    ],
    ids=["gone", "a login page", "too large"],
)
@pytest.mark.parametrize("before", ["", made_up("present")], ids=["none", "present"])
def test_where_no_key_comes_the_present_checksum_stays_and_that_is_said(
    answer: Answer, why: str, before: str, vendor: Vendor
) -> None:
    vendor.server.answers["/acme.asc"] = answer
    vendor.has(sha256=before)
    found, entries = vendor.lock("acme")
    assert (found, entries.problems) == (vendor.old.keyrings["acme"], {})
    (said,) = vendor.said
    stays = "keeps its checksum" if before else "has no checksum"
    assert said.startswith(f"the key of acme {stays}: ")
    assert why in said


def test_a_checksum_of_another_place_is_not_kept(vendor: Vendor) -> None:
    vendor.server.answers.clear()
    vendor.has(sha256=CHECKSUM, url="https://apt.acme.test/old.asc")
    found, _ = vendor.lock()
    assert (found.url, found.sha256) == (URL, "")


def test_a_file_with_another_key_is_an_error_with_both_fingerprints(vendor: Vendor) -> None:
    vendor.server.answers["/acme.asc"] = body((KEYS / "stranger.asc").read_bytes())
    found, entries = vendor.lock()
    (problem,) = entries.problems.values()
    assert f"has the key {STRANGER}, not {FIRST}" in problem.findings[0].message
    assert found.sha256 == ""


def test_a_component_means_its_keyrings(vendor: Vendor) -> None:
    variants, library = vendor.project.matrix.variants, vendor.project.matrix.library
    needs = survey.collect(variants, library)
    for words, meant in ((["acme"], {"acme"}), ([], {"acme"}), (["ubuntu"], set())):
        assert scope.named(words, variants, needs, library).keyrings == meant
    assert vendor.old.keyrings["acme"].resolved == NOW
