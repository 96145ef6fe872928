"""The commands that look into the component library and add to it: one function a command; parse,
call, print.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

import click

from bakestone.cli.options import (
    Command,
    Size,
    at_option,
    complete_components,
    examples,
    format_option,
    library_beside,
    matrix_option,
    site_option,
)
from bakestone.errors import USAGE, BakestoneError, fail

if TYPE_CHECKING:
    from bakestone.core.library.catalog import Library
    from bakestone.core.library.component import Component
    from bakestone.jobs.library.acquire import Downloads


def _component(library: Library, name: str) -> Component:
    found = library.get(name)
    if found is None:
        raise fail(f"unknown component {name!r}", library.suggest(name), name="COMPONENT")
    return found


class _Fetching(TypedDict):
    """What the options of `_fetch_options` say."""

    urls: tuple[str, ...]
    sums: tuple[str, ...]
    platforms: tuple[str, ...]
    max_size: int
    timeout: float
    max_time: float
    site_path: Path | None


def _fetch_options(command: Command) -> Command:
    options = (
        click.option(
            "--url",
            "urls",
            multiple=True,
            metavar="URL",
            help="The file itself; several for several platforms.",
        ),
        click.option(
            "--sha256",
            "sums",
            multiple=True,
            metavar="HEX",
            help="What its checksum must be, once for each --url.",
        ),
        click.option(
            "--platform",
            "platforms",
            multiple=True,
            type=click.Choice(["linux/amd64", "linux/arm64"]),
            metavar="OS/ARCH",
            help="The only platform it is for, once for each --url.  [default: what its name says]",
        ),
        click.option(
            "--max-size",
            type=Size(),
            default="4GiB",
            show_default=True,
            help="Largest file that is taken.",
        ),
        click.option(
            "--timeout",
            type=click.FloatRange(0, 3600, min_open=True),
            default=60,
            show_default=True,
            help="Seconds without an answer.",
        ),
        click.option(
            "--max-time",
            type=click.FloatRange(0, 86400, min_open=True),
            default=3600,
            show_default=True,
            help="Seconds for a file.",
        ),
        matrix_option,
        site_option,
    )
    for option in reversed(options):  # the first one stands first in the help
        command = option(command)
    return command


@contextmanager
def _source(fetching: _Fetching) -> Iterator[Downloads]:
    """What `_fetch_options` say, with a bar while a person waits for a file."""
    from bakestone.cli.views.bars import downloads
    from bakestone.clients.http.download import Limits
    from bakestone.clients.site import site
    from bakestone.jobs.library.acquire import Downloads

    limits = Limits(fetching["max_size"], fetching["timeout"], fetching["max_time"])
    here = site.load(fetching["site_path"])
    sums = tuple(text.lower() for text in fetching["sums"])
    with downloads() as tell:
        yield Downloads(fetching["urls"], sums, fetching["platforms"], limits, here, tell)


@click.command(
    short_help="Show the component library, or the versions of a component.",
    epilog=examples(
        "bakestone versions",
        "bakestone versions openmpi",
        "bakestone versions cuda --distro ubuntu@22.04 --format json",
    ),
)
@click.argument("component", required=False, shell_complete=complete_components)
@click.option(
    "--distro", default="", metavar="NAME@VERSION", help="Only what can be installed there."
)
@at_option
@matrix_option
@format_option
def versions(
    component: str | None, distro: str, at: datetime.date, matrix_path: Path, output_format: str
) -> None:
    """Show every component of the library, a team's own among them; or every version of COMPONENT.

    A version's checksums are as trustworthy as their sources: high where two agree or the
    publisher says so, low where Bakestone computed them from what a server sent, - where the
    library does not say.
    """
    from bakestone.cli.views import library as library_view
    from bakestone.jobs.library import browse, scaffold

    library = library_beside(matrix_path)
    as_json = output_format == "json"
    if component is None:
        if distro:
            hint = "name it: bakestone versions cuda --distro ubuntu@22.04"
            raise fail("--distro is for the versions of one component", hint, code=USAGE)
        library_view.components(browse.entries(library), as_json=as_json)
        return
    found = _component(library, component)
    if distro:
        scaffold.check_distro(distro, library)
    rows = browse.rows(found, library, distro)
    library_view.versions(found, browse.entry(found), rows, distro, at=at, as_json=as_json)


@click.command(
    short_help="Find components and versions by name, version, package or file.",
    epilog=examples(
        "bakestone search cudnn 9.8",
        "bakestone search libcudnn8",
        "bakestone search openmpi-5.0.10.tar.bz2",
    ),
)
@click.argument("text", nargs=-1, required=True)
@click.option(
    "--limit",
    type=click.IntRange(0),
    default=20,
    show_default=True,
    help="Most lines of the table; 0 shows all.",
)
@matrix_option
@format_option
def search(text: tuple[str, ...], limit: int, matrix_path: Path, output_format: str) -> None:
    """Find what has every word of TEXT: in names, titles and versions, and in the packages, wheels,
    files, images and checksums behind them.
    """
    from bakestone.cli.views import library as library_view
    from bakestone.jobs.library import search as searching

    library = library_beside(matrix_path)
    found = searching.search(library, text)
    if not found:
        raise fail(f"nothing in the library has {' '.join(text)!r}", searching.hint(library, text))
    library_view.hits(found, limit, as_json=output_format == "json")


@click.group(short_help="Make, extend and check components of your own.")
def component() -> None:
    """Components of your own: folders of data in `components/` beside images.yaml
    (docs/components.md).
    """


@component.command(
    short_help="Make a component that works.",
    epilog=examples(
        "bakestone component new cmake --version 3.31.6 --url"
        " https://HOST/cmake-3.31.6-linux-x86_64.tar.gz",
        "bakestone component new kubectl --version 1.33.1 --url https://HOST/kubectl --ask 'version"
        " --client'",
        "bakestone component new jq --package jq --distro debian@12=1.6-2.1+deb12u1",
    ),
)
@click.argument("name")
@click.option("--slot", default="", help="The role it fills.  [default: its name]")
@click.option(
    "--version", default="", help="With --url: the version of the file, as its program tells it."
)
@click.option(
    "--package", default="", help="Instead of --url: a package of the distros given with --distro."
)
@click.option(
    "--distro",
    "distros",
    multiple=True,
    metavar="NAME@VERSION=PACKAGE-VERSION",
    help="With --package: the package's version there.",
)
@click.option(
    "--bin",
    "program",
    default="",
    metavar="PATH",
    help="The program that is measured, below the prefix.  [default: found by NAME]",
)
@click.option(
    "--ask",
    default="--version",
    show_default=True,
    metavar="ARGUMENTS",
    help="What the program takes to tell its version.",
)
@click.option("--title", default="", help="What people call it.  [default: NAME]")
@click.option(
    "--homepage",
    default="",
    metavar="URL",
    help="The project's page.  [default: the host of --url, or the distro's]",
)
@click.option(
    "--licence",
    default="LicenseRef-unknown",
    show_default=True,
    metavar="SPDX",
    help="Its licence; goes into the labels of images.",
)
@_fetch_options
def new(
    name: str,
    slot: str,
    version: str,
    package: str,
    distros: tuple[str, ...],
    program: str,
    ask: str,
    title: str,
    homepage: str,
    licence: str,
    matrix_path: Path,
    **fetching: Unpack[_Fetching],
) -> None:
    """Make components/NAME beside images.yaml: data, template and inventory, complete and checked.

    With --url it is an archive or a program: the file is fetched and hashed, its program is found
    inside, unpacked below /opt/NAME by the build, and asked for its version in the finished image.
    With --package it is a distro's own package. Nothing that is there is overwritten.
    """
    from bakestone.cli.views import library as library_view
    from bakestone.jobs.library import acquire, additions, scaffold

    library, folder = library_beside(matrix_path), matrix_path.parent / "components"
    scaffold.check_name(name, library, folder)
    urls = fetching["urls"]
    if bool(urls) == bool(package) or (urls and (distros or not version)):
        raise fail(
            f"{name} needs something to install",
            "--version X --url URL for an archive or a program; --package NAME --distro"
            " debian@12=X-1 for a package of the distro",
            code=USAGE,
        )
    for url in urls:
        additions.check_url(url)
    there = {} if urls else scaffold.pinned(distros, library)
    about = scaffold.About(
        name,
        slot or name.replace("-", "_"),
        title or name,
        homepage or scaffold.homepage(urls, list(there), library),
        licence,
        ask,
    )
    scaffold.check_about(about, program)
    if urls:
        with _source(fetching) as source:
            made = acquire.component(about, version, program, source)
        library_view.fetched(made.files, made.program)
        texts = made.texts
    else:
        texts, version = scaffold.from_package(
            about, package, program, there, "given to bakestone component new"
        )
    scaffold.write(folder, name, texts)
    library_view.written(folder / name, texts)
    _check(library_beside(matrix_path), name, as_json=False)
    library_view.next_step(about.slot, f"{name}@{version}")


@component.command(
    short_help="Add a version that the library does not have.",
    epilog=examples(
        "bakestone component add openmpi 5.0.99 --url https://HOST/openmpi-5.0.99.tar.bz2"
        " --sha256 HEX",
        "bakestone component add miniforge 27.1.0-0 --measure version=27.1.0 --url"
        " https://HOST/Miniforge3-27.1.0-0-Linux-x86_64.sh",
    ),
)
@click.argument("name", shell_complete=complete_components)
@click.argument("version")
@click.option(
    "--method",
    default="",
    help="How the file is installed.  [default: the component's only method that takes a file]",
)
@click.option(
    "--measure",
    "measures",
    multiple=True,
    metavar="KEY=VALUE",
    help="What the inventory must find.  [default: version=VERSION]",
)
@_fetch_options
def add(
    name: str,
    version: str,
    method: str,
    measures: tuple[str, ...],
    matrix_path: Path,
    **fetching: Unpack[_Fetching],
) -> None:
    """Fetch a file, hash it, and write its VERSION to components/NAME/versions.yaml beside
    images.yaml.

    Its checksum is computed, so its confidence is low; medium when --sha256 said the same. A file
    that is not what --sha256 says is refused, and nothing is written. Bakestone's own components
    are left as they are: the team's file adds to them.
    """
    from bakestone.cli.views import library as library_view
    from bakestone.jobs.library import acquire

    found = _component(library_beside(matrix_path), name)
    with _source(fetching) as source:
        added = acquire.add(
            found, version, method, measures, source, matrix_path.parent / "components"
        )
    library_view.added(added)


@component.command(
    short_help="Check that a component is whole.",
    epilog=examples("bakestone component check uv", "bakestone component check uv --format json"),
)
@click.argument("name", shell_complete=complete_components)
@matrix_option
@format_option
def check(name: str, matrix_path: Path, output_format: str) -> None:
    """Check a component: schemas, templates, sources, the inventory script, and a Dockerfile for
    every version by every method.
    """
    _check(library_beside(matrix_path), name, as_json=output_format == "json")


def _check(library: Library, name: str, *, as_json: bool) -> None:
    from bakestone.cli.views import library as library_view
    from bakestone.jobs.library import check as component_check
    from bakestone.jobs.library import shellcheck

    found = _component(library, name)
    report = component_check.check(found, library)
    findings = list(report.findings)
    if found.inventory:
        findings += shellcheck.findings(found.inventory, f"{found.origin}/inventory.sh")
    if any(finding.severity == "error" for finding in findings):
        raise BakestoneError(findings)
    library_view.checked(found, report.rendered, findings, as_json=as_json)
