"""What became of the inputs of one reader, and of the faults that were done to one command."""

from __future__ import annotations

from collections import Counter


class Tally:
    """Counts what became of the inputs of one reader; `faults` by command, fault and outcome."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.faults: Counter[tuple[str, str, str]] = Counter()

    def __call__(self, what: str) -> None:
        self.counts[what] += 1

    def fault(self, command: str, what: str, outcome: str) -> None:
        """One fault that was done to a command, and what the command made of it."""
        self.faults[command, what, outcome] += 1


def table(faults: Counter[tuple[str, str, str]]) -> list[str]:
    """Faults by command, as docs/reliability.md has them: lines of a table in Markdown."""
    outcomes = sorted({outcome for _, _, outcome in faults})
    lines = [f"| command | fault | injected | {' | '.join(outcomes)} |"]
    lines.append(f"| --- | --- | ---: | {' | '.join('---:' for _ in outcomes)} |")
    rows: dict[tuple[str, str], Counter[str]] = {}
    for (command, what, outcome), number in sorted(faults.items()):
        rows.setdefault((command, what), Counter())[outcome] += number
    whole: Counter[str] = Counter()
    for (command, what), row in rows.items():
        whole.update(row)
        lines.append(_row(command, what, row, outcomes))
    return [*lines, _row("all", "", whole, outcomes)]


def _row(command: str, what: str, row: Counter[str], outcomes: list[str]) -> str:
    numbers = [row.total(), *(row[outcome] for outcome in outcomes)]
    shown = [f"{number:,}" if number else "" for number in numbers]
    return f"| {command} | {what} | {' | '.join(shown)} |".replace("  |", " |")
