"""What BuildKit says while it works (`--progress=rawjson`), turned into a state per target.

Format: one JSON object a line with `vertexes`, `statuses`, `logs`
(BuildKit's client.SolveStatus). A vertex is named
`[TARGET PLATFORM STAGE 2/5] INSTRUCTION`, without TARGET when one target is
built, without PLATFORM when it has only one; one that several targets share is
named after the first of them.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

_NAME = re.compile(
    r"^\[(?:(?P<first>[^\s\]]+) )?(?:[a-z]+/[^\s\]]+ )?(?:(?P<second>[^\s\]]+)"
    r" )?\s*(?P<step>\d+)/(?P<steps>\d+)\] (?P<what>.*)",
    re.DOTALL,
)
_CANCELLED = ("context canceled", "Canceled")
_SESSION = re.compile(r"error reading from server: EOF|no active session for|session .* closed")
"""BuildKit's words for a buildx that is no longer there to take what it made: buildx left because
of something else, usually another target, whose step may not have been told yet.
"""
LOG_LINES = 400
"""Lines kept of each step's log."""


@dataclass
class Step:
    """A vertex: one instruction of one stage. `began` is when, as the builder writes it."""

    name: str
    target: str = ""
    stage: str = ""
    step: str = ""
    instruction: str = ""
    began: str = ""
    running: bool = False
    done: bool = False
    cached: bool = False
    error: str = ""
    _lines: list[str] = field(default_factory=list)
    _open: dict[int, bytes] = field(default_factory=dict)

    @property
    def last(self) -> bool:
        """Whether it ends a stage."""
        number, _, count = self.step.partition("/")
        return bool(number) and number == count

    def hear(self, vertex: dict[str, str]) -> None:
        """Take what BuildKit says of how far it is."""
        self.began = vertex.get("started") or self.began
        self.done = bool(vertex.get("completed"))
        self.running = bool(vertex.get("started")) and not self.done
        self.cached = self.cached or bool(vertex.get("cached"))
        self.error = vertex.get("error", "") or self.error

    def write(self, stream: int, data: bytes) -> None:
        """Take what the step wrote.

        BuildKit sends it as it comes, in pieces that end anywhere, even inside a character.
        """
        *whole, rest = (self._open.get(stream, b"") + data).split(b"\n")
        self._lines += [line.decode("utf-8", "replace").rstrip("\r") for line in whole]
        del self._lines[:-LOG_LINES]
        self._open[stream] = rest

    @property
    def log(self) -> list[str]:
        """The last lines that the step wrote, the ones without an end included."""
        ends = [rest.decode("utf-8", "replace") for rest in self._open.values() if rest]
        return [*self._lines, *ends][-LOG_LINES:]


@dataclass(frozen=True)
class Failure:
    """A step that failed, with the last lines that it wrote."""

    target: str
    stage: str
    instruction: str
    error: str
    log: tuple[str, ...]


