"""What a person sees while variants are built: one line a variant, or plain lines without a
terminal.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from bakestone.cli.terminal import console, put_line
from bakestone.clients.engine.events import State
from bakestone.errors import visible
from bakestone.jobs.publish.watching import Status

if TYPE_CHECKING:
    from rich.table import Table

_OVER = (Status.DONE, Status.FAILED, Status.PRESENT)
_SCRIPT = re.compile(r"^RUN .*<<\S+ \((?:# (.*?)\.\.\.|.*)\)$", re.DOTALL)
"""How BuildKit names a RUN with a heredoc: its first line in parentheses."""
_MARKS = {
    Status.WAITING: ("·", "dim"),
    Status.DONE: ("✓", "green"),
    Status.FAILED: ("✗", "red"),
    Status.PRESENT: ("=", "green"),
}


class Progress(ExitStack):
    """Lines for variants, by the targets of their bake definition: use it as a context manager;
    `watch` takes BuildKit's state after each event.
    """

    def __init__(
        self, targets: Mapping[str, str], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self.console = console()
        self.clock = clock
        self.began = clock()
        self.targets = targets
        self.status = dict.fromkeys(targets.values(), Status.WAITING)
        self.detail = dict.fromkeys(targets.values(), "")
        self.ended: dict[str, float] = {}
        self._said: set[tuple[str, str]] = set()
        self._change = threading.RLock()

    def __enter__(self) -> Progress:
        if self.console.is_terminal:
            from rich.live import Live

            self.enter_context(Live(get_renderable=self._table, console=self.console))
        return self

    def set(self, name: str, status: Status, detail: str = "") -> None:
        """Note the state of a variant. May be called by several threads."""
        with self._change:
            if self.status[name] == status and self.detail[name] == detail:
                return
            self.status[name], self.detail[name] = status, detail
            if status in _OVER:
                self.ended.setdefault(name, self.clock())
            self._say(name)

    def again(self, names: Sequence[str], status: Status, why: str) -> None:
        """Note that variants are tried again, and say it, on a terminal above the lines: it is
        still there when the next step has begun. May be called by several threads.
        """
        detail = visible(f"again, {why}".replace("\n", " "))
        with self._change:
            for name in names:
                self.status[name], self.detail[name] = status, detail
            others = f" and {len(names) - 1} more" if len(names) > 1 else ""
            text = f"[{self.clock() - self.began:5.0f}s] {names[0]}{others}: {detail}"
            if self.console.is_terminal:
                self.console.print(text)
            else:
                put_line(text)

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
        if state.ended(target):
            return "measured"
        return "waiting for a stage that another variant builds"

    def _say(self, name: str) -> None:
        if self.console.is_terminal:
            return
        detail = self.detail[name]
        mark = (name, f"{self.status[name]} {detail.split(' ')[0]}")  # each stage is said once
        quiet = self.status[name] == Status.WAITING or detail.startswith("waiting")
        quiet |= ": COPY <<" in detail  # files that stand in the Dockerfile take no time
        if mark not in self._said and not quiet:
            self._said.add(mark)
            text = f"{self.status[name]} {self.detail[name]}".strip()
            put_line(f"[{self.clock() - self.began:5.0f}s] {name}: {text}")

    def _table(self) -> Table:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_column(width=1)
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        table.add_column(justify="right", no_wrap=True)
        for name, status in self.status.items():
            elapsed = self.ended.get(name, self.clock()) - self.began
            said = Text(self.detail[name] or status, "dim")
            seconds = f"{elapsed:4.0f}s" if status != Status.WAITING else ""
            table.add_row(Text(*_MARKS.get(status, ("▸", "yellow"))), name, said, seconds)
        return table


def _short(instruction: str) -> str:
    """An instruction in a few words; of a script only its first comment, if it begins with one."""
    found = _SCRIPT.match(instruction)
    if found:
        return found[1] or "install"
    return " ".join(w for w in instruction.split() if not w.startswith("--mount"))[:90]
