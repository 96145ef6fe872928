"""The signed release of an apt archive: checked with gpgv, as apt does, by the one key that a
component names; and the checksums of its lists.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from bakestone.clients.apt.lists import AptSource
from bakestone.clients.http.ask import Answer, Asker
from bakestone.clients.http.session import HttpError, host_of
from bakestone.core.lock.openpgp import fingerprints, keyring
from bakestone.errors import ENVIRONMENT, fail
from bakestone.files import scratch

_RELEASE = 2**24
"""Most bytes of a release; that of Debian has 150 KB."""
_KEY = 2**20
_TIMEOUT = 60
"""Seconds for gpgv, which takes a hundredth of one."""
_LINE = re.compile(r"^ ([0-9a-f]{64}) +[0-9]{1,15} +(\S{1,300})$", re.MULTILINE)
_VALID = re.compile(r"^\[GNUPG:\] VALIDSIG (?:\S+ ){9}([0-9A-F]{40})$", re.MULTILINE)
"""Of gpg's doc/DETAILS: the last word is the fingerprint of the primary key."""


def signed_lists(source: AptSource, key: str, fingerprint: str, asker: Asker) -> dict[str, str]:
    """URL -> SHA-256 of every file that the signed release of a source names.

    `key` is the URL of the vendor's keys, of which the one with the fingerprint must have signed.
    Raises `HttpError` without an answer, `ValueError` for what is not signed by it, and
    `BakestoneError` (exit 3) where there is no gpgv.
    """
    keys = _good(asker.page(key, _KEY), "the key").body
    if fingerprint not in fingerprints(keys):
        raise ValueError(f"the vendor's key is another one than {fingerprint}")
    folder = source.folder
    together = asker.page(f"{folder}/InRelease", _RELEASE)
    if together.gone:  # as NVIDIA's older repositories are
        release = _good(asker.page(f"{folder}/Release", _RELEASE), "the release").body
        signature = _good(asker.page(f"{folder}/Release.gpg", _KEY), "its signature").body
    else:
        release, signature = _good(together, "the release").body, b""
    text = _checked(keyring(keys), release, signature, fingerprint).decode("utf-8", "replace")
    return {f"{folder}/{path}": checksum for checksum, path in _sums(text)}


def _sums(text: str) -> list[tuple[str, str]]:
    """SHA-256 and path of each file in a release: the field `SHA256`."""
    _, found, rest = f"\n{text}".partition("\nSHA256:")
    if not found:
        raise ValueError("the release has no SHA-256 of its lists")
    field = re.split(r"\n(?=\S)", rest, maxsplit=1)[0]
    return [(checksum, path.removeprefix("./")) for checksum, path in _LINE.findall(field)]


def _good(answer: Answer, what: str) -> Answer:
    if not answer.good:
        raise HttpError(f"{what} is not there: {host_of(answer.url)} answers {answer.said}")
    return answer


def _checked(keys: bytes, release: bytes, signature: bytes, fingerprint: str) -> bytes:
    """What of a release was signed. Raises `ValueError` where the signature does not hold."""
    gpgv = shutil.which("gpgv")
    if gpgv is None:
        hint = "install it: Debian has it as gpgv, Fedora in gnupg2"
        why = "there is no gpgv, which checks the signatures of package repositories"
        raise fail(why, hint, name="gpgv", code=ENVIRONMENT)
    with scratch("signature") as folder:
        ring, signed, plain = folder / "keys.gpg", folder / "signed", folder / "plain"
        ring.write_bytes(keys)
        signed.write_bytes(release)
        command = [gpgv, "--homedir", str(folder), "--status-fd", "1", "--keyring", str(ring)]
        if signature:
            detached = folder / "signature"
            detached.write_bytes(signature)
            command += [str(detached), str(signed)]
        else:
            command += ["--output", str(plain), str(signed)]
        said = _run(command)
        if fingerprint not in _VALID.findall(said):
            raise ValueError(f"the release is not signed by the key {fingerprint}")
        return release if signature else _read(plain)


def _run(command: list[str]) -> str:
    """What gpgv says of its status; nothing where it finds fault with a signature."""
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=_TIMEOUT, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise fail("gpgv gives no answer", "try again", name="gpgv", code=ENVIRONMENT) from problem
    return done.stdout.decode("ascii", "replace") if done.returncode == 0 else ""


def _read(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""
