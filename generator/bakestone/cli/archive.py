"""What a build needs where no network is: `archive` and `base`. Parse, call, print."""

from __future__ import annotations

import contextlib
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bakestone.cli import options
from bakestone.cli.options import command, flag, option, several
from bakestone.cli.terminal import say
from bakestone.errors import USAGE, BakestoneError, fail

if TYPE_CHECKING:
    from bakestone.clients.site.site import Site
    from bakestone.project import Project

folder_argument = click.argument("folder", type=options.FOLDER)


@click.group(short_help="Carry everything that a build needs to where no network is.")
def archive() -> None:
    """An archive holds the base images, files, wheels and packages of a selection in one OCI layout
    (docs/air-gap.md).
    """


@command(
    "Collect what a selection is built from.",
    "bakestone archive create build/archive",
    "bakestone archive create build/archive family=debian --to"
    " registry.example.com/base/archive:today",
    group=archive,
)
@folder_argument
@options.selectors
@option("--to", "Push it there as well, as one artifact.", metavar="HOST/REPOSITORY[:TAG]")
@options.project
def create(folder: Path, selectors: tuple[str, ...], to: str, project: Project) -> None:
    """Collect in FOLDER what the variants that SELECTORS name are built from, as the lock pins it.

    What is there and right is not fetched again, so a run that was interrupted goes on where it
    stopped. Packages are fetched by apt or dnf inside the base images, which needs the engine.
    """
    from bakestone.cli.views import archive as archive_view
    from bakestone.clients.registry.client import Registry
    from bakestone.jobs.archive import transfer
    from bakestone.jobs.archive.collect.create import create as collect

    target = transfer.target(to) if to else ""
    archive_view.made(folder, collect(project, selectors, folder, say))
    if target:
        archive_view.pushed(target, transfer.push(folder, target, Registry(project.site), say))


@command("Read every blob of an archive.", "bakestone archive verify build/archive", group=archive)
@folder_argument
@options.as_json
def verify(folder: Path, as_json: bool) -> None:
    """Read every blob of the archive in FOLDER, and say which are not what their digests say, and
    what cannot be built without them.
    """
    from bakestone.cli.views import archive as archive_view
    from bakestone.jobs.archive.layout import ArchiveLayout

    catalog, findings = ArchiveLayout(folder).verify()
    if findings:
        raise BakestoneError(findings)
    archive_view.verified(folder, catalog, as_json=as_json)


@command(
    "Give an archive back to builds.",
    "bakestone archive serve /media/archive --bind docker",
    "bakestone build --site archive-site/site.yaml --push     in another shell",
    group=archive,
)
@folder_argument
@several(
    "--bind binds",
    "ADDRESS",
    "Listen there as well; `docker` is the address of this machine that build steps see."
    "  [default: loopback only]",
)
@option("--port", "0 takes a free one.", type=click.IntRange(0, 65535), default=8650)
@option(
    "--site-folder",
    "Where the site file for builds from the archive goes.",
    type=options.FOLDER,
    default=Path("archive-site"),
)
@options.site
def serve(folder: Path, binds: tuple[str, ...], port: int, site_folder: Path, site: Site) -> None:
    """Serve the archive in FOLDER until it is stopped, and write a site file with which builds take
    everything from it.

    Base images, files and the engine's own requests go over loopback. Steps that run apt, dnf or
    pip have a network of their own, and reach this machine under another address: --bind docker, or
    the one that your builder's containers see. Registry, builder and CA bundle are kept of your
    site file.
    """
    from bakestone.cli.views import archive as archive_view
    from bakestone.jobs.archive.layout import ArchiveLayout
    from bakestone.jobs.archive.serve import sitefile
    from bakestone.jobs.archive.serve.serve import LOOPBACK, serving

    layout = ArchiveLayout(folder)
    catalog = layout.catalog()
    addresses = [LOOPBACK, *(_address(text) for text in binds)]
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(
            serving(layout, addresses, port, lambda what: say(f"not in the archive: {what}"))
        )
        path = sitefile.write(
            site_folder, catalog, site, f"localhost:{port}", f"{addresses[-1]}:{port}"
        )
        urls = [f"http://{address}:{port}" for address in dict.fromkeys(addresses)]
        archive_view.served(folder, catalog, urls, path)
        while not stop.wait(0.5):  # a signal may reach another thread, which wakes nobody
            pass
    click.echo("stopped")


