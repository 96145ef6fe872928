"""The site file: what differs from one site to another, and never changes a Dockerfile."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bakestone.clients.site import credentials
from bakestone.clients.site.credentials import Credential, Login
from bakestone.clients.site.proxies import Proxies, is_loopback
from bakestone.core.documents import schema
from bakestone.core.documents import yaml as yamldoc
from bakestone.core.documents.patterns import matches
from bakestone.core.documents.yaml import Document
from bakestone.core.render.compression import GZIP, Compression
from bakestone.core.render.metadata import Metadata
from bakestone.errors import BakestoneError, Finding

SECRETS = ("ca", "pip", "apt")
"""Files that build steps see as secrets of these ids, and that leave no trace in an image."""
_QUOTED = re.compile(r"""\"(?:[^"\\]|\\.)*"?|'[^']*'?""")
"""A value in a message; one that was cut has no quote at its end."""
_ACCOUNT = re.compile(r"\S*[:/]\S*@\S*")
_PARSED = re.compile(r"(?<=^not valid YAML: ).*'.*|(?<=^cannot read )'.*|(?<=^the tag )\S+")
"""What a parser of YAML quotes of a file."""


@dataclass(frozen=True)
class Index:
    """A package index: its URL, and those of others that are asked as well."""

    url: str
    extra: tuple[str, ...] = ()

    @property
    def urls(self) -> tuple[str, ...]:
        """All of them."""
        return (self.url, *self.extra)


@dataclass(frozen=True)
class Site:
    """Where things come from and go to here. The default is a site with nothing special."""

    registry: str = ""
    insecure: tuple[str, ...] = ()
    registries: dict[str, str] = field(default_factory=dict)
    urls: dict[str, str] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    builder: str = ""
    pins: dict[str, str] = field(default_factory=dict)
    indexes: dict[str, Index] = field(default_factory=dict)
    proxies: Proxies = field(default_factory=Proxies)
    credentials: tuple[Credential, ...] = ()
    only_locked: bool = False
    export: bool = False
    compression: Compression = GZIP
    metadata: Metadata = field(default_factory=Metadata)

    def mirror(self, ref: str) -> str:
        """Where an image is really fetched from: the longest matching prefix is replaced."""
        return _led(self.registries, ref, "/")

    def pins_for(self, component: str, version: str) -> str:
        """How packages of a distro are pinned here, or an empty text for the library's default."""
        return next((way for key, way in self.pins.items() if matches(key, component, version)), "")

    def plain_http(self, host: str) -> bool:
        """Whether a registry is spoken to over plain HTTP: loopback, and what the file names."""
        name = host.rpartition(":")[0] if ":" in host and not host.endswith("]") else host
        return is_loopback(name) or host in self.insecure or name in self.insecure

    def url_prefixes(self) -> str:
        """The URL mirrors for build steps that read package lists themselves: a line `FROM TO`
        each, the longest first.
        """
        return "".join(
            f"{a} {self.urls[a]}\n" for a in sorted(self.urls, key=lambda a: (-len(a), a))
        )

    def mirror_url(self, url: str) -> str:
        """Where a URL is really fetched from: the longest matching prefix is replaced."""
        return _led(self.urls, url)

    def login(self, url: str) -> Login | None:
        """The credential for a URL, with its secret;

        None when there is none. Raises `BakestoneError` when the secret cannot be read.
        """
        return next((c.login() for c in self.credentials if c.covers(url)), None)


def _led(mirrors: dict[str, str], name: str, end: str = "") -> str:
    for prefix in sorted(mirrors, key=len, reverse=True):
        if name.startswith(prefix + end):
            return mirrors[prefix] + name[len(prefix) :]
    return name


def load(path: Path | None) -> Site:
    """Read a site file; without one, the default site. Raises `BakestoneError` with positions."""
    if path is None:
        return Site()
    try:
        return _read(path)
    except BakestoneError as problem:
        told = BakestoneError([discreet(finding) for finding in problem.findings], problem.code)
    raise told  # without its cause, which shows lines of the file


