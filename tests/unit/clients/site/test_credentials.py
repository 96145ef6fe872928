"""Secrets are named by reference: read when they are used, told to nobody else, and gone after a
build.
"""

from __future__ import annotations

import base64
import configparser
import hashlib
import os
import signal
import subprocess
import sys
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from bakestone.clients.engine import secrets
from bakestone.clients.http import download
from bakestone.clients.http.ask import Asker
from bakestone.clients.http.download import Limits
from bakestone.clients.http.session import Session
from bakestone.clients.site import site
from bakestone.clients.site.credentials import Login
from bakestone.clients.site.proxies import Proxies
from bakestone.clients.site.site import Site
from tests.support import webserver
from tests.support.samples import ROOT, refused
from tests.support.webserver import serving

SECRET = "hunter2:/@%e"
VARIABLE = "BAKESTONE_TEST_SECRET"
CREDENTIALS = f"""\
version: 1
credentials:
  - {{host: files.example.com, username: ci, password: {{env: {VARIABLE}}}}}
  - {{url: "https://index.example.com/team/", username: ci, password: {{file: password}}}}
  - {{host: "tokens.example.com:8443", token: {{env: {VARIABLE}}}}}
"""


def load(folder: Path, text: str = CREDENTIALS) -> Site:
    path = folder / "site.yaml"
    path.write_text(text, "utf-8")
    return site.load(path)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv(VARIABLE, SECRET)
    (tmp_path / "password").write_text("of-the-file\r\n", "utf-8")
    return load(tmp_path)


@pytest.mark.parametrize(
    ("path", "covered"),
    [
        ("team", True),
        ("team/x?y=../z", True),
        ("team/a..b", True),
        ("teams/x", False),
        ("team/../other/x", False),
        ("team/%2e%2E/other/x", False),
        ("team/..%2fother/x", False),
        ("team/..\\other/x", False),
    ],
)
def test_a_credential_is_for_what_is_below_its_path(path: str, covered: bool) -> None:
    login = Login("https://index.example.com/team/", "ci", SECRET)
    assert login.covers(f"https://index.example.com/{path}") is covered
    assert not login.covers(f"http://index.example.com/{path}")
    assert not login.covers(f"https://index.example.com:444/{path}")
    assert not login.covers(f"https://index.example.com:x/{path}")


ORIGINS = {
    "https://a.example/x": True,
    "https://a.example:443/": True,
    "https://A.example/": True,
    "https://b.example/": False,
    "https://a.example.b.example/": False,
    "ftp://a.example/": False,
}


@pytest.mark.parametrize(("url", "covered"), ORIGINS.items())
def test_a_secret_is_bound_to_scheme_host_and_port(url: str, covered: bool) -> None:
    assert Login("https://a.example/", "ci", "secret").covers(url) is covered


def test_a_credential_is_for_what_is_below_its_url_and_for_nothing_else(here: Site) -> None:
    def secret(url: str) -> str:
        login = here.login(url)
        return login.secret if login else ""

    assert secret("https://files.example.com/x/y.tar.gz") == SECRET
    assert secret("https://FILES.example.com:443/x") == SECRET
    assert secret("https://index.example.com/team/simple/") == "of-the-file"
    assert secret("https://index.example.com/team") == "of-the-file"
    assert secret("https://tokens.example.com:8443/") == SECRET
    for url in (
        "http://files.example.com/x",
        "https://files.example.com:444/x",
        "https://files.example.com.evil.example/x",
        "https://files.example.com@evil.example/x",
        "https://evil.example/files.example.com/",
        "https://index.example.com/teams/simple/",
        "https://index.example.com/",
        "https://tokens.example.com/",
        "https://files.example.com:99999/",
        "https://[files.example.com/",
    ):
        assert secret(url) == "", url


def test_the_secret_is_in_no_representation(here: Site) -> None:
    login = here.login("https://files.example.com/")
    assert SECRET not in f"{here} {login!r} {login}"


REFUSED = {
    "not set": (None, None, "variable BAKESTONE_TEST_SECRET is not set", "before bakestone runs"),
    "empty": ("", None, "variable BAKESTONE_TEST_SECRET is empty", "before bakestone runs"),
    "two lines": ("hunter2\nb", None, "is not one word of plain characters", "the right one?"),
    "with a space": ("hunter2 b", None, "is not one word of plain characters", "the right one?"),
    "no file": ("unused-one", "", "cannot be read: No such file", "site file's folder"),
    "an empty file": ("unused-one", "\n", "is empty", "write the secret there"),
    "a long file": ("unused-one", "x" * 20_000, "longer than 16384 bytes", "nothing else"),
    "a file of several lines": ("unused-one", "a\nb\n", "is not one word", "the right one?"),
}


