"""What a person sees while variants are built: one line a variant, or plain lines without a
terminal.
"""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Protocol

from bakestone.clients.engine.events import State
from bakestone.jobs.publish.watching import Status

_OVER = (Status.DONE, Status.FAILED, Status.PRESENT)
_SCRIPT = re.compile(r"^RUN .*<<\S+ \((?:# (.*?)\.\.\.|.*)\)$", re.DOTALL)
"""How BuildKit names a RUN with a heredoc: its first line in parentheses."""
_MARKS = {
    Status.WAITING: "[dim]·[/]",
    Status.DONE: "[green]✓[/]",
    Status.FAILED: "[red]✗[/]",
    Status.PRESENT: "[green]=[/]",
}


class Shown(Protocol):
    """What has a line of its own: a variant, by its own name and by that of its bake target."""

    @property
    def name(self) -> str:
        """The variant's name."""

    @property
    def target(self) -> str:
        """Its name in a bake definition."""

    @property
    def stage(self) -> str:
        """The name of its last stage."""


class Progress:
    """Use as a context manager; `watch` takes BuildKit's state after each event."""

    def __init__(
        self, variants: Sequence[Shown], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        from bakestone.cli.terminal import console

        self.console: Any = console(markup=True)
        self.clock = clock
        self.began = clock()
        self.targets = {v.target: v.name for v in variants}
        self.stages = {v.target: v.stage for v in variants}
        self.status = dict.fromkeys(self.targets.values(), Status.WAITING)
        self.detail = dict.fromkeys(self.targets.values(), "")
        self.ended: dict[str, float] = {}
        self._live: Any = None
        self._said: set[tuple[str, str]] = set()
        self._change = threading.RLock()

    def __enter__(self) -> Progress:
        if self.console.is_terminal:
            from rich.live import Live

            self._live = Live(
                get_renderable=self._table,
                console=self.console,
                refresh_per_second=4,
                transient=False,
            )
            self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live:
            self._live.__exit__(kind, value, trace)

    def set(self, name: str, status: Status, detail: str = "") -> None:
        """Note the state of a variant. May be called by several threads."""
        with self._change:
            if self.status[name] == status and self.detail[name] == detail:
                return
            self.status[name], self.detail[name] = status, detail
            if status in _OVER:
                self.ended.setdefault(name, self.clock())
            self._say(name)

    def watch(self, state: State) -> None:
        """Bring the lines up to date with what BuildKit said."""
        with self._change:
            for target in state.targets:
                name = self.targets.get(target, "")
                if name and self.status[name] not in (*_OVER, Status.PUBLISHING):
                    detail = self._detail(name, target, state)
                    if detail:
                        self.set(name, Status.BUILDING, detail)

    def _detail(self, name: str, target: str, state: State) -> str:
        step = state.running(target)
        if step:
            return f"{step.stage} {step.step}: {_short(step.instruction)}"
        if self.status[name] != Status.BUILDING:
            return ""
        if state.exporting():
            return "writing layers"
        measured = state.ended(target, self.stages[target])
        return "measured" if measured else "waiting for a stage that another variant builds"

    def _say(self, name: str) -> None:
        if self._live:
            return
        detail = self.detail[name]
        mark = (name, f"{self.status[name]} {detail.split(' ')[0]}")  # each stage is said once
        quiet = self.status[name] == Status.WAITING or detail.startswith("waiting")
        if mark not in self._said and not quiet:
            self._said.add(mark)
            text = f"{self.status[name]} {self.detail[name]}".strip()
            sys.stdout.write(f"[{self.clock() - self.began:5.0f}s] {name}: {text}\n")
            sys.stdout.flush()

    def _table(self) -> Any:
        from rich.table import Table

        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_column(width=1)
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        table.add_column(justify="right", no_wrap=True)
        for name, status in self.status.items():
            elapsed = self.ended.get(name, self.clock()) - self.began
            text = self.detail[name] or status
            table.add_row(
                _MARKS.get(status, "[yellow]▸[/]"),
                name,
                f"[dim]{_plain(text)}[/]",
                f"{elapsed:4.0f}s" if status != Status.WAITING else "",
            )
        return table


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _short(instruction: str) -> str:
    """An instruction in a few words; of a script only its first comment, if it begins with one."""
    found = _SCRIPT.match(instruction)
    if found:
        return found[1] or "install"
    return " ".join(w for w in instruction.split() if not w.startswith("--mount"))[:90]
