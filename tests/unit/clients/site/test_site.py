"""A site file changes where things come from and go to, and never what is built."""

from __future__ import annotations

import json
import traceback
from pathlib import Path

import pytest

from bakestone.clients.engine.policy import source_policy
from bakestone.clients.site import site
from bakestone.clients.site.site import Site
from bakestone.core.library.catalog import Library
from bakestone.core.lock import lockfile
from bakestone.core.render.compression import GZIP, Compression
from bakestone.errors import BakestoneError
from tests.support.samples import MANY, ROOT, Marked, locked, made_up_lock, project, refused
from tests.support.site_files import with_secrets


def test_without_a_site_file_nothing_is_special() -> None:
    assert site.load(None) == Site()
    assert source_policy(Site()) is None
    assert Site().mirror("docker.io/library/debian:12") == "docker.io/library/debian:12"


def test_secrets_and_mirrors_change_neither_dockerfiles_nor_fingerprints(
    library: Library, tmp_path: Path
) -> None:
    plain = locked(tmp_path / "plain", MANY, library=library)
    special = locked(tmp_path / "special", MANY, library=library)
    special.site_path = with_secrets(tmp_path / "special")
    assert special.site.files.keys() == {"ca", "pip", "apt"}
    assert special.dockerfiles == plain.dockerfiles
    for variant in plain.matrix.variants:
        same = next(v for v in special.matrix.variants if v.name == variant.name)
        assert special.fingerprint(same) == plain.fingerprint(variant)
    assert list(special.texts.values()) == [
        t.replace("/plain/", "/special/") for t in plain.texts.values()
    ]
    for text in (*special.texts.values(), lockfile.dump(special.lock)):
        assert "hunter2" not in text
        assert "example.com:5000" not in text


def test_the_sites_registry_wins_and_the_command_line_wins_over_it(
    library: Library, tmp_path: Path
) -> None:
    assert project(tmp_path, MANY, library=library).registry == "registry.example.com/base"
    made = project(tmp_path, MANY, library=library)
    made.site_path = with_secrets(tmp_path)
    assert made.registry == "other.example.com/images"
    made.registry_override = "localhost:5000/x"
    assert made.registry == "localhost:5000/x"


def test_the_longest_prefix_of_a_mirror_counts(tmp_path: Path) -> None:
    loaded = site.load(with_secrets(tmp_path))
    assert (
        loaded.mirror("docker.io/library/debian:12") == "mirror.example.com:5000/library/debian:12"
    )
    assert loaded.mirror("docker.io/nvidia/cuda:1") == "mirror.example.com:5000/hub/nvidia/cuda:1"
    assert loaded.mirror("docker.io.example.com/x:1") == "docker.io.example.com/x:1"
    assert loaded.mirror("ghcr.io/x/y:1") == "ghcr.io/x/y:1"
    assert loaded.export


def test_the_site_file_of_the_documentation_is_right(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "site.md").read_text("utf-8").split("```yaml\n")[1].split("```")[0]
    for name in ("company-ca.pem", "apt.conf"):
        (tmp_path / name).write_text("", "utf-8")
    (tmp_path / "site.yaml").write_text(text, "utf-8")
    loaded = site.load(tmp_path / "site.yaml")
    assert len(loaded.credentials) == 3
    assert loaded.only_locked
    assert not loaded.export
    assert loaded.proxies.of("https://files.example.com/") == ""
    assert loaded.metadata == loaded.metadata.fitting()
    assert loaded.metadata.vendor == "Example Inc."


@pytest.mark.parametrize(
    ("said", "compression"),
    [
        ("gzip", GZIP),
        ("zstd", Compression("zstd")),
        ("estargz", Compression("estargz")),
        ("{type: gzip, level: 0}", Compression("gzip", 0)),
        ("{type: zstd, level: 22}", Compression("zstd", 22)),
    ],
)
def test_a_compression_is_a_name_or_has_a_level(
    said: str, compression: Compression, tmp_path: Path
) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(f"version: 1\ncompression: {said}\n", "utf-8")
    assert site.load(path).compression == compression


def test_pins_are_chosen_by_pattern(tmp_path: Path) -> None:
    loaded = site.load(with_secrets(tmp_path))
    assert loaded.pins_for("debian", "12") == "versions"
    assert loaded.pins_for("ubuntu", "22.04") == "frozen"
    assert loaded.pins_for("ubuntu", "24.04") == ""


def test_paths_start_at_the_site_files_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    with_secrets(tmp_path / "elsewhere")
    assert (
        site.load(Path("elsewhere/site.yaml")).files["pip"] == tmp_path / "elsewhere" / "pip.conf"
    )


