"""What `bakestone reproduce` prints: a line an image, and under those that differ the layers and
files.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Sequence

from bakestone.cli.terminal import put, put_json, put_line, table
from bakestone.jobs.reproduce.images import LayerDifference
from bakestone.jobs.reproduce.layers import Difference, LayerFile
from bakestone.jobs.reproduce.rebuild import DIFFERENT, EQUAL, SAME_CONTENT, Result


def results(found: Sequence[Result], limit: int, *, as_json: bool) -> None:
    """Print the results; `limit` is how many files of a layer are shown, 0 for all.

    JSON has all of them.
    """
    if as_json:
        equal = all(result.verdict == EQUAL for result in found)
        put_json({"equal": equal, "images": [result.as_dict() for result in found]})
        return
    compared = table(folded=("variant", "platform", "result", "digest", "compared with"))
    for result in found:
        before = "" if result.difference is None else f"{result.before[:19]} -> "
        digest = f"{before}{result.after[:19]}"
        compared.add_row(result.variant, result.platform, result.verdict, digest, result.against)
    put(compared)
    for result in found:
        for line in _lines(result, limit):
            put_line(line)
    verdicts = [r.verdict for r in found]
    kinds = [v for v in (EQUAL, SAME_CONTENT, DIFFERENT) if v in verdicts]
    put_line(", ".join(f"{verdicts.count(kind)} {kind}" for kind in kinds))
    if SAME_CONTENT in verdicts:
        put_line(
            "same content: every file is equal byte for byte; another version of BuildKit"
            " compressed it. `--content` takes that for equal."
        )


def _lines(result: Result, limit: int) -> Iterator[str]:
    if result.difference is None:
        return
    yield f"{result.variant} {result.platform}:"
    for layer in result.difference.layers:
        yield from _layer(layer, limit)
    values = {"config": result.difference.config, "manifest": result.difference.manifest}
    for name, found in values.items():
        for value in found:
            yield f"  {name} {value.path}: {_short(value.before)} -> {_short(value.after)}"


def _layer(layer: LayerDifference, limit: int) -> Iterator[str]:
    what = " ".join(layer.instruction.split())
    yield f"  layer {layer.number}: {what if len(what) <= 100 else what[:97] + '...'}"
    yield (
        f"    {layer.before.digest[:19] or 'none'} {layer.before.size} bytes ->"
        f" {layer.after.digest[:19] or 'none'} {layer.after.size} bytes"
    )
    count = len(layer.files)
    if layer.same_content and not count:
        yield "    the same bytes, compressed in another way"
    elif not count:
        yield "    the same files in another order"
    else:
        yield f"    {count} files differ:" if count > 1 else "    1 file differs:"
    shown = layer.files[:limit] if limit else layer.files
    for file in shown:
        yield f"      /{file.path}: {_file(file)}"
    if len(shown) < count:
        yield f"      and {count - len(shown)} more (--files 0, or --format json)"


def _file(file: Difference) -> str:
    if file.before and file.after:
        return ", ".join(_fact(fact, file.before, file.after) for fact in file.what)
    entry = file.before or file.after
    return f"{file.what[0]} ({entry.kind}, {entry.size} bytes)" if entry else file.what[0]


def _fact(fact: str, before: LayerFile, after: LayerFile) -> str:
    match fact:
        case "content" if before.kind == after.kind == "file":
            became = f" -> {after.size}" if before.size != after.size else ""
            return f"content ({before.size}{became} bytes)"
        case "mode":
            return f"mode {before.mode:04o} -> {after.mode:04o}"
        case "time":
            return f"time {_time(before.time)} -> {_time(after.time)}"
        case "attributes":
            return "extended attributes"
    return f"{fact} {getattr(before, fact)} -> {getattr(after, fact)}"


def _time(seconds: float) -> str:
    try:
        when = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
        return when.isoformat(timespec="seconds").replace("+00:00", "Z")
    except (OverflowError, ValueError, OSError):
        return str(seconds)


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else text[:77] + "..."
