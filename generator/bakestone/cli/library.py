"""The commands that look into the component library and add to it: one function a command; parse,
call, print.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bakestone.cli import options
from bakestone.cli.options import command, option, several
from bakestone.errors import USAGE, BakestoneError, fail

if TYPE_CHECKING:
    from bakestone.clients.http.download import Limits
    from bakestone.clients.site.site import Site
    from bakestone.core.library.catalog import Library
    from bakestone.core.library.component import Component
    from bakestone.jobs.library.acquire import Downloads

name_argument = click.argument("name", shell_complete=options.complete_components)


def _component(library: Library, name: str) -> Component:
    found = library.get(name)
    if found is None:
        raise fail(f"unknown component {name!r}", library.suggest(name), name="COMPONENT")
    return found


def _seconds(longest: int) -> click.FloatRange:
    return click.FloatRange(0, longest, min_open=True)


@dataclass(frozen=True)
class Fetching:
    """What the options of `download_options` say; called with URLs it gives their `Downloads`."""

    sums: tuple[str, ...]
    platforms: tuple[str, ...]
    limits: Limits
    site: Site

    @contextmanager
    def __call__(self, urls: tuple[str, ...]) -> Iterator[Downloads]:
        """The downloads, with bars while a person waits."""
        from bakestone.cli.views.bars import downloads
        from bakestone.jobs.library.acquire import Downloads

        with downloads() as tell:
            yield Downloads(urls, self.sums, self.platforms, self.limits, self.site, tell)


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
        from bakestone.clients.http.download import Limits

        lower = tuple(text.lower() for text in sums)
        limits = Limits(*(given.pop(name) for name in ("max_size", "timeout", "max_time")))
        fetching = Fetching(lower, given.pop("platforms"), limits, given.pop("site"))
        return function(fetching=fetching, **given)

    return with_downloads  # type: ignore[return-value]  # click calls it in the function's place


@command(
    "Show the component library, or the versions of a component.",
    "bakestone versions",
    "bakestone versions openmpi",
    "bakestone versions mpi",
    "bakestone versions cuda --distro ubuntu@22.04 --format json",
    "bakestone versions --for torch==2.9.1",
)
@click.argument("component", required=False, shell_complete=options.complete_components)
@option("--distro", "Only what of a component can be installed there.", metavar="NAME@VERSION")
@option(
    "--for framework",
    "Instead: what a framework's wheel pins of CUDA, cuDNN and NCCL.",
    metavar="NAME==VERSION",
    default=None,
)
@options.at
@options.matrix
@options.site
@options.as_json
def versions(
    component: str | None,
    distro: str,
    framework: str | None,
    at: datetime.date,
    matrix_path: Path,
    site: Site,
    as_json: bool,
) -> None:
    """Show every component of the library, a team's own among them; or every version of COMPONENT,
    or, of a slot, its components with their newest versions.

    With --for it is what a wheel of PyTorch, TensorFlow, JAX, vLLM or ONNX Runtime itself asks for,
    as the package index has it, and what the library has of that, ready to paste.

    A version's checksums are as trustworthy as their sources: high where two agree or the
    publisher says so, low where Bakestone computed them from what a server sent, - where the
    library does not say.
    """
    from bakestone.cli.views import library as library_view
    from bakestone.jobs.library import browse, scaffold

    library = options.library_beside(matrix_path)
    if framework is not None:
        from bakestone.jobs.library import frameworks

        if component or distro:
            raise fail("--for stands alone", "bakestone versions --for torch==2.9.1", code=USAGE)
        library_view.framework(frameworks.ask(framework, library, site), as_json=as_json)
        return
    if component is None:
        if distro:
            hint = "name it: bakestone versions cuda --distro ubuntu@22.04"
            raise fail("--distro is for the versions of one component", hint, code=USAGE)
        library_view.components(browse.entries(library), as_json=as_json)
        return
    if library.get(component) is None and component in library.slots:
        if distro:
            hint = f"name one of {', '.join(c.name for c in library.of_slot(component))}"
            raise fail("--distro is for the versions of one component", hint, code=USAGE)
        library_view.slot(component, browse.of_slot(component, library), as_json=as_json)
        return
    if library.get(component) is None:
        hint = library.suggest(component, slots=True)
        raise fail(f"no component and no slot is called {component!r}", hint, name="COMPONENT")
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
    "Make a component of a Python package and all that it needs.",
    "bakestone component python jax requirements.txt --python 3.11 --homepage"
    " https://docs.jax.dev/",
    "bakestone component python ort requirements.txt --python 3.11 --project onnxruntime --homepage"
    " https://onnxruntime.ai/",
    group=component,
)
@click.argument("name")
@click.argument("requirements", type=options.FILE)
@several("--python pythons", "X.Y", "A Python of the images; several for several.", required=True)
@option("--project", "What the package index calls the package.  [default: NAME]")
@option("--import module", "What the gate imports.  [default: the package's name]")
@option("--slot", "The role it fills.  [default: its name]")
@option("--title", "What people call it.  [default: NAME]")
@option("--homepage", "The project's page.", required=True, metavar="URL")
@option("--licence", "Its licence.", default="LicenseRef-unknown", metavar="SPDX")
@options.matrix
@options.site
def python(
    name: str,
    requirements: Path,
    pythons: tuple[str, ...],
    project: str,
    module: str,
    slot: str,
    title: str,
    homepage: str,
    licence: str,
    matrix_path: Path,
    site: Site,
) -> None:
    """Make components/NAME beside images.yaml from a REQUIREMENTS file that has each version with
    its hashes, as `uv pip compile --generate-hashes` and `pip-compile --generate-hashes` write it.

    The package index is asked which wheels these are; nothing is downloaded. The build unpacks them
    by their hashes below /opt/NAME, and the image's Python imports the package in the gate.
    """
    from bakestone.cli.views import library as library_view
    from bakestone.clients.http.ask import Asker
    from bakestone.clients.http.session import Session
    from bakestone.clients.index.pages import Pages
    from bakestone.jobs.library import closure, scaffold

    library, folder = options.library_beside(matrix_path), matrix_path.parent / "components"
    scaffold.check_name(name, library, folder)
    project = project or name
    module = module or project.replace("-", "_")
    package = scaffold.PythonPackage(project, module, pythons)
    package.check()
    slot = slot or name.replace("-", "_")
    about = scaffold.About(name, slot, title or name, homepage, licence)
    scaffold.check_about(about, "")
    index, today = Pages(site, Asker(Session(site))), datetime.datetime.now(datetime.UTC).date()
    made = closure.component(about, package, requirements, index, today)
    for filename in made.filenames:
        click.echo(filename)
    scaffold.write(folder, name, made.texts)
    library_view.written(folder / name, made.texts)
    _check(options.library_beside(matrix_path), name, as_json=False)
    library_view.next_step(slot, f"{name}@{made.version}")


@command(
    "Add a version that the library does not have.",
    "bakestone component add nccl 2.32.4",
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
    images.yaml. A version that is there by other methods gets a further one with --method.

    Its checksum is computed, so its confidence is low; medium when --sha256 said the same. A file
    that is not what --sha256 says is refused, and nothing is written. Bakestone's own components
    are left as they are: the team's file adds to them.

    Without --url the version is looked for where `library update` looks; its checksum is that of
    the index or list, and a file is fetched where that has none.
    """
    from bakestone.cli.terminal import say
    from bakestone.cli.views import library as library_view
    from bakestone.jobs.library import acquire, additions, update

    library = options.library_beside(matrix_path)
    found, folder = _component(library, name), matrix_path.parent / "components"
    additions.check_new(found, version, method)
    if not urls:
        if update.finds(found, method):
            updater = update.Updater(library, fetching.site, folder, options.today(), say)
            library_view.added_from_index(updater.add(found, version, method), name, version)
            return
        additions.method_for(found, method, urls)  # what takes no file needs no --url
    with fetching(urls) as source:
        added = acquire.add(found, version, method, measures, source, folder)
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


