"""The site file of an archive: with it, a build takes everything from the archive's server and asks
nobody else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from bakestone.clients.site.site import Site
from bakestone.files import write_text
from bakestone.jobs.archive.catalog import IMAGE, PART, WHEEL, Catalog
from bakestone.jobs.archive.serve.routes import spelled

NAME = "site.yaml"
_HEADER = "# Everything from an archive. Written by `bakestone archive serve`; edits are lost.\n"


def texts(catalog: Catalog, site: Site, images: str, steps: str) -> dict[str, str]:
    """WantedFile name -> text. `images` is HOST:PORT for base images, which the engine pulls;

    `steps` for what build steps fetch.

    What does not come from outside (registry, builder, CA bundle) is kept of the present site.
    """
    hosts = sorted(
        {entry.name.partition("/")[0] for entry in catalog.entries if entry.kind == IMAGE}
    )
    origins = sorted(
        {_origin(entry.name) for entry in catalog.entries if entry.kind not in (IMAGE, PART, WHEEL)}
    )
    data: dict[str, Any] = {"version": 1}
    if site.registry:
        data["registry"] = site.registry
    if site.insecure:
        data["insecure"] = list(site.insecure)
    data["mirrors"] = {
        "registries": {host: f"{images}/{spelled(host)}" for host in hosts},
        "urls": {
            f"{scheme}://{host}/": f"http://{steps}/url/{scheme}/{spelled(host)}/"
            for scheme, host in origins
        },
    }
    if "ca" in site.files:
        data["ca"] = str(site.files["ca"])
    data |= {"pip": "pip.conf", "apt": "apt.conf"}
    if site.builder:
        data["builder"] = site.builder
    host = steps.rpartition(":")[0]
    return {
        # as the proxy for http, the archive gives apt's own sources back, signatures and all; they
        # are as old as the archive
        "apt.conf": (
            f'Acquire::http::Proxy "http://{steps}/";\nAcquire::Check-Valid-Until "false";\n'
        ),
        "pip.conf": f"[global]\nindex-url = http://{steps}/simple/\ntrusted-host = {host}\n",
        NAME: _HEADER + yaml.safe_dump(data, sort_keys=False),
    }


def write(folder: Path, catalog: Catalog, site: Site, images: str, steps: str) -> Path:
    """Write the files. Gives the path of the site file.

    Raises `BakestoneError` (exit 3) when the folder cannot be written.
    """
    for name, text in texts(catalog, site, images, steps).items():
        write_text(folder / name, text)
    return folder / NAME


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc
