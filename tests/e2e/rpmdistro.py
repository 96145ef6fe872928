"""A small stand-in for Rocky Linux:

Debian with the real dnf and rpm, and a package repository of a few signed stand-ins.

The repository files and the release package have the real ones' form. What they name is served by a
server of the test.
"""

from __future__ import annotations

import re
import secrets
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from tests.e2e import components
from tests.e2e.engine import CA, Engine
from tests.e2e.fileserver import FileServer
from tests.e2e.workspace import Workspace

SERVER = "http://dl.rockylinux.org/"
"""What the repository file's commented baseurl begins with; only a mirror can serve it here."""
PLACE = "pub/rocky/9/BaseOS/x86_64/os/"
"""Where the repository is below it: $contentdir/$releasever/BaseOS/$basearch/os/."""

_DOCKERFILE = r"""
FROM {debian} AS tools
RUN --mount=type=secret,id=ca <<'EOF'
set -eu
export DEBIAN_FRONTEND=noninteractive
set -- -qq -o Acquire::Retries=3 -o Dpkg::Use-Pty=0
if [ -f /run/secrets/ca ]; then set -- "$@" -o Acquire::https::CaInfo=/run/secrets/ca; fi
apt-get "$@" update
apt-get "$@" install --yes --no-install-recommends createrepo-c dnf gcc gpg gpg-agent libc6-dev rpm
rm -rf /var/lib/apt/lists/*
# Debian keeps the database in root's home, so that nobody takes it for its own
mkdir -p /etc/rpm /var/lib/rpm
echo '%_dbpath /var/lib/rpm' > /etc/rpm/macros
EOF

FROM tools AS packages
COPY <<'EOF' /specs/release.spec
Name: rocky-release
Version: 9.8
Release: 1.el9
Summary: A stand-in
License: MIT
BuildArch: noarch
Provides: system-release = 9.8
Provides: system-release(releasever) = 9
%description
A stand-in.
%install
mkdir -p %{{buildroot}}/etc/yum.repos.d %{{buildroot}}/etc/dnf/vars %{{buildroot}}/etc/pki/rpm-gpg
cat > %{{buildroot}}/etc/os-release <<'RELEASE'
ID="rocky"
VERSION_ID="9.8"
PRETTY_NAME="Rocky Linux 9.8, a stand-in"
RELEASE
echo pub/rocky > %{{buildroot}}/etc/dnf/vars/contentdir
cp /key.asc %{{buildroot}}/etc/pki/rpm-gpg/RPM-GPG-KEY-Rocky-9
cat > %{{buildroot}}/etc/yum.repos.d/rocky.repo <<'REPO'
# If the mirrorlist does not work for you, you can try the commented out baseurl line instead.

[baseos]
name=Rocky Linux $releasever - BaseOS
mirrorlist=https://mirrors.rockylinux.org/mirrorlist?arch=$basearch&repo=BaseOS-$releasever$rltype
#baseurl=http://dl.rockylinux.org/$contentdir/$releasever/BaseOS/$basearch/os/
gpgcheck=1
enabled=1
countme=1
metadata_expire=6h
gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-Rocky-9

[baseos-debug]
name=Rocky Linux $releasever - BaseOS - Debug
mirrorlist=https://mirrors.rockylinux.org/mirrorlist?arch=$basearch&repo=BaseOS-$releasever-debug
#baseurl=http://dl.rockylinux.org/$contentdir/$releasever/BaseOS/$basearch/debug/tree/
gpgcheck=1
enabled=0
gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-Rocky-9
REPO
%files
/etc
EOF
COPY <<'EOF' /specs/greet.spec
Name: greet
Epoch: 2
Version: %{{wanted}}
Release: 1.el9
Summary: A stand-in with a dependency and a recommendation
License: MIT
AutoReqProv: no
Requires: libGreet_c++
Recommends: greet-manual
%description
A stand-in.
%install
mkdir -p %{{buildroot}}/usr/bin
printf '#!/bin/sh\necho %{{wanted}}\n' > %{{buildroot}}/usr/bin/greet
chmod 755 %{{buildroot}}/usr/bin/greet
%files
/usr/bin/greet
EOF
COPY <<'EOF' /specs/simple.spec
Name: %{{wanted}}
Version: 1.0^git5
Release: 3.el9_2.1
Summary: A stand-in
License: MIT
BuildArch: noarch
AutoReqProv: no
%description
A stand-in.
%install
mkdir -p %{{buildroot}}/usr/share/stand-ins
echo 'a stand-in' > %{{buildroot}}/usr/share/stand-ins/%{{wanted}}
%files
/usr/share/stand-ins/%{{wanted}}
EOF
COPY <<'EOF' /specs/fuse.spec
Name: fuse
Version: 2.9.9
Release: 17.el9
Summary: A stand-in that says its version
License: MIT
AutoReqProv: no
%description
A stand-in.
%install
mkdir -p %{{buildroot}}/usr/bin
printf '#!/bin/sh\necho fusermount version: 2.9.9\n' > %{{buildroot}}/usr/bin/fusermount
chmod 755 %{{buildroot}}/usr/bin/fusermount
%files
/usr/bin/fusermount
EOF
RUN <<'EOF'
set -eu
# made anew for each run ({run}): a cache that kept one half of an earlier one has another key
name='A stand-in <key@vendor.test>'
gpg --batch --quiet --passphrase '' --quick-generate-key "$name" rsa2048 sign never
gpg --batch --armor --export > /key.asc
printf '%%_gpg_name key@vendor.test\n%%__gpg /usr/bin/gpg\n' >> /etc/rpm/macros
package() {{
  spec=$1 folder=$2
  shift 2
  set -- "$@" --define "_rpmdir $folder" --define '_build_id_links none'
  rpmbuild -bb --quiet "$@" "/specs/$spec.spec"
}}
package release /release
package greet /out/1 --define 'wanted 1.0'
package fuse /out/1
for name in libGreet_c++ greet-manual greet-tools; do
  package simple /out/1 --define "wanted $name"
done
cp -r /out/1 /out/2
package greet /out/2 --define 'wanted 1.1'
find /out /release -name '*.rpm' -exec rpm --addsign {{}} +
createrepo_c --quiet /out/1
createrepo_c --quiet /out/2
cat > /updateinfo.xml <<'XML'
<updates>
  <update from="a stand-in" status="final" type="security" version="1">
    <id>STAND-IN-2026:1</id><title>greet</title>
    <issued date="2026-11-01 00:00:00"/><severity>Important</severity>
    <pkglist><collection short="el9"><name>el9</name>
      <package name="greet" version="1.1" release="1.el9" epoch="2" arch="x86_64">
        <filename>greet-1.1-1.el9.x86_64.rpm</filename>
      </package>
    </collection></pkglist>
  </update>
</updates>
XML
modifyrepo_c --mdtype=updateinfo /updateinfo.xml /out/2/repodata
EOF

FROM scratch AS repositories
COPY --from=packages /out/ /

FROM tools AS distro
RUN --mount=type=bind,from=packages,source=/release,target=/release \
    rpm --install --nodeps /release/*/*.rpm
"""


