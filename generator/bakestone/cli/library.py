"""The commands that look into the component library and add to it: one function a command; parse,
call, print.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bakestone.cli import options
from bakestone.cli.options import command, option, several
from bakestone.errors import USAGE, BakestoneError, fail

if TYPE_CHECKING:
    from bakestone.core.library.catalog import Library
    from bakestone.core.library.component import Component
    from bakestone.jobs.library.acquire import Downloads

    Fetching = Callable[[tuple[str, ...]], AbstractContextManager[Downloads]]

name_argument = click.argument("name", shell_complete=options.complete_components)


def _component(library: Library, name: str) -> Component:
    found = library.get(name)
    if found is None:
        raise fail(f"unknown component {name!r}", library.suggest(name), name="COMPONENT")
    return found


def _seconds(longest: int) -> click.FloatRange:
    return click.FloatRange(0, longest, min_open=True)


def download_options(function: options.Function) -> options.Function:
    """The options that say what is downloaded, from where and how: it gets the `urls`, and
    what gives the `Downloads` of some.
    """

    @several("--url urls", "URL", "The file itself; several for several platforms.")
    @several("--sha256 sums", "HEX", "What its checksum must be, once for each --url.")
    @several(
        "--platform platforms",
        "OS/ARCH",
        "The only platform it is for, once for each --url.  [default: what its name says]",
        type=click.Choice(["linux/amd64", "linux/arm64"]),
    )
    @option("--max-size", "Largest file that is taken.", type=options.Size(), default="4GiB")
    @option("--timeout", "Seconds without an answer.", type=_seconds(3600), default=60)
    @option("--max-time", "Seconds for a file.", type=_seconds(86400), default=3600)
    @options.matrix
    @options.site
    @wraps(function)
    def with_downloads(sums: tuple[str, ...], **given: Any) -> Any:
        from bakestone.cli.views.bars import downloads
        from bakestone.clients.http.download import Limits
        from bakestone.jobs.library.acquire import Downloads

        lower = tuple(text.lower() for text in sums)
        limits = Limits(*(given.pop(name) for name in ("max_size", "timeout", "max_time")))
        platforms, site = given.pop("platforms"), given.pop("site")

        @contextmanager
        def fetching(urls: tuple[str, ...]) -> Iterator[Downloads]:
            with downloads() as tell:  # bars while a person waits
                yield Downloads(urls, lower, platforms, limits, site, tell)

        return function(fetching=fetching, **given)

    return with_downloads  # type: ignore[return-value]  # click calls it in the function's place


@command(
    "Show the component library, or the versions of a component.",
    "bakestone versions",
    "bakestone versions openmpi",
    "bakestone versions cuda --distro ubuntu@22.04 --format json",
)
@click.argument("component", required=False, shell_complete=options.complete_components)
@option("--distro", "Only what can be installed there.", metavar="NAME@VERSION")
@options.at
@options.matrix
@options.as_json
def versions(
    component: str | None, distro: str, at: datetime.date, matrix_path: Path, as_json: bool
) -> None:
    """Show every component of the library, a team's own among them; or every version of COMPONENT.

    A version's checksums are as trustworthy as their sources: high where two agree or the
    publisher says so, low where Bakestone computed them from what a server sent, - where the
    library does not say.
    """
    from bakestone.cli.views import library as library_view
    from bakestone.jobs.library import browse, scaffold

    library = options.library_beside(matrix_path)
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


@command(
    "Find components and versions by name, version, package or file.",
    "bakestone search cudnn 9.8",
    "bakestone search libcudnn8",
    "bakestone search openmpi-5.0.10.tar.bz2",
)
@click.argument("text", nargs=-1, required=True)
@option("--limit", "Most lines of the table; 0 shows all.", type=click.IntRange(0), default=20)
@options.matrix
@options.as_json
def search(text: tuple[str, ...], limit: int, matrix_path: Path, as_json: bool) -> None:
    """Find what has every word of TEXT: in names, titles and versions, and in the packages, wheels,
    files, images and checksums behind them.
    """
    from bakestone.cli.views import library as library_view
    from bakestone.jobs.library import search as searching

    library = options.library_beside(matrix_path)
    found = searching.search(library, text)
    if not found:
        raise fail(f"nothing in the library has {' '.join(text)!r}", searching.hint(library, text))
    library_view.hits(found, limit, as_json=as_json)


@click.group(short_help="Make, extend and check components of your own.")
def component() -> None:
    """Components of your own: folders of data in `components/` beside images.yaml
    (docs/components.md).
    """


@command(
    "Make a component that works.",
    "bakestone component new cmake --version 3.31.6 --url"
    " https://HOST/cmake-3.31.6-linux-x86_64.tar.gz",
    "bakestone component new kubectl --version 1.33.1 --url https://HOST/kubectl --ask 'version"
    " --client'",
    "bakestone component new jq --package jq --distro debian@12=1.6-2.1+deb12u1",
    group=component,
)
@click.argument("name")
@option("--slot", "The role it fills.  [default: its name]")
@option("--version", "With --url: the version of the file, as its program tells it.")
@option("--package", "Instead of --url: a package of the distros given with --distro.")
@several(
    "--distro distros",
    "NAME@VERSION=PACKAGE-VERSION",
    "With --package: the package's version there.",
)
@option(
    "--bin program",
    "The program that is measured, below the prefix.  [default: found by NAME]",
    metavar="PATH",
)
@option(
    "--ask", "What the program takes to tell its version.", default="--version", metavar="ARGUMENTS"
)
@option("--title", "What people call it.  [default: NAME]")
@option(
    "--homepage",
    "The project's page.  [default: the host of --url, or the distro's]",
    metavar="URL",
)
@option(
    "--licence",
    "Its licence; goes into the labels of images.",
    default="LicenseRef-unknown",
    metavar="SPDX",
)
@download_options
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
    urls: tuple[str, ...],
    fetching: Fetching,
) -> None:
    """Make components/NAME beside images.yaml: data, template and inventory, complete and checked.

    With --url it is an archive or a program: the file is fetched and hashed, its program is found
    inside, unpacked below /opt/NAME by the build, and asked for its version in the finished image.
    With --package it is a distro's own package. Nothing that is there is overwritten.
    """
    from bakestone.cli.views import library as library_view
    from bakestone.jobs.library import acquire, additions, scaffold

    library, folder = options.library_beside(matrix_path), matrix_path.parent / "components"
    scaffold.check_name(name, library, folder)
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
    homepage = homepage or scaffold.homepage(urls, list(there), library)
    slot = slot or name.replace("-", "_")
    about = scaffold.About(name, slot, title or name, homepage, licence, ask)
    scaffold.check_about(about, program)
    if urls:
        with fetching(urls) as source:
            made = acquire.component(about, version, program, source)
        library_view.fetched(made.files, made.program)
        texts = made.texts
    else:
        texts, version = scaffold.from_package(
            about, package, program, there, "given to bakestone component new"
        )
    scaffold.write(folder, name, texts)
    library_view.written(folder / name, texts)
    _check(options.library_beside(matrix_path), name, as_json=False)
    library_view.next_step(slot, f"{name}@{version}")


@command(
    "Add a version that the library does not have.",
    "bakestone component add openmpi 5.0.99 --url https://HOST/openmpi-5.0.99.tar.bz2 --sha256 HEX",
    "bakestone component add miniforge 27.1.0-0 --measure version=27.1.0 --url"
    " https://HOST/Miniforge3-27.1.0-0-Linux-x86_64.sh",
    group=component,
)
@name_argument
@click.argument("version")
@option(
    "--method",
    "How the file is installed.  [default: the component's only method that takes a file]",
)
@several(
    "--measure measures", "KEY=VALUE", "What the inventory must find.  [default: version=VERSION]"
)
@download_options
def add(
    name: str,
    version: str,
    method: str,
    measures: tuple[str, ...],
    matrix_path: Path,
    urls: tuple[str, ...],
    fetching: Fetching,
) -> None:
    """Fetch a file, hash it, and write its VERSION to components/NAME/versions.yaml beside
    images.yaml.

    Its checksum is computed, so its confidence is low; medium when --sha256 said the same. A file
    that is not what --sha256 says is refused, and nothing is written. Bakestone's own components
    are left as they are: the team's file adds to them.
    """
    from bakestone.cli.views import library as library_view
    from bakestone.jobs.library import acquire

    found = _component(options.library_beside(matrix_path), name)
    with fetching(urls) as source:
        added = acquire.add(
            found, version, method, measures, source, matrix_path.parent / "components"
        )
    library_view.added(added)


@command(
    "Check that a component is whole.",
    "bakestone component check uv",
    "bakestone component check uv --format json",
    group=component,
)
@name_argument
@options.matrix
@options.as_json
def check(name: str, matrix_path: Path, as_json: bool) -> None:
    """Check a component: schemas, templates, sources, the inventory script, and a Dockerfile for
    every version by every method.
    """
    _check(options.library_beside(matrix_path), name, as_json=as_json)


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


COMMANDS = (component, search, versions)
