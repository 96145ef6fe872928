"""The only module that talks to Docker: buildx, found through python-on-whales.

Mirrors are a BuildKit source policy (policy.py), site settings are build secrets (secrets.py);
neither is seen in a Dockerfile, a cache key or an image.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bakestone.clients.engine import capabilities as output
from bakestone.clients.engine import policy, secrets
from bakestone.clients.engine.capabilities import Abilities
from bakestone.clients.engine.events import State
from bakestone.clients.site.site import Site
from bakestone.core.render.bakefile import dump
from bakestone.errors import ENVIRONMENT, fail

if TYPE_CHECKING:
    from python_on_whales import DockerClient

Watch = Callable[[State], None]
PATIENCE = 10
"""Seconds that buildx gets to end by itself."""


class Engine:
    """buildx on the machine's Docker, with the site's mirrors and secrets.

    When `sources` are set (policy.py), builds may fetch no others.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self.sources: Sequence[str] | None = None

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
            raise fail(
                f"Docker does not answer: {reason[-1] if reason else 'no reason given'}",
                hint,
                code=ENVIRONMENT,
            ) from None
        except (
            Exception
        ) as problem:  # without a client, python-on-whales raises errors of several kinds
            raise fail(
                f"Docker cannot be used: {str(problem).splitlines()[0]}", hint, code=ENVIRONMENT
            ) from None
        if not installed:
            raise fail("docker buildx is not installed", hint, code=ENVIRONMENT)
        return client

    def abilities(self) -> Abilities:
        """What the builder can do.

        Raises `BakestoneError` (exit 3) when there is no such builder.
        """
        return output.abilities(self.client(), self.site.builder, export=self.site.export)

    def bake(self, definition: dict[str, Any], *, watch: Watch | None = None) -> tuple[State, bool]:
        """Build every target of a bake definition.

        Gives what BuildKit said, and whether all of it went well.

        A target without a context gets an empty one. `watch` is called after each event.
        """
        command = [
            *self.client().client_config.docker_cmd,
            "buildx",
            "bake",
            "--progress",
            "rawjson",
        ]
        targets = list(definition["target"])
        with self._workspace(definition) as (path, variables, hidden):
            state = State(tuple(targets), hidden=hidden)
            command += [
                *(["--builder", self.site.builder] if self.site.builder else []),
                "--file",
                str(path),
                *targets,
            ]
            with _running(command, variables) as process:
                for line in process.stdout or ():
                    state.feed(line)
                    if watch:
                        watch(state)
            return state, process.returncode == 0

    @contextmanager
    def _workspace(
        self, definition: dict[str, Any]
    ) -> Iterator[tuple[Path, dict[str, str], tuple[str, ...]]]:
        """The bake file, the source policy and the secrets as files; the environment that names
        them; what must not be shown.
        """
        # Secrets and contexts are outside the working directory on purpose (engine pitfall 5).
        variables = {"BUILDX_BAKE_ENTITLEMENTS_FS": "0", "BUILDX_GIT_INFO": "false"}
        with secrets.folder() as folder:
            path, empty = folder / "bake.json", folder / "empty"
            empty.mkdir()
            found = secrets.write(self.site, folder)
            extra = (
                {"secret": [f"id={name},src={file}" for name, file in found.mounts.items()]}
                if found.mounts
                else {}
            )
            targets = {
                name: {"context": str(empty), **target, **extra}
                for name, target in definition["target"].items()
            }
            path.write_text(dump({**definition, "target": targets}), "utf-8")
            rules = policy.source_policy(self.site, self.sources)
            if rules:
                policy_path = folder / "policy.json"
                policy_path.write_text(json.dumps(rules), "utf-8")
                variables["EXPERIMENTAL_BUILDKIT_SOURCE_POLICY"] = str(policy_path)
            yield path, variables, found.hidden


@contextmanager
def _running(command: list[str], variables: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A process whose output is read, and which is over afterwards: an export that is given up must
    not go on writing.
    """
    process = subprocess.Popen(
        command,
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
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


def inline_target(
    dockerfile: str, platform: str, destination: str, epoch: int = 0
) -> dict[str, Any]:
    """A bake target without a context, for a Dockerfile that needs none."""
    target: dict[str, Any] = {
        "dockerfile-inline": dockerfile,
        "platforms": [platform],
        "output": [destination],
    }
    return target | ({"args": {"SOURCE_DATE_EPOCH": str(epoch)}} if epoch else {})
