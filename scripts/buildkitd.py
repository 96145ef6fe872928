"""A BuildKit of its own for scripts/engine.

Built from its Go module, started below the engine's data, known to buildx. Docker's builtin builder
is a BuildKit as well. This one is for what needs a builder of its own: `bakestone reproduce` with
an empty cache, builders named in the site file, and engines that cannot export images.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = Path(os.environ.get("BAKESTONE_TOOLS") or ROOT / "build" / "tools")  # as in scripts/tools
VERSION = "v0.32.2"
MODULE = "github.com/moby/buildkit"


class Unavailable(Exception):
    """There is no buildkitd and no way to get one: a reason and what to do about it."""

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.hint = hint


class Buildkit:
    """`engine` is the Engine of scripts/engine; `say` tells a person what is done."""

    def __init__(self, engine, say) -> None:
        self.engine = engine
        self.say = say
        self.socket = engine.run_dir / "buildkitd.sock"
        self.builder = f"bakestone-{engine.id}"

    # -- the program -----------------------------------------------------------

    def program(self) -> Path:
        """buildkitd from PATH, or built once and kept with the other tools."""
        found = shutil.which("buildkitd")
        if found:
            return Path(found)
        folder = TOOLS / "kept" / f"buildkit-{VERSION}"
        program = folder / "buildkitd"
        if not program.exists():
            folder.mkdir(parents=True, exist_ok=True)
            self.build(program, self.go(), folder / "log")
        return program

    def go(self) -> str:
        command = [str(ROOT / "scripts" / "tools"), "go"]
        got = subprocess.run(command, text=True, stdout=subprocess.PIPE, check=False)
        if got.returncode:
            raise Unavailable(
                "buildkitd is not on PATH, and there is no Go to build it with",
                "install buildkitd, or Go 1.26 or later",
            )
        return got.stdout.strip()

    def build(self, program: Path, go: str, log: Path) -> None:
        """In BuildKit's own module, so with the versions and checksums that it pins itself.

        `go install` refuses its go.mod.
        """
        self.say(
            f"build buildkitd {VERSION} with Go into {program.parent}"
            f" (once; some minutes; log: {log})"
        )
        # gigabytes, which go once it is built, and stay for another try while it is not
        sources = program.parent / "sources"
        env = {
            **os.environ,
            "CGO_ENABLED": "0",
            "GOFLAGS": "-mod=readonly -modcacherw",
            "GOMODCACHE": str(sources / "modules"),
            "GOCACHE": str(sources / "objects"),
        }
        with open(log, "w") as out:
            fetch = [go, "mod", "download", "-json", f"{MODULE}@{VERSION}"]
            got = subprocess.run(
                fetch, env=env, text=True, stdout=subprocess.PIPE, stderr=out, check=False
            )
            with contextlib.suppress(ValueError):
                folder = json.loads(got.stdout or "{}").get("Dir")
                flags = f"-s -w -X {MODULE}/version.Version={VERSION}"
                options = ["-trimpath", "-buildvcs=false", "-ldflags", flags]
                command = [go, "build", *options, "-o", f"{program}.new", "./cmd/buildkitd"]
                if (
                    folder
                    and not subprocess.run(
                        command, cwd=folder, env=env, stdout=out, stderr=out, check=False
                    ).returncode
                ):
                    os.replace(f"{program}.new", program)
                    shutil.rmtree(sources, ignore_errors=True)
                    return
            out.write(got.stdout or "")
        tail = " | ".join(log.read_text(errors="replace").strip().splitlines()[-3:])
        raise Unavailable(
            f"Go could not build buildkitd: {tail}",
            f"is the Go module proxy reachable? The whole log: {log}; or install buildkitd",
        )

    # -- the daemon --------------------------------------------------------------

    def up(self) -> None:
        engine, state = self.engine, self.engine.state
        if not state.get("registry"):
            raise Unavailable("the engine is not up", "run `scripts/engine up` first")
        if os.geteuid() != 0:
            raise Unavailable(
                "only root can start buildkitd here",
                "run as root, or name a builder of yours in the site file",
            )
        if not engine.which("runc"):
            engine.install([], ["runc"])
        if engine.pid("buildkitd") and self.answers():
            self.say(f"buildkitd runs already, nothing to do (builder {self.builder})")
            return
        program = self.program()
        engine.run_dir.mkdir(parents=True, exist_ok=True)
        self.write_config(state["registry"])
        if not engine.pid("buildkitd"):
            self.socket.unlink(missing_ok=True)  # of a killed one
            config = str(engine.configs["buildkitd"])
            engine.start("buildkitd", "--config", config, executable=str(program))
        engine.wait_for("buildkitd", self.socket.is_socket)
        self.buildx("rm", self.builder)  # one that was left behind
        where = f"unix://{self.socket}"
        made = self.buildx("create", "--name", self.builder, "--driver", "remote", where)
        if made.returncode or not self.answers():
            reason = made.stderr.strip() or "it does not answer"
            raise Unavailable(
                f"buildx cannot use it: {reason}", f"read {engine.data}/log/buildkitd.log"
            )
        self.say(f"ready: {self.version()} as the builder {self.builder}")
        self.say(
            f"next: `builder: {self.builder}` in the site file,"
            f" or --builder {self.builder} with docker buildx"
        )

    def write_config(self, registry: str) -> None:
        quote = json.dumps  # a TOML string
        self.engine.configs["buildkitd"].write_text(
            f"root = {quote(str(self.engine.data / 'buildkit'))}\n"
            f"[grpc]\n  address = [{quote(f'unix://{self.socket}')}]\n"
            # Steps have this machine's network: there is no bridge to make, and proxies and
            # loopback mirrors work.
            '[worker.oci]\n  enabled = true\n  networkMode = "host"\n'
            '  gc = true\n  maxUsedSpace = "20GB"\n'
            "[worker.containerd]\n  enabled = false\n"
            f"[registry.{quote(registry)}]\n  http = true\n"
        )

    def down(self) -> bool:
        """Stop the daemon and forget the builder. True if it ran."""
        ran = self.engine.stop("buildkitd")
        if ran:
            self.socket.unlink(missing_ok=True)
        if self.engine.configs["buildkitd"].exists():
            self.buildx("rm", self.builder)
            self.engine.configs["buildkitd"].unlink()
        return bool(ran)

    # -- what answers --------------------------------------------------------------

    def buildx(self, *arguments: str) -> subprocess.CompletedProcess:
        state = self.engine.state
        env = {**os.environ, **({"DOCKER_HOST": state["host"]} if state.get("host") else {})}
        command = [state.get("client") or "docker", "buildx", *arguments]
        try:
            return subprocess.run(
                command, env=env, text=True, capture_output=True, timeout=60, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as problem:
            return subprocess.CompletedProcess(command, 127, "", str(problem))

    def inspected(self) -> dict[str, str]:
        lines = self.buildx("inspect", self.builder).stdout.splitlines()
        pairs = (line.partition(":") for line in lines)
        return {key.strip(): value.strip() for key, _, value in pairs}

    def answers(self) -> bool:
        return self.inspected().get("Status") == "running"

    def version(self) -> str:
        return f"BuildKit {self.inspected().get('BuildKit version', '?')}"

    def status(self) -> str:
        if not self.engine.pid("buildkitd"):
            return "-"
        return f"{self.builder} ({self.version() if self.answers() else 'not answering'})"