WRONG = {
    "unknown key": (
        "version: 1\n«registries»: {}\n",
        "unknown key 'registries'",
        "did you mean registry?",
    ),
    "missing file": (
        "version: 1\npip: «none.conf»\n",
        "there is no file none.conf",
        "site file's folder",
    ),
    "URL without a slash": (
        "version: 1\nmirrors: {urls: {https://a.example/: «https://b.example»}}\n",
        "cannot be",
        "ends with a slash",
    ),
    "credentials in a URL": (
        "version: 1\nmirrors: {urls: {https://a.example/: «https://u:p@b.example/»}}\n",
        "cannot be",
        "without credentials",
    ),
    "a mirror with a tag": (
        "version: 1\nmirrors: {registries: {docker.io: «'x:y z'»}}\n",
        "it contains a space",
        "HOST",
    ),
    "a builder that is an option": (
        "version: 1\nbuilder: «--push»\n",
        "builder cannot be",
        "docker buildx ls",
    ),
    "unknown way to pin": (
        "version: 1\npins: {debian: «latest»}\n",
        'debian cannot be "latest"',
        "one of: snapshot, versions, frozen",
    ),
    "two ways to say pip's index": (
        "version: 1\npip: site.yaml\nindexes: {«pip»: {url: https://a.example/simple}}\n",
        "exclude each other",
        "leave out one",
    ),
    "an index without a URL": (
        "version: 1\nindexes: {pip: «{extra: []}»}\n",
        "the key 'url' is missing in pip",
        "https://index.example.com/simple",
    ),
    "credentials in an index": (
        "version: 1\nindexes: {pip: {url: «https://u:p@a.example/simple»}}\n",
        "url cannot be",
        "those go to `credentials`",
    ),
    "an unknown index": (
        "version: 1\nindexes: {«npm»: {url: https://a.example/}}\n",
        "unknown key 'npm' in indexes",
        "known here: pip",
    ),
    "the same index twice": (
        (
            "version: 1\nindexes: {pip: {url: https://a.example/s, extra: [https://b.example/s,"
            " «https://b.example/s»]}}\n"
        ),
        "is there twice",
        "remove",
    ),
    "a proxy without a scheme": (
        "version: 1\nproxies: {http: «'proxy.example.com:3128'»}\n",
        "http cannot be",
        "http://HOST:PORT",
    ),
    "credentials in a proxy": (
        "version: 1\nproxies: {https: «http://u:p@proxy.example.com:3128»}\n",
        "https cannot be",
        "without credentials",
    ),
    "no_proxy as one text": (
        "version: 1\nproxies: {http: http://p.example:1, no_proxy: «'localhost,.example'»}\n",
        "must be a list",
        "write it as a list: [localhost, .example]",
    ),
    "no proxy": ("version: 1\nproxies: «{}»\n", "too few entries", "Proxies of apt and pip"),
    "a mirror of a mirror": (
        "version: 1\nmirrors: {registries: {docker.io: «m.example/hub», m.example: n.x}}\n",
        "is itself mirrored, by the entry m.example",
        "in the end",
    ),
    "a URL that leads to itself": (
        "version: 1\nmirrors: {urls: {https://a.example/: «https://a.example/mirror/»}}\n",
        "is itself mirrored, by the entry https://a.example/",
        "in the end",
    ),
    "push in another way": ("version: 1\npush: «tar»\n", "push cannot be", "builder, export"),
    "only_locked as a word": (
        "version: 1\nonly_locked: «'yes'»\n",
        "only_locked must be true or false",
        "indentation",
    ),
    "host and URL": (
        (
            "version: 1\ncredentials: [«{host: a.example, url: https://a.example/x/, token: {env:"
            " A}}»]\n"
        ),
        "either `host` or `url`",
        "https://HOST",
    ),
    "neither host nor URL": (
        "version: 1\ncredentials: [«{token: {env: A}}»]\n",
        "either `host` or `url`",
        "https://HOST",
    ),
    "a name without a password": (
        "version: 1\ncredentials: [«{host: a.example, username: u}»]\n",
        "a username and a password, or a token",
        "{env: NAME}",
    ),
    "token and name": (
        "version: 1\ncredentials: [«{host: a.example, username: u, token: {env: A}}»]\n",
        "either a token or a username",
        "sent as it is",
    ),
    "two places of one secret": (
        "version: 1\ncredentials: [«{host: a.example, token: {env: A, file: b}}»]\n",
        "token has either `env` or `file`",
        "{file: PATH}",
    ),
    "two accounts of one host": (
        (
            "version: 1\ncredentials:\n  - {host: a.example, token: {env: A}}\n  - «{url:"
            " http://a.example/x/, token: {env: B}}»\n"
        ),
        "two credentials for the host a.example",
        "one account",
    ),
    "a token for pip": (
        (
            "version: 1\nindexes: {pip: {url: https://b.example/s, extra:"
            " [«https://a.example/s»]}}\ncredentials: [{host: a.example, token: {env: A}}]\n"
        ),
        "pip cannot send a token",
        "as the password",
    ),
    "a port that is none": (
        "version: 1\nregistry: «localhost:99999/b»\n",
        'registry cannot be "localhost:99999/b"',
        "a port of 1 to 65535",
    ),
    "port zero": ("version: 1\nregistry: «localhost:0»\n", "registry cannot be", "1 to 65535"),
    "a port of a mirror that is none": (
        "version: 1\nmirrors: {urls: {https://a.example/: «https://b.example:65536/»}}\n",
        "cannot be",
        "ends with a slash",
    ),
    "a port of a proxy that is none": (
        "version: 1\nproxies: {http: «http://proxy.example.com:70000»}\n",
        "http cannot be",
        "http://HOST:PORT",
    ),
    "a port of a credential that is none": (
        "version: 1\ncredentials: [{host: «'a.example:65536'», token: {env: A}}]\n",
        "host is not written as it must be",
        "HOST:PORT",
    ),
    "a compression that nobody knows": (
        "version: 1\ncompression: «lz4»\n",
        'compression cannot be "lz4"',
        "gzip, zstd, estargz",
    ),
    "a level that gzip has not": (
        "version: 1\ncompression: {type: gzip, level: «10»}\n",
        "level: 10 is greater than",
        "0 to 9 for gzip",
    ),
    "a level that zstd has not": (
        "version: 1\ncompression: {type: zstd, level: «0»}\n",
        "level: 0 is less than",
        "1 to 22 for zstd",
    ),
    "a level of estargz": (
        "version: 1\ncompression: {type: «estargz», level: 1}\n",
        'type cannot be "estargz"',
        "one of: gzip, zstd",
    ),
    "a compression without a level": (
        "version: 1\ncompression: «{type: gzip}»\n",
        "the key 'level' is missing in compression",
        "0 to 9 for gzip",
    ),
    "a number for a compression": (
        "version: 1\ncompression: «7»\n",
        "compression must be text or a mapping",
        "",
    ),
    "an account in the source": (
        "version: 1\nmetadata: {source: «'https://me:hunter2@git.example.com/x'»}\n",
        "source cannot be",
        "without credentials and query",
    ),
    "a token in the query": (
        "version: 1\nmetadata: {url: «'https://git.example.com/x?private_token=hunter2'»}\n",
        "url cannot be",
        "without credentials and query",
    ),
    "control characters in a name": (
        'version: 1\nmetadata: {vendor: «"a\\e[31mb"»}\n',
        "vendor cannot be",
        "without control characters",
    ),
    "a turned direction of writing": (
        'version: 1\nmetadata: {authors: «"a\\u202Eb"»}\n',
        "authors cannot be",
        "without control characters",
    ),
    "a revision with a space": (
        "version: 1\nmetadata: {revision: «'a b'»}\n",
        "revision cannot be",
        "letters, digits",
    ),
    "a long name": (f"version: 1\nmetadata: {{vendor: «{'x' * 301}»}}\n", "vendor", "300"),
    "a comma in a path": ("version: 1\nca: «'a,b'»\n", "ca cannot be", "a path"),
}


