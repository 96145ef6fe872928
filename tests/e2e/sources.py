"""Upstream sources that Debian's archive carries, for components that are built from source.

They are packed anew, so their checksums are not the library's: a team's overlay states them, for
the vendors' own URLs, and a mirror of the site serves the files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.e2e import components
from tests.e2e.engine import Engine
from tests.e2e.fileserver import FileServer
from tests.e2e.workspace import Workspace

GIT, OPENMPI4, OPENMPI5, UCX = "2.39.5", "4.1.4", "5.0.7", "1.13.1"
MPICH, PMIX, LIBFABRIC = "4.0.2", "5.0.5", "2.1.0"
TARBALLS = {
    ("git", GIT): f"git-{GIT}.tar.gz",
    ("openmpi", OPENMPI4): f"openmpi-{OPENMPI4}.tar.bz2",
    ("openmpi", OPENMPI5): f"openmpi-{OPENMPI5}.tar.bz2",
    ("ucx", UCX): f"ucx-{UCX}.tar.gz",
    ("mpich", MPICH): f"mpich-{MPICH}.tar.gz",
    ("pmix", PMIX): f"pmix-{PMIX}.tar.bz2",
    ("libfabric", LIBFABRIC): f"libfabric-{LIBFABRIC}.tar.bz2",
}

# apt fetches the sources of two of Debian's releases, with its own checks. UCX's and libfabric's
# are of their repositories, without the generated files that release tarballs have: they are made
# as the projects make them. PMIx is the release that Open MPI 5.0.7 brings along, whole.
FETCH = """\
FROM {base} AS fetch
RUN <<'EOF'
set -eu
cd /etc/apt/sources.list.d
sed 's/^Types: .*/Types: deb-src/' debian.sources >sources.sources
sed -e 's/bookworm/trixie/g' sources.sources >newer.sources
apt-get -q update
apt-get -q install -y --no-install-recommends autoconf automake bzip2 dpkg-dev libtool perl xz-utils
mkdir /src /out
cd /src
for package in git/bookworm openmpi/bookworm openmpi/trixie ucx/bookworm mpich/bookworm; do
  apt-get -q source --download-only "$package"
done
apt-get -q source --download-only --tar-only libfabric/trixie
xz -dc git_*.orig.tar.xz | gzip -n1 >/out/git-{git}.tar.gz
for version in {openmpi4} {openmpi5}; do
  xz -dc "openmpi_$version.orig.tar.xz" | bzip2 -1 >"/out/openmpi-$version.tar.bz2"
done
xz -dc mpich_*.orig.tar.xz | gzip -n1 >/out/mpich-{mpich}.tar.gz
tar -xf openmpi_{openmpi5}.orig.tar.xz openmpi-{openmpi5}/3rd-party/openpmix
mv openmpi-{openmpi5}/3rd-party/openpmix pmix-{pmix}
tar --sort=name --mtime=@315532800 --owner=0 --group=0 --numeric-owner -c pmix-{pmix} |
  bzip2 -1 >/out/pmix-{pmix}.tar.bz2
tar -xf libfabric_{libfabric}.orig.tar.xz
(cd libfabric-{libfabric} && ./autogen.sh)
tar --sort=name --mtime=@315532800 --owner=0 --group=0 --numeric-owner -c libfabric-{libfabric} |
  bzip2 -1 >/out/libfabric-{libfabric}.tar.bz2
tar -xf ucx_*.orig.tar.xz
cd ucx-{ucx}
tar -xf ../ucx_*.debian.tar.xz
echo 13 >debian/compat
./autogen.sh
cd ..
tar --sort=name --mtime=@315532800 --owner=0 --group=0 --numeric-owner -c ucx-{ucx} |
  gzip -n1 >/out/ucx-{ucx}.tar.gz
EOF

FROM scratch
COPY --from=fetch /out/ /
"""


def fetch(engine: Engine, folder: Path) -> dict[str, bytes]:
    """File name -> upstream's sources, from Debian's archive."""
    base = f"{engine.mirror or 'docker.io/library'}/debian:12"
    versions = {"git": GIT, "openmpi4": OPENMPI4, "openmpi5": OPENMPI5, "ucx": UCX}
    text = FETCH.format(base=base, **versions, mpich=MPICH, pmix=PMIX, libfabric=LIBFABRIC)
    engine.docker("build", "--output", f"type=local,dest={folder}", "-", stdin=text)
    return {name: (folder / name).read_bytes() for name in TARBALLS.values()}


def overlays(
    workspace: Workspace, vendor: FileServer, tarballs: dict[str, bytes]
) -> dict[str, str]:
    """components/*/versions.yaml with the tarballs' checksums for the library's URLs, and the
    mirrors of those URLs.
    """
    urls = {}
    for component in sorted({name for name, _ in TARBALLS}):
        versions: dict[str, Any] = {}
        for (name, version), filename in TARBALLS.items():
            if name == component:
                url = _library_url(name, version)
                assert url.endswith(f"/{filename}")
                versions[version] = {
                    "methods": {
                        "source": {
                            "artifacts": [
                                {"url": url, "sha256": components.digest(tarballs[filename])}
                            ]
                        }
                    }
                }
                vendor.files[f"/{filename}"] = tarballs[filename]
                urls[url.rpartition("/")[0] + "/"] = vendor.url
        (workspace.components / component).mkdir(parents=True)
        components.write_versions(component, workspace.components, {"versions": versions})
    return urls


def _library_url(component: str, version: str) -> str:
    known = yaml.safe_load((components.LIBRARY / component / "versions.yaml").read_text("utf-8"))
    (artifact,) = known["versions"][version]["methods"]["source"]["artifacts"]
    url: str = artifact["url"]
    return url