def make(engine: Engine, tag: str, folder: Path) -> None:
    """Push the distro's base image as `tag`, and write its repository's two states into `folder`,
    as 1/ and 2/.
    """
    debian = f"{engine.mirror or 'docker.io/library'}/debian:12"
    text = _DOCKERFILE.format(debian=debian, run=secrets.token_hex(4))
    certificate = ["--secret", f"id=ca,src={CA}"] if CA.is_file() else []
    engine.docker(
        "buildx",
        "build",
        *certificate,
        "--target",
        "distro",
        "--output",
        f"type=image,name={tag},push=true",
        "-",
        stdin=text,
    )
    shutil.rmtree(folder, ignore_errors=True)
    engine.docker(
        "buildx",
        "build",
        *certificate,
        "--target",
        "repositories",
        "--output",
        f"type=local,dest={folder}",
        "-",
        stdin=text,
    )


def publish(server: FileServer, repository: Path) -> None:
    """Serve one state of the repository in the place of what was there, by the names that dnf asks
    for: %2b, not %2B.
    """
    files = {
        quote(f"/{PLACE}{p.relative_to(repository)}"): p.read_bytes()
        for p in repository.rglob("*")
        if p.is_file()
    }
    server.files = {
        re.sub("%..", lambda code: code[0].lower(), name): content
        for name, content in files.items()
    }


def as_rocky(workspace: Workspace, base: str, packages: list[str]) -> None:
    """The library's Rocky Linux as a team's own: the stand-in's image with `packages`, and Debian's
    own compiler in it.
    """
    versions = components.copy_component("rocky", workspace.components)
    version: dict[str, Any] = versions["versions"]["9"]
    version |= {"image": base, "measure": {"version": "9", "glibc": "2.36", "gcc": "12"}}
    del version["digest"]
    components.write_versions("rocky", workspace.components, {"versions": {"9": version}})
    path = workspace.components / "rocky" / "component.yaml"
    component = yaml.safe_load(path.read_text("utf-8"))
    path.write_text(
        yaml.safe_dump(
            component | {"packages": {"rocky": packages}, "development": {"measures": ["gcc"]}},
            sort_keys=False,
        ),
        "utf-8",
    )