@pytest.mark.parametrize(("text", "message", "hint"), WRONG.values(), ids=list(WRONG))
def test_a_wrong_site_file_is_marked_and_explained(
    text: str, message: str, hint: str, tmp_path: Path
) -> None:
    marked = Marked.of(text)
    path = tmp_path / "site.yaml"
    path.write_text(marked.text, "utf-8")
    (found,) = refused(lambda: site.load(path))
    assert message in found.message
    assert hint in found.hint
    assert (found.line, found.column, found.marked) == (marked.line, marked.column, "")


INLINE = {
    "a password": (
        "  - {host: a.example, username: u, password: «hunter2»}\n",
        "password is not written as it must be",
        "never written here",
    ),
    "a password that is a number": (
        "  - {host: a.example, username: u, password: «4711»}\n",
        "password is not",
        "never written here",
    ),
    "a token": (
        "  - host: a.example\n    token: «hunter2»\n",
        "token is not written as it must be",
        "{env: VARIABLE} or {file: PATH}",
    ),
    "the secret as a variable's name": (
        "  - {host: a.example, token: {env: «hunter2-»}}\n",
        "env is not written as it must be",
        "name of a variable",
    ),
    "beside a wrong key": (
        "  - {host: a.example, «pasword»: hunter2}\n",
        "unknown key in credentials",
        "did you mean password?",
    ),
    "in the place of the entry": (
        "  - «ci:hunter2»\n",
        "credentials is not written",
        "{host: HOST",
    ),
    "in a URL": (
        "  - {url: «https://ci:hunter2@a.example/», token: {env: A}}\n",
        "url is not written",
        "without credentials",
    ),
    "in a host": (
        "  - {host: «ci:hunter2@a.example», token: {env: A}}\n",
        "host is not written",
        "HOST:PORT",
    ),
    "in a name": (
        "  - {host: a.example, username: «'ci:hunter2'», password: {env: A}}\n",
        "username is not written",
        "colons",
    ),
}


