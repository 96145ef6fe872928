"""environment FOLDER: measures the environment whose Python this is (3.7 and later).

FOLDER has MACHINE.txt, the packages that must be there (NAME==VERSION), and asked.txt, those that
must be imported; the others are tried. Prints KEY=VALUE lines, or ends with a sentence.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig

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


def plain(pin: str) -> str:
    """NAME==VERSION without zeros in front of numbers: 2024.01.1 is 2024.1.1 (PEP 440)."""
    return re.sub(r"(?<![0-9A-Za-z])0+(?=[0-9])", "", pin.lower())


def text(folder: str, name: str) -> str:
    """A file."""
    with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
        return file.read()


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


def installed() -> dict[str, tuple[str, str]]:
    """Name -> version, and the folder in which pip says what it is."""
    found = {}
    for site in {sysconfig.get_paths()[kind] for kind in ("purelib", "platlib")}:
        for entry in sorted(os.listdir(site)):
            folder = os.path.join(site, entry)
            if entry.endswith(".dist-info"):
                pairs = (line.partition(": ") for line in text(folder, "METADATA").splitlines())
                about: dict[str, str] = {}
                for key, _, value in pairs:
                    about.setdefault(key, value)
                found[normal(about["Name"])] = (about["Version"], folder)
    return found


def modules(folder: str) -> set[str]:
    """The names that a package can be imported by."""
    if os.path.exists(os.path.join(folder, "top_level.txt")):
        found = set(text(folder, "top_level.txt").split())
    else:
        rows = (row.split(",")[0].strip('"') for row in text(folder, "RECORD").splitlines())
        paths = [row.split("/") for row in rows if row.endswith((".py", ".so"))]
        found = {path[0] if path[1:] else path[0].split(".")[0] for path in paths}
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
    there = installed()
    have = {plain(f"{name}=={version}") for name, (version, _) in there.items()}
    wanted = {plain(row) for row in text(folder, f"{os.uname().machine}.txt").split()}
    if have != wanted:
        missing, more = (", ".join(sorted(one)) or "none" for one in (wanted - have, have - wanted))
        return f"locked and not there: {missing}; there and not locked: {more}"
    code, said = output("-m", "pip", "check", "--disable-pip-version-check")
    if code:
        return f"pip check: {'; '.join(said[:5])}"
    asked = text(folder, "asked.txt").split()
    owner = {module: name for name, (_, place) in there.items() for module in modules(place)}
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
