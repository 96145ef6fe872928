"""How a new component's files are unpacked: its install template, and what `component.yaml` says of
the method.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_BUILDER = """\
    builder: debian@12   # unpacked there, whatever the variant's distro: one layer for all
    packages: {debian: [%s]}
"""
_REQUIRE = """\
    require: {distro.glibc: ">=%s"}
    because: the wheel is made for manylinux, which stands for glibc %s or later
"""
_UNPACK = """\
{#- The files of the archive below the prefix, as they are; times are set, so that the layer is the same when built again. -#}
RUN --mount=type=bind,from={{ files }},target=/files <<'EOF'
set -eu
# one file a platform lies under /files
set -- /files/*
mkdir -p /tmp/unpacked "/out$(dirname {{ prefix }})"
<unpack>
<move>
chmod +x /out{{ prefix }}/<program>
chmod -R u+rwX,go+rX,go-w /out{{ prefix }}
find /out -exec touch -h -d @315532800 {} +
EOF

"""
_COPY = """\
{#- One program, which is the whole component. -#}
RUN --mount=type=bind,from={{ files }},target=/files <<'EOF'
set -eu
# one file a platform lies under /files
set -- /files/*
mkdir -p "$(dirname /out{{ prefix }}/<program>)"
cp "$1" /out{{ prefix }}/<program>
chmod 755 /out{{ prefix }}/<program>
find /out -exec touch -h -d @315532800 {} +
EOF

"""
_WHEEL = """\
{#- pip has unpacked the wheel below /wheels, by its hash; where exactly depends on the Python of the stage. -#}
RUN <<'EOF'
set -eu
found=$(find /wheels -path '*/<program>' -type f -print -quit)
test -n "$found"
mkdir -p /out{{ prefix }}/share/licenses
cp -a "${found%/<program>}/<top>" /out{{ prefix }}/
find /wheels -path '*.dist-info/*' -iname 'licen*' -type f -exec cp {} /out{{ prefix }}/share/licenses/ \\;
chmod +x /out{{ prefix }}/<program>
chmod -R u+rwX,go+rX,go-w /out{{ prefix }}
find /out -exec touch -h -d @315532800 {} +
EOF

"""


@dataclass(frozen=True)
class FileLayout:
    """How the files lie: `kind` is tar, zip, wheel or program, `folder` whether all are in one
    folder, `program` its path below the prefix.
    """

    kind: str
    folder: bool
    program: str


def method_lines(layout: FileLayout, filenames: Sequence[str]) -> str:
    """The lines of the method in component.yaml: where it is unpacked, with which packages, and
    where the result works.
    """
    lines = _BUILDER % ", ".join(_tools(layout.kind, filenames))
    glibc = [_glibc(name) for name in filenames] if layout.kind == "wheel" else []
    newest = max((version for version in glibc if version), default=None)
    return lines + (_REQUIRE % ((".".join(map(str, newest)),) * 2) if newest else "")


def install(layout: FileLayout) -> str:
    """The text of install.METHOD.j2."""
    if layout.kind == "program":
        return fill(_COPY, program=layout.program)
    if layout.kind == "wheel":
        return fill(_WHEEL, program=layout.program, top=layout.program.partition("/")[0])
    unpack = (
        'unzip -q "$1" -d /tmp/unpacked'
        if layout.kind == "zip"
        else 'tar -xf "$1" -C /tmp/unpacked --no-same-owner'
    )
    move = (
        "mv /tmp/unpacked/* /out{{ prefix }}"
        if layout.folder
        else "mv /tmp/unpacked /out{{ prefix }}"
    )
    return fill(_UNPACK, unpack=unpack, move=move, program=layout.program)


def fill(text: str, **values: str) -> str:
    """A text with `<key>` replaced by its value."""
    for key, value in values.items():
        text = text.replace(f"<{key}>", value)
    return text


def _tools(kind: str, filenames: Sequence[str]) -> list[str]:
    """The distro packages that unpack such files; tar and gzip are in every base."""
    wanted = {"unzip"} if kind == "zip" else set()
    for ending, package in ((("xz", "txz"), "xz-utils"), (("bz2", "tbz", "tbz2"), "bzip2")):
        if kind == "tar" and any(name.lower().endswith(ending) for name in filenames):
            wanted.add(package)
    return sorted(wanted)


def _glibc(filename: str) -> tuple[int, ...] | None:
    """The oldest glibc that a wheel says it works with: 2.17 of manylinux_2_17 (PEP 600), and of
    its older name manylinux2014.
    """
    found = [
        (int(major), int(minor))
        for major, minor in re.findall(r"manylinux_([0-9]+)_([0-9]+)_", filename)
    ]
    found += [
        version
        for old, version in (
            ("manylinux1_", (2, 5)),
            ("manylinux2010_", (2, 12)),
            ("manylinux2014_", (2, 17)),
        )
        if old in filename
    ]
    return min(found, default=None)