@pytest.mark.parametrize(
    ("variable", "file", "message", "hint"), REFUSED.values(), ids=list(REFUSED)
)
def test_a_secret_that_cannot_be_read_is_an_error_where_it_is_named(
    variable: str | None,
    file: str | None,
    message: str,
    hint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    if variable is not None:
        monkeypatch.setenv(VARIABLE, variable)
    if file:
        (tmp_path / "secret").write_text(file, "utf-8")
    key = "{env: BAKESTONE_TEST_SECRET}" if file is None else "{file: secret}"
    loaded = load(tmp_path, f"version: 1\ncredentials: [{{host: a.example, token: {key}}}]\n")
    for use in (
        lambda: loaded.login("https://a.example/x"),
        lambda: secrets.write(loaded, tmp_path),
    ):
        (found,) = refused(use)
        assert message in found.message
        assert hint in found.hint
        assert (found.line, found.marked) == (2, "")
        if variable:
            assert variable not in found.text


def test_every_secret_that_is_missing_is_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    loaded = load(tmp_path)
    assert [found.line for found in refused(lambda: secrets.write(loaded, tmp_path))] == [3, 4, 5]


def test_secrets_become_files_that_only_this_user_can_read(here: Site, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    found = secrets.write(here, folder)
    assert set(found.mounts) == {
        "apt",
        "HTTP_AUTH_HEADER_files.example.com",
        "HTTP_AUTH_HEADER_index.example.com",
        "HTTP_AUTH_HEADER_tokens.example.com",
    }
    assert {path.parent for path in found.mounts.values()} == {folder}
    assert {path.stat().st_mode & 0o777 for path in found.mounts.values()} == {0o600}
    basic = base64.b64encode(f"ci:{SECRET}".encode()).decode()
    assert found.mounts["HTTP_AUTH_HEADER_files.example.com"].read_text("utf-8") == f"Basic {basic}"
    assert (
        found.mounts["HTTP_AUTH_HEADER_tokens.example.com"].read_text("utf-8") == f"Bearer {SECRET}"
    )
    assert {SECRET, "of-the-file", basic} <= set(found.hidden)
    assert SECRET not in repr(found)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_secrets_are_gone_when_the_process_is_told_to_end(
    number: signal.Signals, tmp_path: Path
) -> None:
    script = """
import sys, time
from pathlib import Path
from bakestone.clients.engine import secrets
with secrets.folder() as folder:
    (folder / "apt").write_text("a secret")
    print(folder, flush=True)
    time.sleep(60)
"""
    environment = os.environ | {"TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT / "generator")}
    with subprocess.Popen(
        [sys.executable, "-c", script],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout
        folder = Path(process.stdout.readline().strip())
        assert (folder / "apt").is_file()
        process.send_signal(number)
        assert process.wait(60) != 0
    assert list(tmp_path.iterdir()) == []


def test_pip_gets_indexes_with_credentials_and_reads_them_back(tmp_path: Path) -> None:
    indexes = {
        "pip": site.Index(
            "https://index.example.com/team/simple",
            ("https://public.example/simple", "http://lab.example:8080/simple/"),
        )
    }
    login = Login("https://index.example.com/team/", "ci", SECRET)
    parser = configparser.RawConfigParser()
    parser.read_string(secrets.pip(Site(indexes=indexes), [login]))
    assert dict(parser["global"]) == {
        "index-url": "https://ci:hunter2%3A%2F%40%25e@index.example.com/team/simple",
        "extra-index-url": "\nhttps://public.example/simple\nhttp://lab.example:8080/simple/",
        "trusted-host": "\nlab.example:8080",
    }


def test_pip_goes_by_the_proxy_unless_its_index_is_excepted() -> None:
    proxies = Proxies("", "http://proxy.example:3128", (".example.com",))
    assert secrets.pip(Site(proxies=proxies), []) == "[global]\nproxy = http://proxy.example:3128\n"
    inside = site.Index("https://index.example.com/simple")
    assert "proxy" not in secrets.pip(Site(proxies=proxies, indexes={"pip": inside}), [])
    outside = site.Index("https://index.example.org/simple")
    assert "proxy = http://proxy.example:3128" in secrets.pip(
        Site(proxies=proxies, indexes={"pip": outside}), []
    )


def test_a_pip_file_of_the_site_is_taken_as_it_is(tmp_path: Path) -> None:
    assert (
        secrets.pip(
            Site(
                files={"pip": tmp_path / "pip.conf"},
                proxies=Proxies("", "http://proxy.example:3128"),
            ),
            [],
        )
        == ""
    )


def test_apt_gets_proxies_credentials_and_what_the_site_s_own_file_says() -> None:
    logins = [
        Login("https://files.example.com/", "ci", SECRET),
        Login("http://lab.example:8080/deb/", "me", "p"),
        Login("https://t.example/", "", "t"),
    ]
    here = Site(
        proxies=Proxies(
            "http://proxy.example:3128", "", ("files.example.com", "10.0.0.0/8", ".lab.example")
        ),
        urls={"https://a/": "http://10.1.2.3/a/"},
    )
    assert secrets.apt(here, logins, 'APT::Color "0";\n') == "\n".join(
        [
            'APT::Color "0";',
            'Acquire::http::Proxy "http://proxy.example:3128";',
            'Acquire::http::Proxy::10.1.2.3 "DIRECT";',
            'Acquire::http::Proxy::files.example.com "DIRECT";',
            'Acquire::http::Proxy::lab.example "DIRECT";',
            'Acquire::https::Proxy "DIRECT";',
            'Acquire::https::Proxy::10.1.2.3 "DIRECT";',
            'Acquire::https::Proxy::files.example.com "DIRECT";',
            'Acquire::https::Proxy::lab.example "DIRECT";',
            f"// machine files.example.com login ci password {SECRET}",
            "// machine http://lab.example:8080/deb/ login me password p",
            'Dir::Etc::netrc "/run/secrets/apt";',
            "",
        ]
    )
    assert secrets.apt(Site(), [Login("https://t.example/", "", "t")], "x y;") == ""


def test_apt_reads_the_site_s_authorities_which_root_alone_can(tmp_path: Path) -> None:
    assert (
        secrets.apt(Site(files={"ca": tmp_path / "ca.pem"}), [], "")
        == 'APT::Sandbox::User "root";\n'
    )


def test_proxies_know_names_networks_and_loopback() -> None:
    proxies = Proxies(
        "http://p:1",
        "http://q:2",
        ("lab.example", ".sub.example", "*.star.example", "10.0.0.0/8", "192.0.2.7"),
    )
    assert proxies.of("http://x.example/") == "http://p:1"
    assert proxies.of("https://x.example/") == "http://q:2"
    assert Proxies("http://p:1").of("https://x.example/") == ""
    for host in (
        "lab.example",
        "a.lab.example",
        "LAB.example",
        "a.sub.example",
        "a.star.example",
        "10.9.9.9",
        "192.0.2.7",
        "localhost",
        "127.0.0.9",
        "[::1]",
    ):
        assert proxies.of(f"https://{host}/x") == "", host
    for host in ("collab.example", "lab.example.org", "11.0.0.1", "192.0.2.70"):
        assert proxies.of(f"https://{host}/x") == "http://q:2", host
    assert Proxies().choice("https://x.example/") is None


def test_bakestone_s_own_requests_carry_the_credential_and_no_other_server_gets_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, SECRET)
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n", "utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    seen: list[tuple[str, str | None]] = []

    def noting(server: str, answer: webserver.Answer) -> webserver.Answer:
        def answered(request: BaseHTTPRequestHandler) -> None:
            seen.append((server, request.headers.get("Authorization")))
            answer(request)

        return answered

    with serving() as mine, serving() as other:
        target = other.on("there", noting("other", webserver.body(b"content"))).replace(
            "127.0.0.1", "localhost"
        )
        url = mine.on("private/file", noting("mine", webserver.redirect(target)))
        text = (
            f"version: 1\ncredentials: [{{url: '{mine.url}private/', username: ci, password: {{env:"
            f" {VARIABLE}}}}}]\n"
        )
        assert download.fetch(url, Session(load(tmp_path, text)), Limits()).size == len(b"content")
    assert seen == [
        ("mine", "Basic " + base64.b64encode(f"ci:{SECRET}".encode()).decode()),
        ("other", None),
    ]


def test_the_site_s_authority_counts_for_more_than_one_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with serving(other):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other / "ca.pem"))
        with serving(tmp_path) as server:
            url = server.file("file", b"content")
            session = Session(Site(files={"ca": tmp_path / "ca.pem"}))
            assert download.fetch(url, session, Limits()).size == len(b"content")
            (found,) = refused(lambda: download.fetch(url, Session(Site()), Limits()), code=3)
    assert "`ca` in the site file" in found.hint


def test_questions_of_the_lock_carry_the_credential_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, SECRET)
    seen: list[str | None] = []

    def note(request: BaseHTTPRequestHandler) -> None:
        seen.append(request.headers.get("Authorization"))
        webserver.body(b"a page")(request)

    with serving() as server:
        url = server.on("page", note)
        text = f"version: 1\ncredentials: [{{url: '{server.url}', token: {{env: {VARIABLE}}}}}]\n"
        assert Asker(Session(load(tmp_path, text))).start(url, 100).body == b"a page"
    assert seen == [f"Bearer {SECRET}"]


def test_a_refused_download_says_where_credentials_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, SECRET)
    with serving() as server:
        url = server.on("file", webserver.status(401))
        text = f"version: 1\ncredentials: [{{url: '{server.url}', token: {{env: {VARIABLE}}}}}]\n"
        (found,) = refused(
            lambda: download.fetch(url, Session(load(tmp_path, text)), Limits()), code=3
        )
    assert "answers 401" in found.message
    assert "`credentials` in the site file" in found.hint
    assert SECRET not in found.text


def test_bakestone_s_own_requests_go_by_the_site_s_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    with serving() as proxy:
        proxy.answers["http://files.test/x"] = webserver.body(b"by the proxy")
        here = Session(Site(proxies=Proxies(http=proxy.url)))
        content = b"by the proxy"
        digest = hashlib.sha256(content).hexdigest()
        assert download.fetch("http://files.test/x", here, Limits(), checksum=digest).size == len(
            content
        )
        assert proxy.asked == ["http://files.test/x"]
