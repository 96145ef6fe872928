"""Open MPI, UCX and git from source, as whole images.

The sources are the upstream ones that Debian's archive carries. They are packed anew, so their checksums are not the
library's: a team's overlay states them, for the vendors' own URLs, and a mirror of the site serves the files.
"""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from . import parts
from .engine import Engine
from .fileserver import FileServer
from .workspace import Workspace

GIT, OPENMPI4, OPENMPI5, UCX = "2.39.5", "4.1.4", "5.0.7", "1.13.1"
TARBALLS = {
    ("git", GIT): f"git-{GIT}.tar.gz",
    ("openmpi", OPENMPI4): f"openmpi-{OPENMPI4}.tar.bz2",
    ("openmpi", OPENMPI5): f"openmpi-{OPENMPI5}.tar.bz2",
    ("ucx", UCX): f"ucx-{UCX}.tar.gz",
}
CUDA, UCX_WHEEL = "13.0.2", "1.20.1"
WITH_UCX = f"openmpi{OPENMPI4}-debian12-ucx{UCX}"
WITH_CUDA = f"openmpi{OPENMPI5}-cuda{CUDA}-debian12-ucx{UCX_WHEEL}"

# apt fetches the sources of two of Debian's releases, with its own checks. UCX's is of its repository, without the
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
tar --sort=name --mtime=@315532800 --owner=0 --group=0 --numeric-owner -c ucx-{ucx} | gzip -n1 >/out/ucx-{ucx}.tar.gz
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


def test_sources_become_images_with_ucx_and_with_cuda(workspace: Workspace, vendor: FileServer, engine: Engine, tarballs: dict[str, bytes]) -> None:
    urls = _overlays(workspace, vendor, tarballs)
    workspace.site(urls=urls)
    workspace.images(_with_ucx(), _with_cuda())
    workspace.lock_and_generate()
    assert vendor.url not in "".join(workspace.generated().values()), "a mirror changes no Dockerfile"
    workspace.bakestone("build", "--push")

    measured = {image["name"]: image["inventory"]["components"] for image in workspace.release()["images"]}
    assert set(measured) == {WITH_UCX, WITH_CUDA}
    assert measured[WITH_UCX]["git"]["measured"] == {"version": GIT}
    assert _mpi(measured[WITH_UCX]) == {"version": OPENMPI4, "ranks": "2", "ucx": "yes", "cuda": "no"}
    assert _mpi(measured[WITH_CUDA]) == {"version": OPENMPI5, "ranks": "2", "ucx": "yes", "cuda": "yes"}
    from_source, from_wheel = (measured[name]["ucx"]["measured"] for name in (WITH_UCX, WITH_CUDA))
    assert (from_source["version"], from_source["cuda"], from_source["verbs"]) == (UCX, "no", "yes")
    assert (from_wheel["version"], from_wheel["cuda"], from_wheel["verbs"]) == (UCX_WHEEL, "yes", "no")

    image = f"{workspace.registry}/ucx:{WITH_UCX}"
    assert engine.run(image, "command -v git mpirun; git --version").split("\n")[:3] == [
        "/usr/local/git/bin/git", "/opt/openmpi/bin/mpirun", f"git version {GIT}",
    ]  # fmt: skip


def _mpi(components: dict[str, Any]) -> dict[str, str]:
    measured: dict[str, str] = components["mpi"]["measured"]
    return measured


def _overlays(workspace: Workspace, vendor: FileServer, tarballs: dict[str, bytes]) -> dict[str, str]:
    """components/*/versions.yaml with the tarballs' checksums for the library's URLs, and the mirrors of those URLs."""
    urls = {}
    for component in sorted({name for name, _ in TARBALLS}):
        versions: dict[str, Any] = {}
        for (name, version), filename in TARBALLS.items():
            if name == component:
                url = _library_url(name, version)
                assert url.endswith(f"/{filename}")
                versions[version] = {"methods": {"source": {"artifacts": [{"url": url, "sha256": parts.digest(tarballs[filename])}]}}}
                vendor.files[f"/{filename}"] = tarballs[filename]
                urls[url.rpartition("/")[0] + "/"] = vendor.url
        (workspace.components / component).mkdir(parents=True)
        parts.write_versions(component, workspace.components, {"versions": versions})
    return urls


def _library_url(component: str, version: str) -> str:
    known = yaml.safe_load((parts.LIBRARY / component / "versions.yaml").read_text("utf-8"))
    (artifact,) = known["versions"][version]["methods"]["source"]["artifacts"]
    url: str = artifact["url"]
    return url


def _with_ucx() -> dict[str, Any]:
    axes = {"distro": ["debian@12"], "mpi": [f"openmpi@{OPENMPI4}"], "ucx": [UCX], "git": [GIT]}
    return {"name": "ucx", "axes": axes, "methods": {"git": "source"}}


def _with_cuda() -> dict[str, Any]:
    axes = {"distro": ["debian@12"], "mpi": [f"openmpi@{OPENMPI5}"], "cuda": [CUDA], "ucx": [UCX_WHEEL]}
    return {"name": "cuda", "axes": axes, "methods": {"ucx": "wheel"}}
