"""environment FOLDER: measures the environment whose Python this is (3.8 and later).

FOLDER has MACHINE.txt, the packages that must be there (NAME==VERSION), and asked.txt, those that
must be imported; the others are tried. Prints KEY=VALUE lines, or ends with a sentence.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib import metadata

IMPORTING = """
import importlib, sys
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except BaseException as problem:
        said = " ".join(str(problem).split())[:300]
        print("no", name, type(problem).__name__, said, flush=True)
    else:
        print("yes", name, flush=True)
"""


def normal(name: str) -> str:
    """A project's name as it is compared (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def lines(folder: str, name: str) -> list[str]:
    """The lines of a file."""
    with open(os.path.join(folder, name), encoding="utf-8") as file:
        return file.read().split()


def output(*words: str) -> tuple[int, list[str]]:
    """How this Python ended with these arguments (124 after ten minutes), and what it printed."""
    command = [sys.executable, "-B", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            said, code = process.communicate(timeout=600)[0], process.returncode
        except subprocess.TimeoutExpired:
            process.kill()
            said, code = process.communicate()[0], 124
    return code, said.decode("utf-8", "replace").splitlines()


def modules(one: metadata.Distribution) -> set[str]:
    """The names that a package can be imported by."""
    said = one.read_text("top_level.txt")
    if said is not None:
        found = set(said.split())
    else:
        paths = [str(path).split("/") for path in one.files or ()]
        code = [path for path in paths if path[-1].endswith((".py", ".so"))]
        found = {path[0] if path[1:] else path[0].split(".")[0] for path in code}
    return {name for name in found if name.isidentifier() and not name.startswith("_")}


def imported(names: list[str]) -> dict[str, str]:
    """Name -> why it cannot be imported, empty when it can; a crash ends a process of its own."""
    found: dict[str, str] = {}
    while names:
        code, said = output("-c", IMPORTING, *names)
        for word, name, *why in (row.split(" ", 2) for row in said if row[:3] in ("yes", "no ")):
            found[name] = "" if word == "yes" else " ".join(why)
        names = [name for name in names if name not in found]
        if names:
            found[names[0]] = f"it ends the interpreter (exit {code})"
            names = names[1:]
    return found


def main(folder: str) -> str:
    """Print the measurement; gives a sentence where something is not as it should be."""
    there = {normal(one.metadata["Name"]): one for one in metadata.distributions()}
    have = {f"{name}=={one.version}" for name, one in there.items()}
    wanted = set(lines(folder, f"{os.uname().machine}.txt"))
    if have != wanted:
        missing, more = (", ".join(sorted(one)) or "none" for one in (wanted - have, have - wanted))
        return f"locked and not there: {missing}; there and not locked: {more}"
    code, said = output("-m", "pip", "check", "--disable-pip-version-check")
    if code:
        return f"pip check: {'; '.join(said[:5])}"
    asked = lines(folder, "asked.txt")
    owner = {module: name for name, one in there.items() for module in modules(one)}
    results = imported(sorted(owner))
    bad = [f"{module} of {owner[module]}: {why}" for module, why in results.items() if why]
    sys.stderr.write("".join(f"environment: not imported: {row}\n" for row in bad))
    for module, why in results.items():
        if why and owner[module] in asked:
            return f"{owner[module]} cannot be imported: {module}: {why}"
    major, minor = sys.version_info[:2]
    good = len(results) - len(bad)
    sys.stdout.write(f"version={major}.{minor}\npackages={len(there)}\nimports={good}\n")
    return ""


sys.exit(main(sys.argv[1]) or 0)
