"""CUDA, cuDNN and NCCL from a vendor's package repository: a small signed stand-in of NVIDIA's,
with the library's own pins and templates.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bakestone.jobs.archive.catalog import Catalog
from bakestone.jobs.archive.layout import ArchiveLayout
from bakestone.jobs.archive.serve.routes import Routes
from tests.e2e import components
from tests.e2e.engine import CA, Engine
from tests.e2e.fileserver import FileServer, at_gateway
from tests.e2e.workspace import MakeWorkspace, Workspace

NVIDIA = "https://developer.download.nvidia.com/compute/cuda/repos/"
HERE, KEY = "debian12/x86_64", "3bf863cc.pub"
VERSIONS = {"cuda": "12.3.2", "cudnn": "9.0.0.312", "nccl": "2.20.3"}
IMAGE = "cuda12.3.2-cudnn9-debian12"
FORGET = 15
"""Seconds after which BuildKit asks again for a file that a build before this one fetched: it keeps
a finished build's steps for ten.
"""
COMPILER = "cuda-nvcc-12-3"
"""What one of the packages asks for without naming a version: the lock does."""

_DOCKERFILE = r"""
FROM {debian} AS tools
RUN --mount=type=secret,id=ca <<'EOF'
set -eu
export DEBIAN_FRONTEND=noninteractive
set -- -qq -o Acquire::Retries=3 -o Dpkg::Use-Pty=0
if [ -f /run/secrets/ca ]; then set -- "$@" -o Acquire::https::CaInfo=/run/secrets/ca; fi
apt-get "$@" update
apt-get "$@" install --yes --no-install-recommends apt-utils gcc gpg gpg-agent libc6-dev
rm -rf /var/lib/apt/lists/*
EOF

FROM tools AS packages
COPY <<'EOF' /files/cuda-nvcc-12-3/usr/local/cuda-12.3/bin/nvcc
#!/bin/sh
# A stand-in for nvcc: does what the inventory asks for, and no more.
case " $* " in
  *" --version "*) echo "Cuda compilation tools, release 12.3, V12.3.107" ;;
  *" -lcublas "*) exit 1 ;;
  *" -cubin "*)
    printf '\177ELF bakestone_scale' > kernel.cubin
    echo "ptxas info    : Compiling entry function 'bakestone_scale' for 'sm_52'"
    ;;
  *)
    printf '#!/bin/sh\n: nv_fatbin\necho 12.3\n' > kernel
    chmod 755 kernel
    ;;
esac
EOF
COPY <<'EOF' /src/libcudnn.so.9.c
unsigned long cudnnGetVersion(void) {{ return 90000; }}
EOF
COPY <<'EOF' /src/libnccl.so.2.c
int ncclGetVersion(int *version) {{ *version = 22003; return 0; }}
EOF
RUN <<'EOF'
set -eu
library() {{
  mkdir -p "/files/$2/usr/lib/x86_64-linux-gnu"
  gcc -shared -fPIC -Wl,-soname,"$1" "/src/$1.c" -o "/files/$2/usr/lib/x86_64-linux-gnu/$1"
}}
package() {{
  mkdir -p "/files/$1/DEBIAN"
  {{
    printf 'Package: %s\nVersion: %s\nArchitecture: amd64\n' "$1" "$2"
    printf 'Maintainer: A stand-in <key@vendor.test>\nDescription: A stand-in\n'
    if [ -n "${{3:-}}" ]; then echo "Depends: $3"; fi
  }} > "/files/$1/DEBIAN/control"
  deb="/out/1/$1_$(echo "$2" | tr + -)_amd64.deb"
  dpkg-deb --build --root-owner-group -Zgzip "/files/$1" "$deb" >/dev/null
}}
sign() {{
  (
    cd "/out/$1"
    apt-ftparchive packages . > Packages
    gzip -kn Packages
    apt-ftparchive release . > Release
  )
  gpg --batch --quiet --local-user "$2" --clearsign --output "/out/$1/InRelease" "/out/$1/Release"
  gpg --batch --armor --export "$2" > "/out/$1/{key}"
  gpg --batch --with-colons --list-keys "$2" |
    sed -n 's/^fpr:*\([0-9A-F]*\):/\1/p' > "/out/$1/fingerprint"
}}
chmod 755 /files/*/usr/local/cuda-12.3/bin/nvcc
mkdir -p /files/cuda-nvcc-12-3/usr/local/cuda-12.3/lib64/stubs /out/1
library libcudnn.so.9 libcudnn9-cuda-12
library libnccl.so.2 libnccl2
{packages}
cp -r /out/1 /out/2
for name in first second; do
  user="$name <$name@vendor.test>"
  gpg --batch --quiet --passphrase '' --quick-generate-key "$user" rsa2048 sign never
