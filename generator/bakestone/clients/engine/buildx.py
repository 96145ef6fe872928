"""The only module that talks to Docker: buildx, found through python-on-whales.

Mirrors are a BuildKit source policy (policy.py), site settings are build secrets (secrets.py);
neither is seen in a Dockerfile, a cache key or an image.
"""

from __future__ import annotations

import ipaddress
import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bakestone.clients.engine import capabilities, policy, secrets
from bakestone.clients.engine.capabilities import Abilities
from bakestone.clients.engine.events import State
from bakestone.clients.site.site import Site
from bakestone.core.render.bakefile import dump
from bakestone.errors import ENVIRONMENT, fail

if TYPE_CHECKING:
    from python_on_whales import DockerClient

Watch = Callable[[State], None]
Target = dict[str, object]
"""A bake target, in the words of bake's own JSON."""
Definition = dict[str, dict[str, Target]]
"""A bake definition: `target` -> name -> target."""
PATIENCE = 10
"""Seconds that buildx gets to end by itself."""
MAX_METADATA = 16 * 2**20
"""Bytes of the file in which buildx tells of its results."""
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
"""Build arguments that buildx takes from `proxies` in Docker's configuration."""


@dataclass(frozen=True)
class Prepared:
    """A bake call's files: `path` is the definition, `metadata` where buildx tells of its results.

    `variables` are the environment that names the rest; `hidden` must not be shown.
    """

    path: Path
    metadata: Path
    variables: Mapping[str, str]
    hidden: tuple[str, ...] = field(repr=False)


