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


def tables(faults: Counter[tuple[str, str, str]]) -> list[str]:
    """Faults by command, then by what was done, as docs/reliability.md has them: lines of tables in
    Markdown.
    """
    outcomes = sorted({outcome for _, _, outcome in faults})
    lines = []
    for title, place in (("command", 0), ("what was done", 1)):
        rows: dict[str, Counter[str]] = {}
        for key, number in sorted(faults.items()):
            rows.setdefault(key[place], Counter())[key[2]] += number
        lines.append(f"| {title} | faults | {' | '.join(outcomes)} |")
        lines.append(f"| --- | {' | '.join('---:' for _ in ('faults', *outcomes))} |")
        lines += [_row(name, row, outcomes) for name, row in rows.items()]
        lines += [_row("all", sum(rows.values(), Counter()), outcomes), ""]
    return lines[:-1]


def _row(name: str, row: Counter[str], outcomes: list[str]) -> str:
    numbers = [row.total(), *(row[outcome] for outcome in outcomes)]
    return f"| {name} | {' | '.join(f'{number:,}' for number in numbers)} |"
