"""`bakestone archive`: everything that a selection is built from, to carry where no network is.

Parse, call, print.
"""

from __future__ import annotations

import contextlib
import json
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bakestone.cli.options import (
    examples,
    format_option,
    project_of,
    project_options,
    selectors_argument,
    site_option,
)
from bakestone.errors import BakestoneError, Finding, fail, render

if TYPE_CHECKING:
    from bakestone.jobs.archive.catalog import Catalog

_FOLDER = click.Path(path_type=Path, file_okay=False)
folder_argument = click.argument("folder", type=_FOLDER)


@click.group(short_help="Carry everything that a build needs to where no network is.")
def archive() -> None:
    """An archive holds the base images, files, wheels and packages of a selection in one OCI layout
    (docs/air-gap.md).
    """


@archive.command(
    short_help="Collect what a selection is built from.",
    epilog=examples(
        "bakestone archive create build/archive",
        "bakestone archive create build/archive family=debian --to"
        " registry.example.com/base/archive:today",
    ),
)
@folder_argument
@selectors_argument
@click.option(
    "--to", metavar="HOST/REPOSITORY[:TAG]", help="Push it there as well, as one artifact."
)
@project_options
def create(folder: Path, selectors: tuple[str, ...], to: str | None, **paths: Any) -> None:
    """Collect in FOLDER what the variants that SELECTORS name are built from, as the lock pins it.

    What is there and right is not fetched again, so a run that was interrupted goes on where it
    stopped. Packages are fetched by apt or dnf inside the base images, which needs the engine.
    """
    from bakestone.clients.registry.client import Registry
    from bakestone.jobs.archive import transfer
    from bakestone.jobs.archive.collect import create as making

    project = project_of(**paths)
    target = transfer.target(to) if to else ""
    made = making.create(project, selectors, folder, lambda text: click.echo(text, err=True))
    click.echo(f"{folder}: {_summary(made.catalog)}; {made.digest}")
    if target:
        digest = transfer.push(
            folder, target, Registry(project.site), lambda text: click.echo(text, err=True)
        )
        click.echo(f"{target}: pushed; {digest}")


@archive.command(
    short_help="Read every blob of an archive.",
    epilog=examples("bakestone archive verify build/archive"),
)
@folder_argument
@format_option
def verify(folder: Path, output_format: str) -> None:
    """Read every blob of the archive in FOLDER, and say which are not what their digests say, and
    what cannot be built without them.
    """
    from bakestone.jobs.archive.layout import Layout

    catalog, findings = Layout(folder).verify()
    if findings:
        raise BakestoneError(findings)
    if output_format == "json":
        click.echo(
            json.dumps(
                {"blobs": len(catalog.blobs()), "bytes": catalog.size, "findings": []}, indent=2
            )
        )
        return
    click.echo(f"{folder}: {_summary(catalog)}; all of it is right")


