"""The rules of index.yaml fit what the library has: from a vendor's repositories or a publisher's
list that have just that, nothing is new, and nothing is left out or lost.
"""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from bakestone.core.library import released, vendored
from bakestone.core.library.catalog import Library
from bakestone.core.library.component import BUILT_IN, Component
from bakestone.core.library.released import ReleaseList
from bakestone.core.library.vendored import VendorPackage, VendorRules

COMPONENTS = {c.name: c for c in Library(BUILT_IN).components()}
OWN: dict[str, Any] = {
    name: yaml.safe_load((c.folder / "index.yaml").read_text("utf-8"))
    for name, c in COMPONENTS.items()
    if (c.folder / "index.yaml").is_file()
}
PLATFORM = "linux/amd64"
SUM = "a" * 64


def named(key: str) -> list[str]:
    return [name for name, data in OWN.items() if key in data]


def packages(component: Component) -> dict[str, list[Any]]:
    """Version -> the vendor's packages that the library has of it."""
    found = {v: x.methods.get("apt") or {} for v, x in component.versions.items()}
    return {version: data.get("packages", []) for version, data in found.items()}


@pytest.mark.parametrize("name", named("packages"))
def test_packages_that_the_library_has_are_no_news(name: str) -> None:
    component, rules = COMPONENTS[name], VendorRules.of(OWN[name]["packages"])
    held = packages(component)
    where = {r: component.repositories[r].platform or PLATFORM for r in rules.repositories}
    shelves: dict[tuple[str, str], Any] = {(r, platform): {} for r, platform in where.items()}
    entries = [(version, entry) for version, all_ in held.items() for entry in all_]
    here = [(v, e) for v, e in entries if not where.keys().isdisjoint(e["repositories"])]
    for version, entry in here:
        for repository in where.keys() & set(entry["repositories"]):
            shelf = shelves[repository, where[repository]]
            for package, theirs in entry["install"].items():
                found = VendorPackage(package, theirs, SUM, 7)
                shelf.setdefault(package, {})[theirs] = found
            for build in rules.builds:  # the release itself is in no entry
                if build.release:
                    minor = "-".join(version.split(".")[:2])
                    theirs = build.version.replace("{version}", version)
                    depends = ", ".join(f"{p} (>= {v})" for p, v in entry["install"].items())
                    main = build.release.replace("{minor}", minor)
                    found = VendorPackage(main, theirs, SUM, 7, depends)
                    shelf.setdefault(main, {})[theirs] = found
    got = vendored.vendored(rules, shelves, held)
    assert got.versions == {}, "it would be written a second time"
    assert got.left_out == {}
    # an entry that no build knows would be doubled by the next update
    assert {version for version, _ in here} == {version for version, *_ in got.builds}
    lost = [one for _, entry in here for one in vendored.lost(entry, shelves)]
    assert lost == []


@pytest.mark.parametrize("name", [n for n in named("list") if "github" in OWN[n]["list"]])
def test_releases_that_the_library_has_are_no_news(name: str) -> None:
    component, rules = COMPONENTS[name], ReleaseList.of(OWN[name]["list"])
    held = {
        version: data["artifacts"]
        for version, x in component.versions.items()
        if (data := x.methods.get(rules.method))
    }
    tags = [
        {
            "tag": rules.tag.format(version=version),
            "early": False,
            "day": "2026-11-20",
            "assets": [
                {
                    "name": artifact["url"].rpartition("/")[2],
                    "url": artifact["url"],
                    "size": 7,
                    "digest": f"sha256:{artifact['sha256']}",
                }
                for artifact in artifacts
            ],
        }
        for version, artifacts in held.items()
    ]
    got = released.tagged_releases(rules, tags, (), ())
    assert got.left_out == {}
    assert {r.version: sorted(f.url for f in r.files) for r in got.releases} == {
        version: sorted(a["url"] for a in artifacts) for version, artifacts in held.items()
    }
    for release in got.releases:
        measured = component.versions[release.version].measure
        assert {key: measured.get(key) for key in release.measure} == release.measure
