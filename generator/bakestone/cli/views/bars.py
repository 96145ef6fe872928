"""Bars while a person waits, on standard error; nothing is shown where nobody looks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bakestone.clients.http.download import Tick

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn


@contextmanager
def checks() -> Iterator[Callable[[int, int, str], None]]:
    """A bar for checks: it takes how many are done, how many there are, and what is looked at."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn

    text = TextColumn("{task.description}", markup=False)
    with _bar(BarColumn(), MofNCompleteColumn(), text) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total, what: bar.update(
            task, completed=done, total=total, description=what[-60:]
        )


@contextmanager
def downloads() -> Iterator[Callable[[str], Tick]]:
    """A bar a file: it takes the file's name, and gives what takes its bytes."""
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn

    text = TextColumn("{task.description}", markup=False)
    with _bar(text, BarColumn(), DownloadColumn(), TransferSpeedColumn()) as bar:

        def tell(name: str) -> Tick:
            task = bar.add_task(name, total=None)
            return lambda done, total: bar.update(task, completed=done, total=total or None)

        yield tell


def _bar(*columns: ProgressColumn) -> Progress:
    from rich.console import Console
    from rich.progress import Progress

    looked_at = sys.stderr.isatty()
    return Progress(*columns, console=Console(stderr=True), transient=True, disable=not looked_at)
