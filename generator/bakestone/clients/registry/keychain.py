"""Accounts of registries, as `docker login` left them: in Docker's configuration or with a helper.

They are looked up when a registry asks, as docker does it; see docs/registries.md.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bakestone.clients.registry.reference import HUB
from bakestone.clients.site.credentials import basic
from bakestone.errors import ENVIRONMENT, BakestoneError, fail

HELPER_TIME = 30
"""Seconds that a helper has: some ask a cloud for a token, none should ask a person."""
MAX_CONFIG = 2**20
"""Bytes of Docker's configuration; with a hundred registries it has some twenty thousand."""
MAX_PRINTED = 2**17
"""Bytes of what a helper prints; the longest tokens have some ten thousand."""
_HUB_KEY = "https://index.docker.io/v1/"
"""The name under which docker keeps the account of Docker Hub."""
_HUB_HOSTS = (HUB, "index.docker.io", "registry-1.docker.io")
_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_TOKEN = re.compile("[!-~]+")
_IDENTITY = "<token>"
"""The user name with which a helper says that its secret is a refresh token."""
_WORDS = ("auth", "username", "password", "identitytoken", "registrytoken")
"""What an entry for a registry may hold."""


@dataclass(frozen=True)
class Account:
    """Who asks: a name and a password, or a token that the registry's token service exchanges
    (`refresh`), or one that the registry takes as it is (`bearer`).
    """

    username: str = ""
    password: str = field(default="", repr=False)
    refresh: str = field(default="", repr=False)
    bearer: str = field(default="", repr=False)

    @property
    def basic(self) -> str:
        """The header `Authorization` of HTTP Basic; empty without a name and a password."""
        return basic(self.username, self.password) if self.username and self.password else ""


class _OddError(Exception):
    """What is wrong with Docker's configuration, as a part of a sentence without a secret."""


def account(host: str) -> Account | None:
    """The account for a registry, or None for nobody in particular.

    Raises `BakestoneError` (exit 3) when the configuration or the helper is of no use.
    """
    path = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"
    try:
        config = _load(path)
        helpers = _section(config, "credHelpers")
        own = next((helpers[key] for key in _keys(helpers, host)), None)
        helper = own or config.get("credsStore")
        if not helper:
            auths = _section(config, "auths")
            stored = (_stored(auths[key], f"auths.{key}") for key in _keys(auths, host))
            return next(filter(None, stored), None)
        if not isinstance(helper, str) or not _HELPER.fullmatch(helper):
            raise _OddError("the name of a credential helper is none")
    except _OddError as problem:
        message = f"Docker's configuration cannot be read: {problem}"
        hint = "correct it, or log in again with `docker login`"
        raise fail(message, hint, name=str(path), code=ENVIRONMENT) from problem
    return _helped(f"docker-credential-{helper}", _HUB_KEY if host == HUB else host, path)


def _load(path: Path) -> Mapping[str, object]:
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_CONFIG + 1)
        loaded = json.loads(raw.decode("utf-8")) if len(raw) <= MAX_CONFIG else None
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as problem:
        raise _OddError(problem.strerror or "") from problem
    except (ValueError, RecursionError) as problem:
        raise _OddError("it is not JSON") from problem
    if not isinstance(loaded, dict):
        raise _OddError("it is not a JSON object")
    return loaded


def _section(config: Mapping[str, object], name: str) -> Mapping[str, object]:
    found = config.get(name) or {}
    if not isinstance(found, dict):
        raise _OddError(f"`{name}` is not a JSON object")
    return found


def _keys(section: Mapping[str, object], host: str) -> Iterator[str]:
    """The keys that stand for a host, the plainest first: HOST, then with a scheme or a path."""
    exact = _HUB_KEY if host == HUB else host
    names = _HUB_HOSTS if host == HUB else (host,)
    if exact in section:
        yield exact
    for key in section:
        bare = key.removeprefix("https://").removeprefix("http://").partition("/")[0]
        if key != exact and bare in names:
            yield key