@pytest.mark.parametrize(("text", "message", "hint"), INLINE.values(), ids=list(INLINE))
def test_a_secret_in_the_site_file_is_refused_and_never_shown(
    text: str, message: str, hint: str, tmp_path: Path
) -> None:
    marked = Marked.of(f"version: 1\ncredentials:\n{text}")
    path = tmp_path / "site.yaml"
    path.write_text(marked.text, "utf-8")
    (found,) = refused(lambda: site.load(path))
    assert message in found.message
    assert hint in found.hint
    assert (found.line, found.column) == (marked.line, marked.column)
    assert "hunter2" not in found.text
    assert "4711" not in found.text


LEAKS = {
    "an account in a proxy": "proxies: {http: 'http://ci:hunter2@proxy.example:3128'}",
    "an account in a mirror": "mirrors: {urls: {https://a/: 'https://ci:hunter2@b.example/'}}",
    "an account in what is mirrored": "mirrors: {urls: {'https://ci:hunter2@b.example/': 'x'}}",
    "an account in a registry": "registry: ci:hunter2@registry.example/base",
    "an account in a mirror of images": "mirrors: {registries: {a.example: 'ci:hunter2@b'}}",
    "an account in an index": "indexes: {pip: {url: 'https://ci:hunter2@a.example/simple'}}",
    "an account in a second index": (
        "indexes: {pip: {url: 'https://a.example', extra: ['https://ci:hunter2@b.example']}}"
    ),
    "an account that is cut": f"registry: ci:hunter2{'x' * 100}@registry.example",
    "an account with a quote and spaces": "registry: 'ci:hunter2\" hunter2@registry.example'",
    "an account in a key": "'https://ci:hunter2@a.example/': 1",
    "an account in a list": "insecure: ['ci:hunter2@a.example']",
    "an account in no_proxy": "proxies: {http: 'http://p:1', no_proxy: ['ci:hunter2@a.example']}",
    "an account in the place of a mapping": "mirrors: 'https://ci:hunter2@a.example/'",
    "an account in a file's name": "ca: 'https://ci:hunter2@a.example/ca.pem'",
    "a misspelt key": "credential: [{host: a.example, token: hunter2}]",
    "a misspelt key of credentials": "credentials: [{host: a.example, hunter2: {env: A}}]",
    "broken YAML": "credentials: [{host: a.example, token: hunter2}",
    "broken YAML on the line": "credentials: [{host: a.example, token: 'hunter2}]",
    "an alias": "credentials: [{host: a.example, token: *hunter2}]",
    "a tag": "credentials: [{host: a.example, token: !hunter2 x}]",
    "a date that is none": "credentials: [{host: a.example, token: 2026-99-99, password: hunter2}]",
    "a key twice": "credentials: [{host: a.example, token: hunter2, token: hunter2}]",
    "a control character": "credentials: [{host: a.example, token: hunter2\x07}]",
    "a byte that is none": "credentials: [{host: a.example, token: hunter2\udcff}]",
}  # fmt: skip


@pytest.mark.parametrize("text", LEAKS.values(), ids=list(LEAKS))
def test_nothing_that_may_be_a_secret_is_shown(text: str, tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(f"version: 1\n{text}\n", "utf-8", errors="surrogateescape")
    with pytest.raises(BakestoneError) as caught:
        site.load(path)
    shown = "".join(traceback.format_exception(caught.value))
    assert "hunter2" not in shown
    assert "hunter2" not in json.dumps([finding.as_dict() for finding in caught.value.findings])
    assert caught.value.__context__ is None


def test_a_missing_site_file_is_answered_with_how_to_name_it(tmp_path: Path) -> None:
    (found,) = refused(lambda: site.load(tmp_path / "site.yaml"))
    assert "--site or BAKESTONE_SITE" in found.hint


def test_a_lock_made_elsewhere_is_the_same_lock(library: Library, tmp_path: Path) -> None:
    here = project(tmp_path / "here", MANY, library=library)
    there = project(tmp_path / "there", MANY, library=library)
    assert lockfile.dump(made_up_lock(here.matrix.variants, library)) == lockfile.dump(
        made_up_lock(there.matrix.variants, library)
    )