done
sign 1 first@vendor.test
sign 2 second@vendor.test
EOF

FROM scratch
COPY --from=packages /out/ /
"""


@pytest.fixture(scope="module")
def nvidia(engine: Engine) -> Iterator[FileServer]:
    """Stands in for NVIDIA's server."""
    with at_gateway(engine) as server:
        yield server


@pytest.fixture(scope="module")
def repositories(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two repositories of the same packages, 1/ and 2/, each signed with a key of its own.

    Every package is there twice: as pinned, and newer.
    """
    folder = tmp_path_factory.mktemp("repositories")
    pinned = [*sorted(_pins().items()), (COMPILER, "12.3.107-1")]
    lines = []
    for name, version in pinned:
        depends = f"'{COMPILER} (>= 12.3)'" if name == "cuda-minimal-build-12-3" else ""
        newer = [] if name == COMPILER else [f"package {name} 99.0-1"]
        lines += [f"package {name} {version} {depends}", *newer]
    text = _DOCKERFILE.format(
        debian=f"{engine.mirror or 'docker.io/library'}/debian:12",
        key=KEY,
        packages="\n".join(lines),
    )
    secrets = ["--secret", f"id=ca,src={CA}"] if CA.is_file() else []
    engine.docker(
        "buildx",
        "build",
        *secrets,
        "--platform",
        "linux/amd64",
        "--output",
        f"type=local,dest={folder}",
        "-",
        stdin=text,
    )
    return folder


@pytest.fixture(scope="module")
def lock(make: MakeWorkspace, nvidia: FileServer, repositories: Path) -> bytes:
    """The project's lock, resolved once."""
    workspace = _project(make("vendor-apt-lock"), nvidia, repositories)
    workspace.bakestone("lock")
    return workspace.lock.read_bytes()


@pytest.fixture
def project(workspace: Workspace, nvidia: FileServer, repositories: Path) -> Workspace:
    """The library's CUDA, cuDNN and NCCL for Debian 12 as well, with the stand-in's key; its first
    repository is served.
    """
    return _project(workspace, nvidia, repositories)


@pytest.fixture
def pinned(project: Workspace, lock: bytes) -> Workspace:
    """The same, locked and generated."""
    project.lock.write_bytes(lock)
    project.lock_and_generate()  # what is in the lock is kept
    return project


def _project(workspace: Workspace, nvidia: FileServer, repositories: Path) -> Workspace:
    _serve(nvidia, repositories / "1")
    workspace.site(urls={NVIDIA: nvidia.url})
    axes = {"distro": ["debian@12"], "gpu": [VERSIONS]}
    workspace.images(
        {
            "name": "gpu",
            "axes": axes,
            "methods": dict.fromkeys(VERSIONS, "apt"),
            "accept": ["nvidia-eula"],
        }
    )
    _for_debian(workspace, _fingerprint(repositories / "1"))
    return workspace


def test_exactly_the_pinned_packages_are_installed_and_no_repository_stays(
    pinned: Workspace, engine: Engine, nvidia: FileServer
) -> None:
    pinned.bakestone("build", "--push", "--only-locked")
    (image,) = pinned.release()["images"]
    measured = {
        slot: c["measured"]["version"]
        for slot, c in image["inventory"]["components"].items()
        if slot in VERSIONS
    }
    assert measured == {"cuda": "12.3", "cudnn": "9.0.0.312", "nccl": "2.20.3"}
    name = f"{pinned.registry}/gpu:{IMAGE}"
    listed = engine.run(
        name,
        "dpkg-query --show --showformat '${Package}=${Version} ${Maintainer}\\n' | grep 'A"
        " stand-in' | cut -d ' ' -f 1",
    )
    assert set(listed.split()) == {f"{n}={v}" for n, v in _pins().items()} | {
        f"{COMPILER}=12.3.107-1"
    }
    left = engine.run(
        name,
        "grep -rl -e nvidia -e =/keyrings/ /etc/apt || true; ls -A /keyrings /tmp/vendor"
        " /var/lib/apt/lists 2>&1 || true",
        "--user",
        "0",
    )
    assert "sources" not in left
    assert left.count("No such file or directory") == 2
    assert engine.run(name, "readlink /usr/local/cuda; command -v nvcc").split() == [
        "cuda-12.3",
        "/usr/local/cuda-12.3/bin/nvcc",
    ]
    assert nvidia.url not in "".join(pinned.generated().values()), "a mirror changes no Dockerfile"
    assert f"{NVIDIA}{HERE} /" in "".join(pinned.generated().values())


def test_a_lock_is_refused_where_the_key_is_not_the_library_s(
    project: Workspace, repositories: Path
) -> None:
    theirs = "EB693B3035CD5710E231E123A4B469963BF863CC"
    _for_debian(project, theirs)
    said = project.bakestone("lock", code=1)
    assert f"keyring nvidia-debian12: expected the key {theirs}, the file has:" in said.err
    assert _fingerprint(repositories / "1") in said.err


def test_a_build_stops_where_another_key_is_served(
    pinned: Workspace, repositories: Path, nvidia: FileServer
) -> None:
    time.sleep(FORGET)
    _serve(nvidia, repositories / "2")
    # a lock that was made when the key's server did not answer, so that gpg is who tells: a file
    # with a checksum is taken from the cache, or refused by its checksum
    locked = pinned.lock.read_text("utf-8")
    begin, keyrings, end = locked.partition("\nkeyrings:\n")
    assert keyrings
    end = re.sub(r"^    sha256: .*\n", "", end, flags=re.MULTILINE)
    pinned.lock.write_text(f"{begin}{keyrings}{end}", "utf-8")
    pinned.bakestone("generate")
    said = pinned.bakestone("build", "--push", code=1)
    assert "the stage keyrings failed" in said.err
    assert (
        f"keyring nvidia-debian12: expected the key {_fingerprint(repositories / '1')}, the file"
        " has:" in said.err
    )
    assert _fingerprint(repositories / "2") in said.err
    assert pinned.repository("gpu").tags == set()


def test_a_repository_signed_with_another_key_is_refused(
    project: Workspace, repositories: Path, nvidia: FileServer
) -> None:
    _serve(nvidia, repositories / "2")
    nvidia.files[f"/{HERE}/{KEY}"] = (repositories / "1" / KEY).read_bytes()
    said = project.bakestone("lock", code=1)
    assert "NO_PUBKEY" in said.err
    assert _fingerprint(repositories / "2")[-16:] in said.err


def test_doctor_tells_another_key_and_a_package_that_the_vendor_took_away(
    pinned: Workspace, repositories: Path, nvidia: FileServer
) -> None:
    assert json.loads(pinned.bakestone("doctor", "--format", "json").out)["problems"] == []
    _serve(nvidia, repositories / "2")
    listed = (repositories / "2" / "Packages").read_text("utf-8")
    name, version = next(iter(sorted(_pins().items())))
    paragraphs = [
        p
        for p in listed.split("\n\n")
        if not {f"Package: {name}", f"Version: {version}"} <= set(p.splitlines())
    ]
    nvidia.files = {k: v for k, v in nvidia.files.items() if not k.endswith("Packages.gz")}
    nvidia.files[f"/{HERE}/Packages"] = "\n\n".join(paragraphs).encode()
    told = json.loads(pinned.bakestone("doctor", "--format", "json", code=1).out)
    assert [(row["kind"], row["variants"]) for row in told["problems"]] == [
        ("package", [IMAGE]),
        ("key", [IMAGE]),
    ]
    package, key = told["problems"]
    assert package["items"] == [f"{name}={version}"]
    assert _fingerprint(repositories / "2") in key["why"]
    assert _fingerprint(repositories / "1") in key["why"]


def test_an_archive_answers_for_the_vendor_with_what_the_vendor_gave(
    pinned: Workspace, nvidia: FileServer
) -> None:
    pinned.bakestone("archive", "create", "archive")
    _check_archive(ArchiveLayout(pinned.folder / "archive").catalog(), nvidia)


def _check_archive(catalog: Catalog, nvidia: FileServer) -> None:
    """Every file of the vendor that a build asks for is in it, under the vendor's own URL, with the
    bytes that the vendor has.
    """
    urls = [entry.name for entry in catalog.entries if entry.name.startswith(NVIDIA)]
    assert {url.rpartition("/")[2] for url in urls} >= {KEY, "InRelease", "Packages.gz"}
    assert {url.rpartition("/")[2].partition("_")[0] for url in urls if url.endswith(".deb")} == {
        *_pins(),
        COMPILER,
    }
    for url in urls:
        answer = Routes(catalog).find(f"/url/{url.replace('://', '/')}")
        assert answer is not None, url
        assert (
            answer.digest
            == f"sha256:{components.digest(nvidia.files['/' + url.removeprefix(NVIDIA)])}"
        ), url


def _pins() -> dict[str, str]:
    """Package -> version of what the library has for Ubuntu 22.04."""
    return {
        name: version
        for component in VERSIONS
        for entry in _entries(component)
        for name, version in entry["install"].items()
    }


def _entries(component: str) -> list[dict[str, Any]]:
    known = yaml.safe_load((components.LIBRARY / component / "versions.yaml").read_text("utf-8"))[
        "versions"
    ][VERSIONS[component]]
    return [
        e
        for e in known["methods"]["apt"]["packages"]
        if e["when"]["distro"] == "ubuntu@22.04" and e.get("platform") != "linux/arm64"
    ]


def _for_debian(workspace: Workspace, fingerprint: str) -> None:
    """A team's copies of the three components, whose packages for Ubuntu 22.04 are for Debian 12
    and come from one repository with this key.
    """
    address = f"{NVIDIA}{HERE}"
    repository = {
        "line": f"{address} /",
        "key": {"url": f"{address}/{KEY}", "fingerprint": fingerprint},
    }
    for component, version in VERSIONS.items():
        folder = workspace.components / component
        known = (
            yaml.safe_load((folder / "versions.yaml").read_text("utf-8"))
            if folder.exists()
            else components.copy_component(component, workspace.components)
        )
        entries = [
            {
                "when": {"distro": "debian@12"},
                "repositories": ["nvidia-debian12"],
                "install": e["install"],
            }
            for e in _entries(component)
        ]
        known["versions"] = {
            version: known["versions"][version] | {"methods": {"apt": {"packages": entries}}}
        }
        components.write_versions(component, workspace.components, known)
        about = yaml.safe_load((folder / "component.yaml").read_text("utf-8"))
        (folder / "component.yaml").write_text(
            yaml.safe_dump(
                about | {"repositories": {"nvidia-debian12": repository}}, sort_keys=False
            ),
            "utf-8",
        )


def _serve(server: FileServer, repository: Path) -> None:
    """Packages are asked for with the ./ that stands in their list, as in NVIDIA's."""
    files = {p: p.read_bytes() for p in repository.iterdir()}
    server.files = {
        f"/{HERE}/{'./' if p.suffix == '.deb' else ''}{p.name}": content
        for p, content in files.items()
    }


def _fingerprint(repository: Path) -> str:
    return (repository / "fingerprint").read_text("utf-8").strip()