@dataclass
class State:
    """Everything known of one bake call.

    `output` holds lines that are not JSON: buildx's own errors. `digests` are those that buildx
    tells of what it pushed, target -> digest; older ones tell that of the configuration.

    `last` is target -> the name of its last stage.

    `hidden` are secrets, the longest first: asterisks stand for them in everything that is shown.
    """

    targets: tuple[str, ...]
    hidden: tuple[str, ...] = field(default=(), kw_only=True, repr=False)
    last: Mapping[str, str] = field(default_factory=dict, kw_only=True, repr=False)
    steps: dict[str, Step] = field(default_factory=dict)
    output: list[str] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)
    _pending: list[str] = field(default_factory=list, repr=False)
    # what is asked for at each line, of each of a hundred targets, is not looked for in all steps
    _ends: dict[str, list[Step]] = field(default_factory=dict, repr=False)
    """Target -> the last steps of its stages, one for each platform."""
    _at_work: dict[str, dict[str, Step]] = field(default_factory=dict, repr=False)
    """Target -> the steps that run now; under "" those that belong to none, such as exports."""

    def feed(self, line: str) -> None:
        """Take one line of output. buildx up to 0.13 spreads an event over several lines, from `{`
        to `}`.
        """
        bare = line.rstrip()
        if self._pending or bare == "{":
            self._pending.append(bare)
            if bare != "}":
                return
            bare = "".join(self._pending)
            self._pending.clear()
        try:
            event = json.loads(bare) if bare.startswith("{") else None
        except ValueError:
            event = None
        if not isinstance(event, dict):
            if bare:
                self.output.append(self._cover(bare.strip()))
            return
        for vertex in event.get("vertexes") or []:
            self._vertex(vertex)
        for log in event.get("logs") or []:
            step = self.steps.get(log.get("vertex", ""))
            if step:
                step.write(log.get("stream", 0), base64.b64decode(log.get("data", "")))

    def _vertex(self, vertex: dict[str, str]) -> None:
        step = self.steps.get(vertex["digest"])
        if step is None:
            step = self.steps[vertex["digest"]] = self._named(vertex.get("name", ""))
            if step.last:
                self._ends.setdefault(step.target, []).append(step)
        step.hear(vertex)
        at_work = self._at_work.setdefault(step.target if step.stage else "", {})
        if step.running:
            at_work.setdefault(vertex["digest"], step)
        else:
            at_work.pop(vertex["digest"], None)

    def _named(self, name: str) -> Step:
        found = _NAME.match(name)
        if not found:
            # such as `[TARGET internal] load metadata for ...`
            target = name[1:].split(" ", 1)[0] if name.startswith("[") else ""
            alone = self.targets[0] if len(self.targets) == 1 else ""
            return Step(name, alone or (target if target in self.targets else ""))
        first, second = found["first"] or "", found["second"] or ""
        if len(self.targets) == 1 and (not second or first not in self.targets):
            # one target: [STAGE 1/3], or [PLATFORM STAGE 1/3]; a stage may be called as it is
            target, stage = self.targets[0], second or first
        else:
            target, stage = first, second.split(" ")[-1]
        return Step(name, target, stage, f"{found['step']}/{found['steps']}", found["what"])

    def running(self, target: str) -> Step | None:
        """The step of a target that is at work now: of several, the one that began last."""
        return next(reversed(self._at_work.get(target, {}).values()), None)

    def ended(self, target: str, platforms: int = 1) -> bool:
        """Whether the last step of a target's last stage is done on all its platforms."""
        ends = (s for s in self._ends.get(target, ()) if s.stage == self.last.get(target))
        return platforms <= sum(s.done and not s.error for s in ends)

    def runs(self) -> dict[str, datetime]:
        """When each step that runs a program began, by its digest and the builder's clock."""
        found = {}
        for digest, step in self.steps.items():
            if step.stage and step.began and step.instruction.startswith("RUN"):
                with contextlib.suppress(ValueError):
                    found[digest] = datetime.fromisoformat(step.began)
        return found

    def exporting(self) -> bool:
        """Whether some image is being written or pushed."""
        return any(s.name.startswith("exporting") for s in self._at_work.get("", {}).values())

    def failures(self) -> list[Failure]:
        """The steps that failed by themselves, not because another one did.

        Those that only lost buildx are given where no other step is to blame.
        """
        failed = [
            Failure(
                s.target,
                s.stage,
                s.instruction or s.name,
                self._cover(s.error),
                tuple(map(self._cover, s.log)),
            )
            for s in self.steps.values()
            if s.error and not any(word in s.error for word in _CANCELLED)
        ]
        return [f for f in failed if not lost_client(f.error)] or failed

    def _cover(self, text: str) -> str:
        for secret in self.hidden:
            text = text.replace(secret, "***")
        return text


def lost_client(error: str) -> bool:
    """Whether BuildKit says no more than that buildx had left."""
    return bool(_SESSION.search(error))