class Engine:
    """buildx on the machine's Docker, with the site's mirrors and secrets.

    After `only(sources)` (policy.py), builds may fetch no others; `stopped` says that the run was
    given up.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self._sources: Sequence[str] | None = None
        self._running: set[subprocess.Popen[str]] = set()
        self._change = threading.Lock()
        self.stopped = False

    def only(self, sources: Sequence[str]) -> None:
        """Let builds from now on fetch these sources alone (policy.py)."""
        self._sources = sources

    def client(self) -> DockerClient:
        """Docker's command line.

        Raises `BakestoneError` (exit 3) when Docker or buildx is not there.
        """
        from python_on_whales import DockerClient, DockerException

        hint = (
            'start Docker, or run `scripts/engine up` and load its settings: eval "$(scripts/engine'
            ' env)"'
        )
        client = DockerClient()
        try:
            installed = client.buildx.is_installed()
            if installed and not self.site.builder:
                client.info()
        except DockerException as problem:
            reason = (problem.stderr or str(problem)).strip().splitlines()
            said = f"Docker does not answer: {reason[-1] if reason else 'no reason given'}"
            raise fail(said, hint, code=ENVIRONMENT) from problem
        except Exception as problem:
            # without a client, python-on-whales raises errors of several kinds
            said = f"Docker cannot be used: {(str(problem).splitlines() or ['no reason given'])[0]}"
            raise fail(said, hint, code=ENVIRONMENT) from problem
        if not installed:
            raise fail("docker buildx is not installed", hint, code=ENVIRONMENT)
        return client

    def abilities(self) -> Abilities:
        """What the builder can do.

        Raises `BakestoneError` (exit 3) when there is no such builder.
        """
        site = self.site
        return capabilities.abilities(
            self.client(), site.builder, export=site.export, compression=site.compression
        )

    def gateway(self) -> str:
        """This machine's address as build steps see it: the gateway of Docker's default bridge.

        Raises `BakestoneError` (exit 3) when Docker does not answer or has none.
        """
        from python_on_whales import DockerException

        with suppress(DockerException, ValueError):
            network = self.client().network.inspect("bridge").ipam
            for config in (network.config if network else None) or []:
                address = str(config.get("Gateway") or "")
                if ipaddress.ip_address(address).version == 4:
                    return address
        why = "Docker's default network has no gateway address on this machine"
        hint = "give --bind the address of this machine that containers see"
        raise fail(why, hint, name="--bind docker", code=ENVIRONMENT)

    def bake(self, definition: Definition, *, watch: Watch | None = None) -> tuple[State, bool]:
        """Build every target of a bake definition.

        Gives what BuildKit said, and whether all of it went well. May be called by several threads.

        A target without a context gets an empty one. `watch` is called after each event.
        """
        docker = self.client().client_config.docker_cmd
        targets = list(definition["target"])
        last = {name: str(t.get("target", "")) for name, t in definition["target"].items()}
        with self.prepared(definition) as prepared:
            state = State(tuple(targets), hidden=prepared.hidden, last=last)
            command = [*docker, "buildx", "bake", "--progress", "rawjson"]
            command += ["--builder", self.site.builder] if self.site.builder else []
            command += ["--metadata-file", str(prepared.metadata), "--file", str(prepared.path)]
            with self._process([*command, *targets], prepared.variables) as process:
                for line in process.stdout or ():
                    state.feed(line)
                    if watch:
                        watch(state)
            state.digests.update(_digests(prepared.metadata))
            return state, process.returncode == 0

    def stop(self) -> None:
        """End what runs now, and begin nothing more: for a run that is given up."""
        with self._change:
            self.stopped = True
            for process in self._running:
                process.terminate()

    @contextmanager
    def prepared(self, definition: Definition) -> Iterator[Prepared]:
        """The bake file, the source policy and the secrets as files, for as long as it is open."""
        # Secrets and contexts are outside the working directory on purpose (engine pitfall 5).
        variables = {"BUILDX_BAKE_ENTITLEMENTS_FS": "0", "BUILDX_GIT_INFO": "false"}
        with secrets.folder() as folder:
            path, empty = folder / "bake.json", folder / "empty"
            empty.mkdir()
            found = secrets.write(self.site, folder)
            mounts = [f"id={name},src={file}" for name, file in found.mounts.items()]
            extra: Target = {"secret": mounts} if mounts else {}
            targets = {
                name: {"context": str(empty), **_unproxied(target), **extra}
                for name, target in definition["target"].items()
            }
            path.write_text(dump({**definition, "target": targets}), "utf-8")
            rules = policy.source_policy(self.site, self._sources)
            if rules:
                policy_path = folder / "policy.json"
                policy_path.write_text(json.dumps(rules), "utf-8")
                variables["EXPERIMENTAL_BUILDKIT_SOURCE_POLICY"] = str(policy_path)
            yield Prepared(path, folder / "metadata.json", variables, found.hidden)

    @contextmanager
    def _process(
        self, command: Sequence[str], variables: Mapping[str, str]
    ) -> Iterator[subprocess.Popen[str]]:
        """A process whose output is read, and which is over afterwards: an export that is given up
        must not go on writing.
        """
        with self._change:
            if self.stopped:
                raise fail("the build was given up", "run it again to go on", code=ENVIRONMENT)
            process = subprocess.Popen(
                command,
                env=os.environ | variables,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
            )
            self._running.add(process)
        try:
            with process:
                try:
                    yield process
                except BaseException:
                    process.terminate()
                    try:
                        process.wait(PATIENCE)
                    except subprocess.TimeoutExpired:
                        process.kill()
                    raise
        finally:
            with self._change:
                self._running.discard(process)


def _unproxied(target: Target) -> Target:
    """A target whose provenance names no proxy: buildx would add those of Docker's configuration,
    passwords included, as build arguments, and provenance tells all of these.

    Arguments that are there already are kept by buildx. Targets without provenance keep theirs:
    steps are done for these first, and come out of the cache here, as BuildKit leaves proxies out
    of its keys (solver/llbsolver/ops/exec.go). Where the cache has lost one, it is done again
    without provenance (jobs/publish/deliver.py).
    """
    attest = target.get("attest")
    if not isinstance(attest, list) or not any("mode=max" in str(kind) for kind in attest):
        return target
    given = target.get("args")
    args = dict(given) if isinstance(given, dict) else {}
    blank = {name: "" for known in _PROXIES for name in (known, known.lower())}
    return {**target, "args": {**blank, **args}}


def _digests(metadata: Path) -> dict[str, str]:
    """Target -> digest, as buildx's metadata file has them; without those that are no digests."""
    try:
        with metadata.open("rb") as stream:
            loaded = json.loads(stream.read(MAX_METADATA))
    except (OSError, ValueError, RecursionError):
        return {}
    found = {}
    for target, about in loaded.items() if isinstance(loaded, dict) else ():
        about = about if isinstance(about, dict) else {}
        descriptor = about.get("containerimage.descriptor")
        stated = descriptor.get("digest") if isinstance(descriptor, dict) else None
        stated = stated or about.get("containerimage.digest")
        if isinstance(stated, str):
            found[str(target)] = stated
    return found


def inline_target(dockerfile: str, platform: str, destination: str) -> Target:
    """A bake target without a context, for a Dockerfile that needs none."""
    return {"dockerfile-inline": dockerfile, "platforms": [platform], "output": [destination]}
