"""Build secrets: what the site's settings are to pip, apt and BuildKit, as files that only this
user can read.

They are in no Dockerfile, cache key, layer or label. Dockerfiles mount `ca`, `pip`, `apt` and
`mirrors`; BuildKit itself takes `HTTP_AUTH_HEADER_<host name>` for ADD (from 0.23 on).
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from bakestone.clients.site.credentials import Login, logins
from bakestone.clients.site.site import Site
from bakestone.errors import read_text

MAX_APT = 1_000_000
"""Bytes of a site's own apt.conf."""
_HEADER = "HTTP_AUTH_HEADER_"


@dataclass(frozen=True)
class Secrets:
    """`mounts` is what bake is told, id -> path; `hidden` are the texts that nobody may see."""

    mounts: dict[str, Path]
    hidden: tuple[str, ...] = field(default=(), repr=False)


@contextmanager
def folder() -> Iterator[Path]:
    """A folder for secrets, which is removed at the end; also when the process is told to end, as
    CI systems do when a job is cancelled.
    """
    with tempfile.TemporaryDirectory(prefix="bakestone-") as name:
        if (
            threading.current_thread() is not threading.main_thread()
        ):  # Python has signals in the main thread only
            yield Path(name)
            return

        def leave(number: int, _: object) -> None:
            shutil.rmtree(name, ignore_errors=True)
            outer = before[
                signal.Signals(number)
            ]  # whoever made a folder around this one has something to remove as well
            signal.signal(number, outer if callable(outer) else signal.SIG_DFL)
            signal.raise_signal(number)

        before = {
            number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)
        }
        try:
            yield Path(name)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def write(site: Site, place: Path) -> Secrets:
    """Write the site's secrets to a folder that is removed after the build.

    Raises `BakestoneError` when one cannot be read.
    """
    known = logins(site.credentials)
    own = (
        read_text(site.files["apt"], "apt's configuration", limit=MAX_APT)
        if "apt" in site.files
        else ""
    )
    texts = {"apt": apt(site, known, own), "pip": pip(site, known), "mirrors": site.url_prefixes()}
    texts |= {f"{_HEADER}{login.host}": login.authorization for login in known}
    mounts = dict(site.files)
    for name, text in texts.items():
        if text:
            mounts[name] = place / name
            with os.fdopen(
                os.open(mounts[name], os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600),
                "w",
                encoding="utf-8",
            ) as stream:
                stream.write(text)
    return Secrets(
        mounts,
        tuple(
            sorted(
                {text for login in known for text in login.hidden},
                key=lambda text: (-len(text), text),
            )
        ),
    )


def pip(site: Site, known: Sequence[Login]) -> str:
    """pip's configuration; empty when the site says nothing of it, or has a whole file of its own."""
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
    proxy = (
        next(filter(None, map(site.proxies.of, urls)), "")
        if urls
        else site.proxies.https or site.proxies.http
    )
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
    known = {
        urlsplit(url).hostname or ""
        for url in (*site.urls.values(), *(c.scope for c in site.credentials))
    }
    return sorted(named | {host for host in known if site.proxies.excepted(host)})
