"""Build secrets: what the site's settings are to pip, apt and BuildKit, as files that only this
user can read.

They are in no Dockerfile, cache key, layer or label. Dockerfiles mount `ca`, `pip`, `apt` and
`mirrors`; BuildKit itself takes `HTTP_AUTH_HEADER_<host name>` for ADD (from 0.23 on).
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from bakestone.clients.signals import Handler, told_to_end
from bakestone.clients.site.credentials import Login, logins
from bakestone.clients.site.site import Site
from bakestone.errors import read_text

MAX_APT = 1_000_000
"""Bytes of a site's own apt.conf."""
PREFIX = "bakestone-secrets-"
"""What the names of folders with secrets begin with."""
MEMORY = Path("/dev/shm")  # noqa: S108
"""Where Linux keeps files in memory alone (shm_overview(7)); names in it are made unpredictable."""
MOUNTS = Path("/proc/self/mounts")
_HEADER = "HTTP_AUTH_HEADER_"
_NAMED = re.compile(PREFIX + r"(?P<space>[0-9]+)-(?P<pid>[0-9]{1,9})-(?P<born>[0-9]+)-")
_open: set[str] = set()
"""The folders that are in use."""


@dataclass(frozen=True)
class Secrets:
    """`mounts` is what bake is told, id -> path; `hidden` are the texts that nobody may see."""

    mounts: dict[str, Path]
    hidden: tuple[str, ...] = field(default=(), repr=False)


@contextmanager
def folder() -> Iterator[Path]:
    """A folder for secrets, in memory where the system has such a place, which is removed at the
    end; also when the process is told to end, as CI systems do when a job is cancelled.

    What killed processes left is removed first. Threads may have several at once.
    """
    place = _place()
    sweep(place)
    with tempfile.TemporaryDirectory(prefix=_prefix(os.getpid()), dir=place) as name:
        _open.add(name)
        try:
            with told_to_end(_leave):
                yield Path(name)
        finally:
            _open.discard(name)


def _leave(number: int, before: Handler) -> None:
    for name in tuple(_open):
        shutil.rmtree(name, ignore_errors=True)
    # whoever made a folder around this one has something to remove as well
    signal.signal(number, before if callable(before) else signal.SIG_DFL)
    signal.raise_signal(number)


def sweep(place: Path) -> list[Path]:
    """Remove the folders below `place` whose processes are gone. Gives what was removed.

    Only this user's, and only those of this process namespace: a container that shares the place
    has processes that are not seen from here.
    """
    removed = []
    for path in place.glob(f"{PREFIX}*"):
        found = _NAMED.match(path.name)
        if not found or found["space"] != _namespace():
            continue
        with suppress(OSError):
            about = path.lstat()
            ours = stat.S_ISDIR(about.st_mode) and about.st_uid == os.geteuid()
            if ours and found["born"] != _born(int(found["pid"])):
                shutil.rmtree(path)
                removed.append(path)
    return removed


def _place() -> Path:
    """Where secrets are kept: the system's memory file system, else where temporary files are."""
    with suppress(OSError):
        kinds = dict(
            line.split()[1:3] for line in MOUNTS.read_text("utf-8", "replace").splitlines()
        )
        if kinds.get(str(MEMORY)) == "tmpfs" and os.access(MEMORY, os.W_OK | os.X_OK):
            return MEMORY
    return Path(tempfile.gettempdir())


def _prefix(pid: int) -> str:
    return f"{PREFIX}{_namespace()}-{pid}-{_born(pid)}-"


def _namespace() -> str:
    with suppress(OSError):
        return str(os.stat("/proc/self/ns/pid").st_ino)
    return "0"


def _born(pid: int) -> str:
    """When a process began, in the system's own count; empty for one that is not there.

    Together with its number this is its own: a number is used again.
    """
    try:
        # proc(5): the 22nd field; the second one is a name, which may hold blanks and parentheses
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        return "" if fields[0] == "Z" else fields[19]
    except (OSError, IndexError):
        pass
    try:  # a system without /proc: all there is to know is whether somebody has the number
        os.kill(pid, 0)
    except PermissionError:
        return "0"
    except (OSError, OverflowError):
        return ""
    return "0"