def _stored(entry: object, where: str) -> Account | None:
    if entry is None:
        return None
    if not isinstance(entry, dict):
        raise _OddError(f"`{where}` is not a JSON object")
    words = {key: entry.get(key) or "" for key in _WORDS}
    if not all(isinstance(word, str) for word in words.values()):
        raise _OddError(f"`{where}` has something that is not a text")
    name, password = words["username"], words["password"]
    if words["auth"]:
        try:
            name, colon, password = base64.b64decode(words["auth"]).decode("utf-8").partition(":")
        except (binascii.Error, ValueError):
            colon = ""
        if not colon:  # without a cause: it would hold the secret
            raise _OddError(f"`{where}.auth` is not a name and a password in base64")
    found = Account(name, password.strip("\0"), words["identitytoken"], words["registrytoken"])
    if not _writable(found):  # without a cause: it would hold the secret
        raise _OddError(f"`{where}` has a name or a secret with characters that none has")
    return found if found != Account(name) else None


def _writable(found: Account) -> bool:
    """Whether headers and forms can hold it: tokens go into a header as they are."""
    texts = found.username + found.password + found.refresh
    half = any("\ud800" <= character <= "\udfff" for character in texts)
    return not half and (not found.bearer or _TOKEN.fullmatch(found.bearer) is not None)


def _helped(program: str, server: str, path: Path) -> Account | None:
    def useless(reason: str, hint: str = "") -> BakestoneError:
        tried = f"see what `echo {server} | {program} get` does"
        message = f"Docker's credential helper {program} {reason}"
        return fail(message, f"{hint} {tried}".strip(), name=server, code=ENVIRONMENT)

    try:
        status, printed, said = _run(program, server)
    except OSError as problem:
        hint = f"install it, or change {path};"
        raise useless(f"cannot be started: {problem.strerror}", hint) from problem
    if status is None:
        raise useless(f"gave no answer in {HELPER_TIME} seconds", "does it wait for a person?")
    if len(printed) > MAX_PRINTED:
        raise useless(f"printed more than {MAX_PRINTED} bytes")
    if status:
        if b"not found" in (printed + said).lower():  # "credentials not found in native keychain"
            return None
        raise useless(f"failed (exit status {status})")
    found = _printed(printed)
    if not found:  # without a cause: what it printed may be half of a secret
        raise useless("printed no credentials")
    return found if found != Account(found.username) else None


def _printed(raw: bytes) -> Account | None:
    try:
        data = json.loads(raw)
        name, secret = data["Username"], data["Secret"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    if not isinstance(name, str) or not isinstance(secret, str):
        return None
    found = Account(refresh=secret) if name == _IDENTITY else Account(name, secret)
    return found if _writable(found) else None


def _run(program: str, server: str) -> tuple[int | None, bytes, bytes]:
    """Exit status (None: its time was over), and the beginning of what was printed; of one that
    prints without end no more is read.
    """
    pipe, found = subprocess.PIPE, [b"", b""]
    with subprocess.Popen([program, "get"], 0, stdin=pipe, stdout=pipe, stderr=pipe) as process:

        def read(number: int) -> None:
            stream = (process.stdout, process.stderr)[number]
            with contextlib.suppress(OSError, ValueError):  # it was closed meanwhile
                while stream and (piece := stream.read(MAX_PRINTED)):
                    found[number] += piece
                    if len(found[number]) > MAX_PRINTED:
                        process.kill()
                        return

        readers = [threading.Thread(target=read, args=(number,), daemon=True) for number in (0, 1)]
        for reader in readers:
            reader.start()
        if process.stdin:
            with contextlib.suppress(OSError):  # it does not listen
                process.stdin.write(server.encode())
            process.stdin.close()
        try:
            status: int | None = process.wait(HELPER_TIME)
        except subprocess.TimeoutExpired:
            process.kill()
            status = None
        for reader in readers:  # one whose child lives on holds them open: what came must do
            reader.join(1)
    return status, found[0], found[1]
