"""`bakestone base`: a base image from a distro's package archive. Parse, call, print."""

from __future__ import annotations

from pathlib import Path

import click

from bakestone.cli.options import examples, matrix_option, site_option


@click.command(
    short_help="Make a base image from the distro's packages.",
    epilog=examples(
        "bakestone base debian@12",
        "bakestone base debian@13 --to registry.example.com/hub/library/debian",
        "bakestone base debian@12 --platform linux/amd64,linux/arm64",
    ),
)
@click.argument("distro", metavar="DISTRO@VERSION")
@click.option(
    "--platform",
    "platforms",
    default="",
    metavar="OS/ARCH[,...]",
    help=(
        "Several make one tag for all of them; another one alone makes TAG-ARCH.  [default: this"
        " machine's]"
    ),
)
@click.option(
    "--to",
    default="",
    metavar="HOST/REPOSITORY[:TAG]",
    help=(
        "Without a tag: both version and codename.  [default: where the site's mirror has it, else"
        " mirror/library/debian in the engine's registry]"
    ),
)
@click.option("--force", is_flag=True, help="Make it again, and move the tag.")
@click.option(
    "--keep",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="TARBALL",
    help="Keep the root file system here, of one platform.",
)
@click.option(
    "--epoch",
    type=click.IntRange(0),
    envvar="SOURCE_DATE_EPOCH",
    metavar="SECONDS",
    help=(
        "The time that no file is newer than. Also SOURCE_DATE_EPOCH.  [default: the newest date of"
        " the mirror's suites]"
    ),
)
@click.option(
    "--mirror",
    default="",
    metavar="URL",
    help="The package archive.  [default: this machine's apt's]",
)
@click.option(
    "--security-mirror",
    default="",
    metavar="URL",
    help="Its security updates.  [default: this machine's apt's, or none with --mirror]",
)
@matrix_option
@site_option
def base(
    distro: str,
    platforms: str,
    to: str,
    force: bool,
    keep: Path | None,
    epoch: int | None,
    mirror: str,
    security_mirror: str,
    matrix_path: Path,
    site_path: Path | None,
) -> None:
    """Make the base image of DISTRO from its package archive with mmdebstrap, and push it: for
    places that reach packages but no image registry.

    A tag that is there is left alone. As long as the archive does not change, the digest stays
    the same. The last line is the image with its digest.
    """
    from bakestone.clients.registry.client import Registry
    from bakestone.clients.site import site
    from bakestone.core.library.catalog import Library
    from bakestone.jobs.base import machine, make

    what = make.release(distro, Library.beside(matrix_path.resolve().parent))
    names = platforms.split(",") if platforms else [f"linux/{machine.NATIVE}"]
    wish = make.BaseWish(
        tuple(dict.fromkeys(make.architecture(name) for name in names)),
        to,
        mirror,
        security_mirror,
        epoch,
        force,
        keep,
    )
    click.echo(
        make.make(
            what, wish, Registry(site.load(site_path)), lambda text: click.echo(text, err=True)
        )
    )
