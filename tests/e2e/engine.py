"""The Docker engine and the registry that the suite runs against: brought up here, by the project's
own scripts.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.oci import Repository

ROOT = Path(__file__).resolve().parents[2]
CA = Path("/etc/ssl/certs/ca-certificates.crt")
NOT_OURS = (
    "BAKESTONE_",
    "EXPERIMENTAL_BUILDKIT_SOURCE_POLICY",
    "BUILDX_",
    "SOURCE_DATE_EPOCH",
    "COLUMNS",
    "FORCE_COLOR",
)


def inherited() -> dict[str, str]:
    """This process's environment without what would change a command under test."""
    return {
        name: value
        for name, value in os.environ.items()
        if name == "BAKESTONE_TOOLS" or not name.startswith(NOT_OURS)
    }


@dataclass(frozen=True)
class Engine:
    """`registry` is HOST:PORT; `mirror` is where Debian's images are, or empty for Docker Hub."""

    registry: str
    environment: dict[str, str]
    mirror: str

    def docker(
        self,
        *arguments: str,
        code: int | None = 0,
        cwd: Path | None = None,
        env: dict[str, str] | None = None,
        stdin: str = "",
    ) -> str:
        """Docker's own command line, without Bakestone.

        Gives stdout, or everything when it may fail (`code` None).
        """
        done = subprocess.run(
            ["docker", *arguments],
            env=self.environment | (env or {}),
            cwd=cwd,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        assert code is None or done.returncode == code, (
            f"docker {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        )
        return done.stdout if code == 0 else done.stdout + done.stderr

    def run(self, image: str, script: str, *options: str, pull: str = "always") -> str:
        """What a shell script prints in an image, as the image's user; by default in what the
        registry has.
        """
        return self.docker(
            "run", "--rm", "--quiet", "--pull", pull, *options, image, "sh", "-c", script
        )

    def derived(self, repository: str, script: str) -> str:
        """Push a base of a team's own: Debian 12 and what a shell script changes.

        Gives it by its digest.
        """
        base = f"{self.mirror or 'docker.io/library'}/debian:12"
        self.docker(
            *("build", "--quiet", "--tag", f"{repository}:1", "-"),
            stdin=f"FROM {base}\nRUN {script}\n",
        )
        self.docker("push", "--quiet", f"{repository}:1")
        return f"{repository}@{Repository(repository).digest('1')}"

    def script(self, name: str, *arguments: str) -> None:
        """Run one of the project's scripts beside this engine and registry."""
        _script(name, *arguments, env=self.environment | {"BAKESTONE_REGISTRY": self.registry})

    @property
    def gateway(self) -> str:
        """This machine's address as containers and build steps see it."""
        return self.docker(
            "network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}"
        ).strip()

    def remove_images(self, prefix: str) -> None:
        """Remove what a session left in the engine's image store: tags first, then what has a
        digest only.

        Docker 28 cannot list images while another process removes some ("content digest ...: not
        found"): it is asked again, and what then stays does no harm.
        """
        for _ in range(2):
            for _ in range(10):
                listed = self.docker(
                    "image",
                    "ls",
                    "--all",
                    "--digests",
                    "--format",
                    "{{.Repository}} {{.Tag}} {{.Digest}}",
                    code=None,
                ).splitlines()
                if not any("not found" in line for line in listed):
                    break
                time.sleep(1)
            ours = [line.split() for line in listed if line.startswith(f"{prefix}/")]
            names = sorted(
                {
                    f"{name}@{digest}" if tag == "<none>" else f"{name}:{tag}"
                    for name, tag, digest in ours
                }
            )
            for start in range(0, len(names), 50):
                self.docker("image", "rm", "--force", *names[start : start + 50], code=None)


def up() -> Engine:
    """`scripts/engine up`, which uses what is there, and Debian 12 and 13 in its registry.

    Where no Debian base can be made (no Debian mirror), Docker Hub's are used. One process at a
    time: the suite runs in two.
    """
    (ROOT / "build").mkdir(exist_ok=True)
    with (ROOT / "build" / "e2e.lock").open("w") as alone:
        fcntl.flock(alone, fcntl.LOCK_EX)
        return _up()


def _up() -> Engine:
    _script("engine", "up")
    settings = ROOT / "build" / "engine" / "env"
    show = '. "$1"; printf "%s\\n" "$DOCKER_HOST" "$BAKESTONE_REGISTRY" "$PATH"'
    mine = inherited()
    shown = subprocess.run(
        ["sh", "-c", show, "sh", str(settings)],
        env=mine,
        capture_output=True,
        text=True,
        check=True,
    )
    host, registry, path = shown.stdout.splitlines()
    environment = (
        mine
        | {"PATH": path, "PYTHONPATH": str(ROOT / "generator"), "NO_COLOR": "1"}
        | ({"DOCKER_HOST": host} if host else {})
    )
    made = all(base(version, registry, environment) for version in ("12", "13"))
    engine = Engine(registry, environment, f"{registry}/mirror/library" if made else "")
    if not made:
        found = engine.docker(
            "buildx", "imagetools", "inspect", "docker.io/library/debian:12", code=None
        )
        if "Digest:" not in found:
            pytest.fail(f"neither `bakestone base` nor Docker Hub gives a Debian base:\n{found}")
    return engine


def base(version: str, registry: str, environment: dict[str, str], *options: str) -> bool:
    """Have a Debian base made for the engine's registry, unless it is there.

    Gives whether that went well.
    """
    command = [sys.executable, "-m", "bakestone.cli.app", "base", f"debian@{version}", *options]
    env = environment | {"BAKESTONE_REGISTRY": registry}
    return (
        subprocess.run(
            command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=1200, check=False
        ).returncode
        == 0
    )


def _script(
    name: str, *arguments: str, env: dict[str, str] | None = None, check: bool = True
) -> bool:
    done = subprocess.run(
        [ROOT / "scripts" / name, *arguments],
        env=env,
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    if check and done.returncode:
        pytest.fail(f"scripts/{name} {' '.join(arguments)} failed:\n{done.stdout}\n{done.stderr}")
    return done.returncode == 0
