"""What becomes of a build: failures in a person's words, and what is tried again."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from bakestone.clients.engine.buildx import Definition, Engine, Watch
from bakestone.clients.engine.events import State
from bakestone.clients.registry.client import Registry
from bakestone.clients.site.site import Site
from bakestone.core.library.catalog import Library
from bakestone.jobs.publish import failures, run
from bakestone.jobs.publish.failures import FailedVariant
from bakestone.jobs.publish.watching import Status
from bakestone.project import Project
from tests.support.builder import Onlooker
from tests.support.buildkit_events import RECORDED, vertex
from tests.support.samples import MANY, Shown, locked, made_up, refused


@pytest.fixture
def made(library: Library, tmp_path: Path) -> Project:
    project = locked(tmp_path, MANY, library=library)
    project.generate()
    return project


def failed(made: Project, state: State) -> dict[str, Shown]:
    return {name: Shown.of(f.finding) for name, f in explained(made, state).items()}


def explained(made: Project, state: State) -> dict[str, FailedVariant]:
    """What is said of the variants of a project."""
    return failures.explain(state, made.plan(made.matrix.variants).variants, made.site)


def said(made: Project, stage: str, error: str, *log: str, variant: int = 0) -> dict[str, Shown]:
    """The findings when a stage of a variant ended with `error` after writing `log`."""
    target = made.matrix.variants[variant].target
    state = State(tuple(v.target for v in made.matrix.variants))
    name = f"[{target} {stage} 2/3] RUN x"
    state.feed(vertex(name))
    state.feed(
        json.dumps(
            {
                "logs": [
                    {
                        "vertex": f"sha256:{name}",
                        "data": base64.b64encode("\n".join(log).encode()).decode(),
                    }
                ]
            }
        )
    )
    state.feed(vertex(name, completed=ENDED, error=error))
    return failed(made, state)


EXIT = 'process "/bin/sh -c x" did not complete successfully: exit code: 1'


def test_a_wrong_measurement_shows_expected_and_measured(made: Project) -> None:
    found = said(
        made,
        "inventory",
        EXIT,
        "something",
        "bakestone: inventory: mpi: openmpi version: expected 4.1.8, measured 4.1.7",
    )
    name = made.matrix.variants[0].name
    assert set(found) == {name}
    assert (
        found[name].message
        == "the image is not what its name says:\n    mpi: openmpi version: expected 4.1.8,"
        " measured 4.1.7"
    )
    assert "nothing was pushed" in found[name].hint
    assert f"{name} ({made.path_of(made.matrix.variants[0])})" in found[name].text


def test_a_promise_that_is_not_kept_is_told_with_what_the_component_said(made: Project) -> None:
    told = "bakestone: contract: mpi: openmpi 4.1.8 does not work for a user of another id"
    found = said(made, "inventory", EXIT, "not found: libucp.so.0 of /opt/openmpi/lib/x.so", told)
    (one,) = found.values()
    assert one.message.splitlines() == [
        "the image does not work for every user:",
        "    mpi: openmpi 4.1.8 does not work for a user of another id",
        "    | not found: libucp.so.0 of /opt/openmpi/lib/x.so",
        f"    | {told}",
    ]
    assert "docs/consumers.md" in one.hint


def test_a_failed_stage_shows_its_last_lines_for_every_variant_that_has_it(made: Project) -> None:
    found = said(made, "miniforge", EXIT, *[f"line {n}" for n in range(40)])
    assert set(found) == {v.name for v in made.matrix.variants if v.family.name == "cpu"}
    first = next(iter(found.values()))
    assert first.message.splitlines()[0] == "the stage miniforge failed: exit code 1"
    assert first.message.splitlines()[-1] == "    | line 39"
    assert len(first.message.splitlines()) == 1 + failures.LOG_TAIL


ENDED = "2026-11-22T00:00:01Z"
GONE = f"docker.io/library/debian:12@sha256:{made_up('gone')}"
HINTS = {
    "a killed step": (EXIT.replace("code: 1", "code: 137"), (), "memory runs out"),
    "another platform": (EXIT, ("exec /bin/sh: exec format error",), "emulate"),
    "a server with limits": ("invalid response status 429", (), "limits its clients"),
    "limits of an image's registry": ("toomanyrequests: pull rate limit", (), "docker login"),
    "checksum of a file": (
        "failed to load cache key: digest mismatch sha256:a: sha256:b",
        (),
        "does not have the checksum in the lock",
    ),
    "digest of a base's layer": (
        (
            'failed commit on ref "layer-sha256:a": unexpected commit digest sha256:b, expected'
            " sha256:a: failed precondition"
        ),
        (),
        "does not have the checksum in the lock",
    ),
    "hash of a package": (
        EXIT,
        ("E: Failed to fetch http://deb.test/git.deb  Hash Sum mismatch",),
        "does not have the checksum in the lock",
    ),
    "hash of a wheel": (
        EXIT,
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.",),
        "does not have the checksum in the lock",
    ),
    "a snapshot that the builder lost": (
        "failed to commit a to b during finalize: failed to stat active key during commit: snapshot"
        " a does not exist: not found",
        (),
        "restart it",
    ),
    "a version that left": (
        EXIT,
        ("E: Version '1.0' for 'git' was not found",),
        "bakestone lock --update",
    ),
    "a package that is none": (EXIT, ("E: Unable to locate package x",), "bakestone lock --update"),
}


@pytest.mark.parametrize(("error", "log", "hint"), HINTS.values(), ids=list(HINTS))
def test_a_known_cause_has_its_hint(
    error: str, log: tuple[str, ...], hint: str, made: Project
) -> None:
    found = said(made, "openmpi", error, *log)
    assert found
    assert all(hint in f.hint for f in found.values())


LOCKED = (
    "pull access denied, repository does not exist or may require authorization: server message:"
    " insufficient_scope: authorization failed",
    "unexpected status from HEAD request to https://r.example/v2/x/manifests/1: 401 Unauthorized",
    "failed to authorize: failed to fetch oauth token: unexpected status: 403 Forbidden",
)


@pytest.mark.parametrize("error", LOCKED)
def test_a_base_behind_a_login_names_docker_login_and_every_variant_on_it(
    error: str, made: Project
) -> None:
    variant = made.matrix.variants[0]
    ref = made.plan([variant]).variants[0].dockerfile.partition("FROM docker.io/")[2].split()[0]
    state = State(tuple(v.target for v in made.matrix.variants))
    name = f"[{variant.target} internal] load metadata for docker.io/{ref}"
    state.feed(vertex(name, completed=ENDED, error=f"docker.io/{ref}: {error}"))
    found = explained(made, state)
    assert set(found) == {v.name for v in made.matrix.variants if v.base == variant.base}
    for one in found.values():
        assert "`docker login`" in one.finding.hint
        assert "mirrors.registries" in one.finding.hint
        assert one.environment
        assert not one.heals


@pytest.mark.parametrize("where", ["error", "log", "output"])
def test_a_full_disk_ends_the_run_with_its_hint(where: str, made: Project) -> None:
    words = "write /var/lib/docker/x: No space left on device"
    state = State(tuple(v.target for v in made.matrix.variants))
    name = f"[{made.matrix.variants[0].target} git 2/3] RUN x"
    if where == "output":
        state.feed(f"ERROR: {words}")
    else:
        state.feed(vertex(name))
        log = base64.b64encode(words.encode() if where == "log" else b"").decode()
        state.feed(json.dumps({"logs": [{"vertex": f"sha256:{name}", "data": log}]}))
        error = words if where == "error" else EXIT
        state.feed(vertex(name, completed=ENDED, error=error))
    (found,) = refused(lambda: explained(made, state), code=3)
    assert found.message.startswith("the disk is full: ")
    assert "make room" in found.hint


def test_a_registry_that_takes_no_index_is_told_the_way_without(made: Project) -> None:
    state = State(tuple(v.target for v in made.matrix.variants))
    state.feed("ERROR: failed to push r.example/x: unexpected status: 415 Unsupported Media Type")
    (found,) = refused(lambda: explained(made, state), code=3)
    assert "--no-attest" in found.hint


def test_a_server_that_cannot_be_reached_is_the_environment(made: Project) -> None:
    state = State(tuple(v.target for v in made.matrix.variants))
    name = f"[{made.matrix.variants[0].target} openmpi-files 1/1] ADD https://example.com/x /x"
    state.feed(
        vertex(name, completed=ENDED, error="dial tcp 127.0.0.1:1: connect: connection refused")
    )
    found = explained(made, state)
    assert found
    assert all(f.environment and "mirrors" in f.finding.hint for f in found.values())


def test_what_buildx_says_beats_what_lost_buildx(made: Project) -> None:
    """The engine tells of the lost connection, buildx of the reason."""
    state = State(tuple(v.target for v in made.matrix.variants))
    lost = "failed to copy: failed to send write: error reading from server: EOF"
    state.feed(vertex("exporting to oci image format", error=lost))
    assert "error reading from server" in failures.stopped(state).findings[0].message
    state.feed("ERROR: failed to write compressed diff: content sha256:abc: already exists\n")
    (told,) = failures.stopped(state).findings
    assert "already exists" in told.message
    assert "error reading from server" not in told.message


def test_an_error_of_the_engine_is_told_from_one_of_the_build(made: Project) -> None:
    first, second = (v.target for v in made.matrix.variants[:2])
    state = State(tuple(v.target for v in made.matrix.variants))
    commit = (
        "failed to finalize parent during merge: failed to commit a to b during finalize: snapshot"
        " a does not exist: not found"
    )
    state.feed(vertex(f"[{first} image 2/3] COPY --link x", completed=ENDED, error=commit))
    state.feed(vertex(f"[{second} inventory 2/3] RUN x", completed=ENDED, error=EXIT))
    found = explained(made, state)
    assert [f.environment for f in found.values()] == [True, False]


class Flaky(Engine):
    """An engine whose network breaks off a few times."""

    def __init__(self, times: int) -> None:
        super().__init__(Site())
        self.times, self.calls = times, 0

    def bake(self, definition: Definition, *, watch: Watch | None = None) -> tuple[State, bool]:
        self.calls += 1
        state = State(tuple(definition["target"]))
        if self.calls > self.times:
            return state, True
        name = f"[{next(iter(definition['target']))} miniforge 2/3] RUN x"
        state.feed(vertex(name))
        log = base64.b64encode(b"ReadTimeoutError: Read timed out.").decode()
        state.feed(json.dumps({"logs": [{"vertex": f"sha256:{name}", "data": log}]}))
        state.feed(vertex(name, completed=ENDED, error=EXIT))
        return state, False


@pytest.mark.parametrize(("times", "built"), [(0, 4), (run.TRIES - 1, 4), (run.TRIES, 0)])
def test_a_network_that_breaks_off_is_tried_again(
    times: int, built: int, made: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    engine = Flaky(times)
    monkeypatch.setattr(run, "PAUSE", 0)
    options = run.BuildOptions(release=tmp_path / "release.json", keep_going=False, chunk=10)
    plan = made.plan(made.matrix.variants)
    onlooker = Onlooker()
    outcome = run.build(plan, options, engine, Registry(Site()), onlooker)
    why = "the stage miniforge failed: exit code 1: ReadTimeoutError: Read timed out."
    assert [(status, said) for _, status, said in onlooker.retried] == [
        (Status.BUILDING, f"try {number} of {run.TRIES}: {why}")
        for number in range(2, min(times + 1, run.TRIES) + 1)
    ]
    assert len(outcome.built) == built
    if built:
        assert engine.calls == times + 1
    else:
        assert "broke off" in refused(outcome.raise_failures, code=3)[0].hint


class Broken(Flaky):
    """An engine that goes away, with no step to blame."""

    def bake(self, definition: Definition, *, watch: Watch | None = None) -> tuple[State, bool]:
        self.calls += 1
        state = State(tuple(definition["target"]))
        if self.calls <= self.times:
            state.feed("ERROR: failed to receive status: connection reset by peer")
        return state, self.calls > self.times


def test_an_engine_that_goes_away_is_tried_again(
    made: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(run, "PAUSE", 0)
    options, plan = run.BuildOptions(tmp_path / "release.json"), made.plan(made.matrix.variants)
    for times, calls in ((run.TRIES - 1, run.TRIES), (run.TRIES, run.TRIES)):
        engine = Broken(times)

        onlooker = Onlooker()

        def build(engine: Broken = engine, onlooker: Onlooker = onlooker) -> run.Outcome:
            return run.build(plan, options, engine, Registry(Site()), onlooker)

        if times < run.TRIES:
            assert len(build().built) == 4
        else:
            assert "connection reset by peer" in refused(build, code=3)[0].message
        assert engine.calls == calls
        for names, *_ in onlooker.retried:
            assert set(names) == {v.name for v in plan.variants}, "said once for all"
        assert [said for *_, said in onlooker.retried] == [
            f"try {number} of {run.TRIES}: the build stopped: ERROR: failed to receive status:"
            " connection reset by peer"
            for number in range(2, run.TRIES + 1)
        ]


class Failing(Engine):
    """An engine that cannot find a base image."""

    calls = 0

    def bake(self, definition: Definition, *, watch: Watch | None = None) -> tuple[State, bool]:
        self.calls += 1
        state = State(tuple(definition["target"]))
        for target in definition["target"]:
            name = f"[{target} internal] load metadata for {GONE}"
            state.feed(vertex(name, completed=ENDED, error=f"{GONE}: not found"))
        return state, False


def test_a_base_that_is_gone_is_asked_for_once(made: Project, tmp_path: Path) -> None:
    engine = Failing(Site())
    options = run.BuildOptions(release=tmp_path / "release.json")
    plan = made.plan(made.matrix.variants)
    outcome = run.build(plan, options, engine, Registry(Site()), Onlooker())
    found = refused(outcome.raise_failures)
    assert engine.calls == 1
    assert len(found) == 4
    assert all("the base image is not where the lock says" in one.hint for one in found)


def test_a_source_that_the_lock_does_not_hold_is_named_with_its_variant(made: Project) -> None:
    variants = made.matrix.variants
    state = State(tuple(v.target for v in variants))
    state.feed(
        f"ERROR: target {variants[1].target}: failed to solve: failed to load LLB: error evaluating"
        ' the source policy: source "https://evil.test/z" denied by policy: source denied by'
        " policy"
    )
    (only,) = explained(made, state).items()
    assert only[0] == variants[1].name
    assert only[1].finding.message == "the source https://evil.test/z is not in the lock"
    assert variants[1].name in only[1].finding.name
    assert not only[1].environment


def test_buildx_names_no_target_when_it_has_only_one(made: Project) -> None:
    variant, *_ = made.matrix.variants
    state = State((variant.target,))
    state.feed(
        "ERROR: failed to solve: could not resolve image due to policy: source"
        ' "docker-image://docker.io/library/alpine:3" denied by policy'
    )
    (found,) = failures.explain(state, made.plan([variant]).variants, made.site).values()
    assert found.finding.message == "the source docker.io/library/alpine:3 is not in the lock"


def test_secrets_in_what_a_step_writes_are_covered(made: Project) -> None:
    variant, *_ = made.matrix.variants
    state = State((variant.target,), hidden=("hunter2-long", "hunter2"))
    name = f"[{variant.target} base 2/3] RUN x"
    state.feed(vertex(name))
    state.feed(
        json.dumps(
            {
                "logs": [
                    {
                        "vertex": f"sha256:{name}",
                        "data": base64.b64encode(b"curl -u x:hunter2-long y\n").decode(),
                    }
                ]
            }
        )
    )
    state.feed(vertex(name, completed=ENDED, error=f"{EXIT} hunter2"))
    state.feed("ERROR: hunter2")
    said = str(failed(made, state)) + str(state.failures()) + str(state.output)
    assert "curl -u x:*** y" in said
    assert "hunter2" not in said


def test_a_registry_that_refuses_the_push_is_the_environment(made: Project) -> None:
    state = State(tuple(v.target for v in made.matrix.variants))
    state.feed("ERROR: failed to push localhost:5000/x: unauthorized")
    (found,) = refused(lambda: explained(made, state), code=3)
    assert "unauthorized" in found.message
    assert "logged in" in found.hint


def test_of_a_recorded_build_only_the_target_that_failed_is_reported(made: Project) -> None:
    first = made.matrix.variants[0]
    state = State((first.target, "ok"))
    for line in (
        (RECORDED / "two_targets.jsonl")
        .read_text("utf-8")
        .replace("[bad ", f"[{first.target} ")
        .splitlines()
    ):
        state.feed(line)
    assert set(failed(made, state)) == {first.name}


def test_why_something_failed_is_one_line_without_a_secret(made: Project) -> None:
    variant, *_ = made.matrix.variants
    state = State((variant.target,), hidden=("pass:word",))
    name = f"[{variant.target} nccl 2/3] RUN x"
    state.feed(vertex(name))
    log = f"one\nhttps://me:pass:word@index.test: Read timed out.{'x' * 500}\nERROR: it ended"
    data = base64.b64encode(log.encode()).decode()
    state.feed(json.dumps({"logs": [{"vertex": f"sha256:{name}", "data": data}]}))
    state.feed(vertex(name, completed=ENDED, error=EXIT))
    why = explained(made, state)[variant.name].why
    start = "the stage nccl failed: exit code 1: https://me:***@index.test: Read timed out.xx"
    assert why.startswith(start)
    assert len(why) == failures.WHY
    assert "\n" not in why