@click.group(short_help="Keep the component library up to date.")
def library() -> None:
    """The component library: what exists of each component (docs/library.md)."""


@command(
    "Read index, publishers and vendors, and add what is new.",
    "bakestone library update",
    "bakestone library update nccl cudnn",
    "bakestone library update --check --format json",
    group=library,
)
@click.argument("components", nargs=-1, shell_complete=options.complete_components)
@option(
    "--folder",
    "The folder of components that is written.  [default: components beside images.yaml]",
    type=options.FOLDER,
    default=None,
)
@options.flag("--check", "Write nothing; exit 1 when there is something new.")
@options.matrix
@options.site
@options.as_json
def update(
    components: tuple[str, ...],
    folder: Path | None,
    check: bool,
    matrix_path: Path,
    site: Site,
    as_json: bool,
) -> None:
    """Ask the package index of the site (pip's own by default), publishers' lists of releases and
    vendors' package repositories what they have of COMPONENTS, or of all that say where they come
    from, and write new versions to components/NAME/versions.yaml beside images.yaml: files,
    checksums, sizes, days and conditions, newest first.

    What is there stays as it is. A file that was withdrawn, is gone, or is another one under the
    same name is told. Two runs on one day write the same bytes.
    """
    from bakestone.cli.terminal import say
    from bakestone.cli.views import library as library_view
    from bakestone.jobs.library import update

    known = options.library_beside(matrix_path)
    chosen = update.components(known, components)
    place = folder or matrix_path.parent / "components"
    updater = update.Updater(known, site, place, options.today(), say)
    done = updater.update_all(chosen, write=not check)
    library_view.updates(done.components, write=not check, as_json=as_json)
    done.check()
    if check and done.new:
        raise SystemExit(1)


COMMANDS = (component, library, search, versions)