@command(
    "Push an archive to a registry.",
    "bakestone archive push build/archive registry.example.com/base/archive:2026-11",
    group=archive,
)
@folder_argument
@click.argument("reference")
@options.site
def push(folder: Path, reference: str, site: Site) -> None:
    """Push the archive in FOLDER to REFERENCE as one artifact; any tool that copies artifacts can
    carry it on.
    """
    from bakestone.cli.views import archive as archive_view
    from bakestone.clients.registry.client import Registry
    from bakestone.jobs.archive import transfer

    target = transfer.target(reference)
    archive_view.pushed(target, transfer.push(folder, target, Registry(site), say))


@command(
    "Fetch an archive from a registry.",
    "bakestone archive pull registry.example.com/base/archive:2026-11 build/archive",
    group=archive,
)
@click.argument("reference")
@folder_argument
@options.site
def pull(reference: str, folder: Path, site: Site) -> None:
    """Fetch the archive REFERENCE into FOLDER; what is there and right is not fetched again."""
    from bakestone.cli.views import archive as archive_view
    from bakestone.clients.registry.client import Registry
    from bakestone.jobs.archive import transfer

    target = transfer.target(reference)
    archive_view.made(folder, transfer.pull(target, folder, Registry(site), say))


def _address(text: str) -> str:
    """An address to listen on; `docker` is asked of Docker."""
    import ipaddress

    if text == "docker":
        from bakestone.clients.engine.buildx import Engine
        from bakestone.clients.site.site import Site

        return Engine(Site()).gateway()
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError as problem:
        hint = "an IPv4 address of this machine, or `docker`"
        raise fail(f"--bind cannot be {text[:80]!r}", hint, code=USAGE) from problem


@command(
    "Make a base image from the distro's packages.",
    "bakestone base debian@12",
    "bakestone base debian@13 --to registry.example.com/hub/library/debian",
    "bakestone base debian@12 --platform linux/amd64,linux/arm64",
)
@click.argument("distro", metavar="DISTRO@VERSION")
@option(
    "--platform platforms",
    "Several make one tag for all of them; another one alone makes TAG-ARCH.  [default: this"
    " machine's]",
    metavar="OS/ARCH[,...]",
)
@option(
    "--to",
    "Without a tag: both version and codename.  [default: where the site's mirror has it, else"
    " mirror/library/debian in the engine's registry]",
    metavar="HOST/REPOSITORY[:TAG]",
)
@flag("--force", "Make it again, and move the tag.")
@option(
    "--keep",
    "Keep the root file system here, of one platform.",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="TARBALL",
)
@option(
    "--epoch",
    "The time that no file is newer than. Also SOURCE_DATE_EPOCH.  [default: the newest date of"
    " the mirror's suites]",
    type=click.IntRange(0),
    envvar="SOURCE_DATE_EPOCH",
    metavar="SECONDS",
)
@option("--mirror", "The package archive.  [default: this machine's apt's]", metavar="URL")
@option(
    "--security-mirror security",
    "Its security updates.  [default: this machine's apt's, or none with --mirror]",
    metavar="URL",
)
@options.matrix
@options.site
def base(
    distro: str,
    platforms: str,
    to: str,
    force: bool,
    keep: Path | None,
    epoch: int | None,
    mirror: str,
    security: str,
    matrix_path: Path,
    site: Site,
) -> None:
    """Make the base image of DISTRO from its package archive with mmdebstrap, and push it: for
    places that reach packages but no image registry.

    A tag that is there is left alone. As long as the archive does not change, the digest stays
    the same. The last line is the image with its digest.
    """
    from bakestone.clients.registry.client import Registry
    from bakestone.jobs.base import machine, make

    what = make.release(distro, options.library_beside(matrix_path))
    names = platforms.split(",") if platforms else [f"linux/{machine.NATIVE}"]
    architectures = tuple(dict.fromkeys(make.architecture(name) for name in names))
    wish = make.BaseWish(architectures, to, mirror, security, epoch, force, keep)
    click.echo(make.make(what, wish, Registry(site), say))


COMMANDS = (archive, base)