def write(site: Site, place: Path) -> Secrets:
    """Write the site's secrets to a folder. Raises `BakestoneError` when one cannot be read."""
    known = logins(site.credentials)
    own = ""
    if "apt" in site.files:
        own = read_text(site.files["apt"], "apt's configuration", limit=MAX_APT)
    texts = {"apt": apt(site, known, own), "pip": pip(site, known), "mirrors": site.url_prefixes()}
    texts |= {f"{_HEADER}{login.host}": login.authorization for login in known}
    mounts = dict(site.files)
    for name, text in texts.items():
        if text:
            mounts[name] = place / name
            handle = os.open(mounts[name], os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
    hidden = {text for login in known for text in login.hidden}
    return Secrets(mounts, tuple(sorted(hidden, key=lambda text: (-len(text), text))))


def pip(site: Site, known: Sequence[Login]) -> str:
    """pip's configuration; empty when the site says nothing of it, or has a file of its own."""
    if "pip" in site.files:
        return ""
    index = site.indexes.get("pip")
    urls = index.urls if index else ()
    lines = []
    if index:
        named = [
            next((login.within(url) for login in known if login.covers(url)), url) for url in urls
        ]
        lines += [f"index-url = {named[0]}"]
        lines += ["extra-index-url =", *(f"    {url}" for url in named[1:])] if named[1:] else []
        plain = sorted({urlsplit(url).netloc for url in urls if url.startswith("http://")})
        lines += ["trusted-host =", *(f"    {host}" for host in plain)] if plain else []
    if urls:
        proxy = next(filter(None, map(site.proxies.of, urls)), "")
    else:
        proxy = site.proxies.https or site.proxies.http
    lines += [f"proxy = {proxy}"] if proxy else []
    return "\n".join(["[global]", *lines, ""]) if lines else ""


def apt(site: Site, known: Sequence[Login], own: str) -> str:
    """apt's configuration, after what the site's own file says; empty when only that file counts.

    One secret has to do: credentials are comments to apt's configuration, and the same file is
    named as the one in the form of netrc, whose reader passes over the slashes. It knows no tokens.
    """
    # the user _apt, as whom apt downloads, cannot read the secret `ca`: root alone can
    lines = ['APT::Sandbox::User "root";'] if "ca" in site.files else []
    if site.proxies:
        for scheme, proxy in (("http", site.proxies.http), ("https", site.proxies.https)):
            lines.append(f'Acquire::{scheme}::Proxy "{proxy or "DIRECT"}";')
            lines += [f'Acquire::{scheme}::Proxy::{host} "DIRECT";' for host in _direct(site)]
    named = [login for login in known if login.username]
    lines += [
        f"// machine {_machine(login.scope)} login {login.username} password {login.secret}"
        for login in named
    ]
    lines += ['Dir::Etc::netrc "/run/secrets/apt";'] if named else []
    return "\n".join([*([own.rstrip("\n")] if own else []), *lines, ""]) if lines else ""


def _machine(scope: str) -> str:
    """A scope as apt's netrc has it: https is what it means without a scheme, and a host alone has
    no slash (apt_auth.conf(5)).
    """
    bare = scope.removeprefix("https://")
    return bare.removesuffix("/") if urlsplit(scope).path == "/" else bare


def _direct(site: Site) -> list[str]:
    """The hosts that apt is told to speak to directly, one by one: it knows no patterns."""
    named = {entry.lstrip("*.") for entry in site.proxies.no_proxy if "/" not in entry}
    urls = (*site.urls.values(), *(c.scope for c in site.credentials))
    known = {urlsplit(url).hostname or "" for url in urls}
    return sorted(named | {host for host in known if site.proxies.excepted(host)})
