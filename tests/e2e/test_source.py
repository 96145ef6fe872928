"""Open MPI and git from source, as whole images.

The sources are the upstream ones that Debian's archive carries. They are packed anew, so their
checksums are not the library's: a team's overlay states them, for the vendors' own URLs, and a
mirror of the site serves the files.
"""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.e2e import components
from tests.e2e.engine import Engine
from tests.e2e.fileserver import FileServer
from tests.e2e.workspace import Workspace

GIT, OPENMPI4, OPENMPI5, UCX = "2.39.5", "4.1.4", "5.0.7", "1.13.1"
TARBALLS = {
    ("git", GIT): f"git-{GIT}.tar.gz",
    ("openmpi", OPENMPI4): f"openmpi-{OPENMPI4}.tar.bz2",
    ("openmpi", OPENMPI5): f"openmpi-{OPENMPI5}.tar.bz2",
    ("ucx", UCX): f"ucx-{UCX}.tar.gz",
}

# apt fetches the sources of two of Debian's releases, with its own checks. UCX's is of its
# repository, without the
# generated files that its release tarballs have: they are made as the project makes them.
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
for package in git/bookworm openmpi/bookworm openmpi/trixie ucx/bookworm; do
  apt-get -q source --download-only "$package"
done
xz -dc git_*.orig.tar.xz | gzip -n1 >/out/git-{git}.tar.gz
for version in {openmpi4} {openmpi5}; do
  xz -dc "openmpi_$version.orig.tar.xz" | bzip2 -1 >"/out/openmpi-$version.tar.bz2"
done
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


@pytest.fixture(scope="module")
def tarballs(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """File name -> upstream's sources, from Debian's archive."""
    folder = tmp_path_factory.mktemp("tarballs")
    base = f"{engine.mirror or 'docker.io/library'}/debian:12"
    text = FETCH.format(base=base, git=GIT, openmpi4=OPENMPI4, openmpi5=OPENMPI5, ucx=UCX)
    engine.docker("build", "--output", f"type=local,dest={folder}", "-", stdin=text)
    return {name: (folder / name).read_bytes() for name in TARBALLS.values()}


def test_git_becomes_an_image_from_source(
    workspace: Workspace, vendor: FileServer, engine: Engine, tarballs: dict[str, bytes]
) -> None:
    workspace.site(urls=_overlays(workspace, vendor, tarballs))
    axes = {"distro": ["debian@12"], "git": [GIT]}
    workspace.images(
        {"name": "git", "axes": axes, "methods": {"git": "source"}, "name_slots": ["git", "distro"]}
    )
    workspace.lock_and_generate()
    assert vendor.url not in "".join(workspace.generated().values()), (
        "a mirror changes no Dockerfile"
    )
    workspace.bakestone("build", "--push")
    (image,) = workspace.release()["images"]
    assert image["inventory"]["components"]["git"]["measured"] == {"version": GIT}
    said = engine.run(
        f"{image['repository']}:{image['tag']}", "command -v git; git --version"
    ).split("\n")
    assert said[:2] == ["/usr/local/git/bin/git", f"git version {GIT}"]


def test_open_mpi_becomes_an_image_from_source(
    workspace: Workspace, vendor: FileServer, engine: Engine, tarballs: dict[str, bytes]
) -> None:
    workspace.site(urls=_overlays(workspace, vendor, tarballs))
    workspace.images(
        {
            "name": "mpi",
            "axes": {"distro": ["debian@12"], "mpi": [f"openmpi@{OPENMPI5}"]},
            "methods": {"openmpi": "source"},
        }
    )
    workspace.lock_and_generate()
    workspace.bakestone("build", "--push")

    (image,) = workspace.release()["images"]
    assert _mpi(image["inventory"]["components"]) == {
        "version": OPENMPI5,
        "ranks": "2",
        "ucx": "no",
        "cuda": "no",
    }
    assert (
        engine.run(f"{image['repository']}:{image['tag']}", "command -v mpirun").strip()
        == "/opt/openmpi/bin/mpirun"
    )


def _mpi(components: dict[str, Any]) -> dict[str, str]:
    measured: dict[str, str] = components["mpi"]["measured"]
    return measured


def _overlays(
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