def discreet(finding: Finding) -> Finding:
    """A finding about a file in which somebody may have written a secret: without the line, and
    without values that may hold an account.
    """
    message = _PARSED.sub("***", finding.message)
    message, hint = (
        _ACCOUNT.sub("***", _QUOTED.sub(_masked, text)) for text in (message, finding.hint)
    )
    where = replace(finding.where, text="") if finding.where else None
    return replace(finding, message=message, hint=hint, where=where)


def _masked(found: re.Match[str]) -> str:
    value, cut = found[0], found[0][-1] != found[0][0]
    secret = (cut or "@" in value) and (":" in value or "/" in value)
    return '"***"' if secret else value


def _read(path: Path) -> Site:
    document = yamldoc.load(path, "the site file", hint="give it with --site or BAKESTONE_SITE")
    schema.check(document, "site")
    data, folder = document.data, path.parent
    found, findings = credentials.parse(document, folder)
    findings += [
        *_missing_files(document, folder),
        *_mirrored_twice(document),
        *_pip_twice(document),
    ]
    indexes = {
        name: Index(entry["url"], tuple(entry.get("extra", [])))
        for name, entry in data.get("indexes", {}).items()
    }
    findings += _no_tokens(document, indexes, found)
    if findings:
        raise BakestoneError(findings)
    mirrors, proxies = data.get("mirrors", {}), data.get("proxies", {})
    return Site(
        registry=data.get("registry", ""),
        insecure=tuple(data.get("insecure", [])),
        registries=mirrors.get("registries", {}),
        urls=mirrors.get("urls", {}),
        files={name: (folder / data[name]).resolve() for name in SECRETS if name in data},
        builder=data.get("builder", ""),
        pins=data.get("pins", {}),
        indexes=indexes,
        proxies=Proxies(
            proxies.get("http", ""), proxies.get("https", ""), tuple(proxies.get("no_proxy", []))
        ),
        credentials=tuple(found),
        only_locked=data.get("only_locked", False),
        export=data.get("push") == "export",
        compression=_compression(data.get("compression", "gzip")),
        metadata=Metadata(**data.get("metadata", {})),
    )


def _compression(said: str | dict[str, Any]) -> Compression:
    """A compression by its name, or by `type` and `level`."""
    return Compression(said) if isinstance(said, str) else Compression(said["type"], said["level"])


def _missing_files(document: Document, folder: Path) -> Iterator[Finding]:
    for name in SECRETS:
        given = document.data.get(name)
        if given and not (folder / given).is_file():
            hint = "correct the path; relative ones start at the site file's folder"
            yield Finding(f"there is no file {given}", hint, document.position((name,)))


def _mirrored_twice(document: Document) -> Iterator[Finding]:
    """Mirrors that lead to what is mirrored again: BuildKit would follow on, Bakestone does not."""
    for kind, end in (("registries", "/"), ("urls", "")):
        mirrors = document.data.get("mirrors", {}).get(kind, {})
        for prefix, target in mirrors.items():
            again = next(
                (other for other in mirrors if f"{target}{end}".startswith(f"{other}{end}")), None
            )
            if again:
                where = document.position(("mirrors", kind, prefix))
                hint = "name the place where the files are in the end"
                yield Finding(f"{target} is itself mirrored, by the entry {again}", hint, where)


def _pip_twice(document: Document) -> Iterator[Finding]:
    if "pip" in document.data and "pip" in document.data.get("indexes", {}):
        hint = "leave out one of them; a pip.conf can name the index as well"
        yield Finding(
            "`pip` and `indexes.pip` exclude each other",
            hint,
            document.position(("indexes", "pip"), key=True),
        )


def _no_tokens(
    document: Document, indexes: dict[str, Index], known: Iterable[Credential]
) -> Iterator[Finding]:
    for name, index in indexes.items():
        for number, url in enumerate(index.urls):
            if any(c.covers(url) and not c.username for c in known):
                where = document.position(
                    ("indexes", name, "extra", number - 1) if number else ("indexes", name, "url")
                )
                hint = (
                    "give a username and a password; most indexes take a token as the password of a"
                    " certain name"
                )
                yield Finding(
                    f"{name} cannot send a token, and the credential for this index is one",
                    hint,
                    where,
                )