@archive.command(
    short_help="Give an archive back to builds.",
    epilog=examples(
        "bakestone archive serve /media/archive --bind docker",
        "bakestone build --site archive-site/site.yaml --push     in another shell",
    ),
)
@folder_argument
@click.option(
    "--bind", "binds", multiple=True, metavar="ADDRESS",
    help="Listen there as well; `docker` is the address of this machine that build steps see.  [default: loopback only]",
)  # fmt: skip
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8650,
    show_default=True,
    help="0 takes a free one.",
)
@click.option(
    "--site-folder",
    type=_FOLDER,
    default=Path("archive-site"),
    show_default=True,
    help="Where the site file for builds from the archive goes.",
)
@site_option
def serve(
    folder: Path, binds: tuple[str, ...], port: int, site_folder: Path, site_path: Path | None
) -> None:
    """Serve the archive in FOLDER until it is stopped, and write a site file with which builds take
    everything from it.

    Base images, files and the engine's own requests go over loopback. Steps that run apt, dnf or
    pip have a network of their own, and reach this machine under another address: --bind docker, or
    the one that your builder's containers see. Registry, builder and CA bundle are kept of your
    site file.
    """
    from bakestone.clients.site import site
    from bakestone.jobs.archive.layout import Layout
    from bakestone.jobs.archive.serve import serve as serving
    from bakestone.jobs.archive.serve import sitefile

    layout, here = Layout(folder), site.load(site_path)
    catalog = layout.catalog()
    addresses = [serving.LOOPBACK, *(_address(text) for text in binds)]
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    seen: set[str] = set()

    def missed(what: str) -> None:
        if what not in seen and len(seen) < 10_000:
            seen.add(what)
            click.echo(f"not in the archive: {serving.printable(what)}", err=True)

    with contextlib.ExitStack() as stack:
        port = stack.enter_context(serving.serving(layout, addresses, port, missed))
        where = ", ".join(f"http://{address}:{port}" for address in dict.fromkeys(addresses))
        path = sitefile.write(
            site_folder, catalog, here, f"localhost:{port}", f"{addresses[-1]}:{port}"
        )
        click.echo(f"{folder}: {_summary(catalog)}")
        click.echo(f"serving on {where}; stop with Ctrl-C")
        click.echo(f"next: bakestone build --site {path}")
        if len(addresses) == 1:
            note = Finding(
                "build steps that run apt, dnf or pip do not reach loopback",
                "add `--bind docker`, or the address that they see",
                severity="warning",
            )
            click.echo(render([note]), err=True)
        while not stop.wait(0.5):
            pass
    click.echo("stopped")


@archive.command(
    short_help="Push an archive to a registry.",
    epilog=examples(
        "bakestone archive push build/archive registry.example.com/base/archive:2026-11"
    ),
)
@folder_argument
@click.argument("reference")
@site_option
def push(folder: Path, reference: str, site_path: Path | None) -> None:
    """Push the archive in FOLDER to REFERENCE as one artifact; any tool that copies artifacts can
    carry it on.
    """
    from bakestone.clients.registry.client import Registry
    from bakestone.clients.site import site
    from bakestone.jobs.archive import transfer

    target = transfer.target(reference)
    digest = transfer.push(
        folder, target, Registry(site.load(site_path)), lambda text: click.echo(text, err=True)
    )
    click.echo(f"{target}: pushed; {digest}")


@archive.command(
    short_help="Fetch an archive from a registry.",
    epilog=examples(
        "bakestone archive pull registry.example.com/base/archive:2026-11 build/archive"
    ),
)
@click.argument("reference")
@folder_argument
@site_option
def pull(reference: str, folder: Path, site_path: Path | None) -> None:
    """Fetch the archive REFERENCE into FOLDER; what is there and right is not fetched again."""
    from bakestone.clients.registry.client import Registry
    from bakestone.clients.site import site
    from bakestone.jobs.archive import transfer

    made = transfer.pull(
        transfer.target(reference),
        folder,
        Registry(site.load(site_path)),
        lambda text: click.echo(text, err=True),
    )
    click.echo(f"{folder}: {_summary(made.catalog)}; {made.digest}")


def _address(text: str) -> str:
    """An address to listen on; `docker` is asked of Docker."""
    import ipaddress

    if text == "docker":
        from bakestone.clients.engine import gateway

        return gateway.of_docker()
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        raise fail(
            f"--bind cannot be {text[:80]!r}",
            "an IPv4 address of this machine, or `docker`",
            code=2,
        ) from None


def _summary(catalog: Catalog) -> str:
    from bakestone.clients.http.session import readable
    from bakestone.jobs.archive.catalog import FILE, IMAGE, INDEX, KEY, PACKAGE, WHEEL

    counts = {
        kind: len({e.digest for e in catalog.entries if e.kind == kind})
        for kind in (IMAGE, FILE, WHEEL, PACKAGE, INDEX, KEY)
    }
    names = {
        IMAGE: "base images",
        FILE: "files",
        WHEEL: "wheels",
        PACKAGE: "packages",
        INDEX: "package indexes",
        KEY: "keys",
    }
    parts = ", ".join(f"{counts[kind]} {names[kind]}" for kind in names if counts[kind])
    return f"{parts} in {len(catalog.blobs())} blobs, {readable(catalog.size)}"
