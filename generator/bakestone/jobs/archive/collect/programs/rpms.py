"""Fetch packages and the metadata of every repository, as dnf finds and checks them.

Runs in the base image with the Python of dnf itself, which is 3.6 on version 8. Plugins are not
loaded, as with --noplugins. Arguments: the packages (JSON: number of the set -> names), the folder
of the site's own repository files, which need not be there, and the folder for downloads. For each
set, /out/NUMBER has `index` and `uris`. What a repository says is checked before it becomes a line
there: they are read outside of the container.
"""

import binascii
import glob
import json
import os
import re
import shutil
import sys
from typing import Any, Dict, List

import dnf
import libdnf

Json = Dict[str, List[str]]


def clean(text: str) -> str:
    """What a repository names, without anything that would break a line."""
    if not re.fullmatch("[!-~]+", text):
        raise dnf.exceptions.Error(f"a repository names the file {text!r}")
    return text


def spelled(base: Any, repo: Any) -> List[str]:
    """The addresses of a repository as the base's own files spell them, also in comments."""
    found = []
    for path in sorted(glob.glob("/etc/yum.repos.d/*.repo")):
        with open(path, encoding="utf-8", errors="replace") as stream:
            sections = stream.read().replace("\n[", "\n\0[").split("\0")
        for section in sections:
            name = re.search(r"(?m)^\[([^]\n]+)\]", section)
            if name and substituted(base, name.group(1)) == repo.id:
                pattern = r"(?m)^#?[ \t]*baseurl[ \t]*=[ \t]*(https?://[^/$\s]+/\S*)"
                found += re.findall(pattern, section)
    if not found:
        raise dnf.exceptions.Error(
            f"repository {repo.id}: no baseurl in /etc/yum.repos.d, not even in a comment,"
            " begins with a host's name"
        )
    return [clean(substituted(base, url)).rstrip("/") + "/" for url in found]


def substituted(base: Any, text: str) -> str:
    """A text with dnf's variables filled in."""
    return str(libdnf.conf.ConfigParser.substitute(text, base.conf.substitutions))


def fetched(base: Any, repo: Any) -> Json:
    """Path -> addresses of each file of a repository's metadata, checked against its repomd.xml."""
    folder = f"/tmp/metadata/{repo.id}"  # noqa: S108
    repo._repo.downloadMetadata(folder)
    inside = "/repodata/repomd.xml"
    with open(folder + inside, "rb") as new, open(repo._repo.getCachedir() + inside, "rb") as read:
        if new.read() != read.read():
            raise dnf.exceptions.Error(f"repository {repo.id} changed in the middle; run it again")
    found = {}
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)
            below = clean(os.path.relpath(path, folder))
            if below not in ("metalink.xml", "mirrorlist"):
                found[path] = [url + below for url in spelled(base, repo)]
    for number, key in enumerate(repo.gpgkey):
        if key.startswith(("http://", "https://")):
            path = f"/tmp/metadata/{repo.id}.key{number}"  # noqa: S108
            with base.urlopen(key, repo) as source, open(path, "wb") as out:
                shutil.copyfileobj(source, out)
            found[path] = [clean(key)]
    return found


def closure(base: Any, names: List[str]) -> List[Any]:
    """The packages that installing these brings, downloaded, their signatures checked."""
    base.reset(goal=True)
    unknown = []
    for name in names:
        try:
            base.install(name)
        except dnf.exceptions.MarkingError:
            unknown.append(f"bakestone: no package {name}")
    if unknown:
        sys.exit("\n".join(unknown))
    base.resolve()
    packages = sorted(base.transaction.install_set) if base.transaction else []
    packages = [package for package in packages if not package.repo._repo.isLocal()]
    base.download_packages(packages)
    for package in packages:
        result, why = base.package_signature_check(package)
        if result == 1:  # signed by a key that the repository names
            base.package_import_key(package)
        elif result:
            raise dnf.exceptions.Error(why)
    return packages


def configured(repositories: str) -> Any:
    """dnf as the Dockerfile has it."""
    base = dnf.Base()
    base.conf.read()
    base.conf.substitutions.update_from_etc("/")
    base.conf.releasever = base.conf.releasever or ""
    base.conf.install_weak_deps = False
    base.conf.skip_if_unavailable = False
    base.conf.assumeyes = True
    base.conf.deltarpm = False
    base.conf.cachedir = base.conf.persistdir = "/tmp/dnf"  # noqa: S108
    if os.path.exists("/run/secrets/ca"):
        base.conf.sslcacert = "/run/secrets/ca"
    if os.path.isdir(repositories):
        base.conf.reposdir = [repositories]
    return base


def put(base: Any, number: str, packages: List[Any], metadata: Json) -> None:
    """Write the results of one set."""
    with open(f"/out/{number}/index", "w") as index:
        for count, (path, urls) in enumerate(sorted(metadata.items())):
            for nth, url in enumerate(urls):
                shutil.copy(path, f"/out/{number}/lists/{count}-{nth}")
                index.write(f"{count}-{nth} {url}\n")
    with open(f"/out/{number}/uris", "w") as uris:
        for package in packages:
            if package.baseurl:
                raise dnf.exceptions.Error(
                    f"{package} is at another address than its repository, {package.baseurl}"
                )
            name = binascii.hexlify(package.chksum[1]).decode()
            shutil.copy(package.localPkg(), f"/out/debs/{name}")
            for url in spelled(base, package.repo):
                uris.write(f"{url}{clean(package.location)} {name}\n")


def main(sets: Json, repositories: str, cache: str) -> None:
    """Fetch all sets."""
    base = configured(repositories)
    base.read_all_repos()
    remote = [repo for repo in base.repos.iter_enabled() if not repo._repo.isLocal()]
    for repo in remote:
        repo.pkgdir = f"{cache}/{repo.id}"
    base.fill_sack()
    wanted = {number: closure(base, names) for number, names in sorted(sets.items())}
    metadata: Json = {}
    for repo in remote:
        metadata.update(fetched(base, repo))
    for number, packages in wanted.items():
        put(base, number, packages, metadata)


if __name__ == "__main__":
    try:
        main(json.loads(sys.argv[1]), sys.argv[2], sys.argv[3])
    except (dnf.exceptions.Error, RuntimeError, OSError) as problem:
        sys.exit("bakestone: dnf: " + " ".join(str(problem).split()))
