"""The site file of an archive: with it, a build takes everything from the archive's server and asks
nobody else.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import yaml

from bakestone.clients.site.site import Site
from bakestone.files import write_text
from bakestone.jobs.archive.catalog import IMAGE, PART, WHEEL, Catalog
from bakestone.jobs.archive.serve.routes import spelled

NAME = "site.yaml"
_HEADER = "# Everything from an archive. Written by `bakestone archive serve`; edits are lost.\n"


def write(folder: Path, catalog: Catalog, site: Site, images: str, steps: str) -> Path:
    """Write the site file and what it names; gives its path. `images` is HOST:PORT for base images,
    which the engine pulls, `steps` for what build steps fetch.

    What does not come from outside (registry, builder, CA bundle) is kept of the present site.
    Raises `BakestoneError` (exit 3) when the folder cannot be written.
    """
    hosts = {entry.name.partition("/")[0] for entry in catalog.entries if entry.kind == IMAGE}
    by_url = (e for e in catalog.entries if e.kind not in (IMAGE, PART, WHEEL))
    origins = {urlsplit(entry.name)[:2] for entry in by_url}
    urls = {
        f"{scheme}://{host}/": f"http://{steps}/url/{scheme}/{spelled(host)}/"
        for scheme, host in sorted(origins)
    }
    registries = {host: f"{images}/{spelled(host)}" for host in sorted(hosts)}
    data = {
        "version": 1,
        "registry": site.registry,
        "insecure": list(site.insecure),
        "mirrors": {"registries": registries, "urls": urls},
        "ca": str(site.files.get("ca", "")),
        "pip": "pip.conf",
        "apt": "apt.conf",
        "builder": site.builder,
    }
    said = {key: value for key, value in data.items() if value}
    host = steps.rpartition(":")[0]
    texts = {
        # as the proxy for http, the archive gives apt's own sources back, signatures and all; they
        # are as old as the archive
        "apt.conf": (
            f'Acquire::http::Proxy "http://{steps}/";\nAcquire::Check-Valid-Until "false";\n'
        ),
        "pip.conf": f"[global]\nindex-url = http://{steps}/simple/\ntrusted-host = {host}\n",
        NAME: _HEADER + yaml.safe_dump(said, sort_keys=False),
    }
    for name, text in texts.items():
        write_text(folder / name, text)
    return folder / NAME
