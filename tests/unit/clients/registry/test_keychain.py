"""Accounts are found where `docker login` leaves them, in every spelling that docker knows."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from bakestone.clients.registry import keychain
from bakestone.clients.registry.keychain import Account
from bakestone.errors import ENVIRONMENT, BakestoneError
from tests.support import dockerlogin

HOST = "registry.example.com:5000"
AUTH = {"auth": dockerlogin.basic("me", "pass:word")}
ME = Account("me", "pass:word")
HUB = "https://index.docker.io/v1/"


@pytest.fixture(autouse=True)
def _config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")


@pytest.mark.parametrize(
    "key",
    [HOST, f"https://{HOST}", f"https://{HOST}/", f"http://{HOST}", f"https://{HOST}/v1/",
     f"https://{HOST}/v2/", f"{HOST}/v1/", f"http://{HOST}/"],
)  # fmt: skip
def test_every_spelling_of_a_host_is_known(key: str, tmp_path: Path) -> None:
    dockerlogin.write(tmp_path, auths={"other.example.com": {"auth": "x"}, key: AUTH})
    assert keychain.account(HOST) == ME


@pytest.mark.parametrize(
    "key", [HUB, "index.docker.io/v1/", "docker.io", "https://docker.io", "registry-1.docker.io"]
)
def test_every_spelling_of_docker_hub_is_known(key: str, tmp_path: Path) -> None:
    dockerlogin.write(tmp_path, auths={key: AUTH})
    assert keychain.account("docker.io") == ME
    assert keychain.account(HOST) is None


@pytest.mark.parametrize("other", [HOST.partition(":")[0], f"{HOST}0", f"a.{HOST}"])
def test_another_host_or_port_is_another_one(other: str, tmp_path: Path) -> None:
    dockerlogin.write(tmp_path, auths={other: AUTH})
    assert keychain.account(HOST) is None


@pytest.mark.parametrize(
    "content",
    [{}, {"auths": None}, {"auths": {}}, {"auths": {HOST: {}}}, {"auths": {HOST: None}},
     {"credHelpers": None, "credsStore": None}, {"credsStore": ""}],
)  # fmt: skip
def test_nobody_is_logged_in(content: dict[str, Any], tmp_path: Path) -> None:
    dockerlogin.write(tmp_path, **content)
    assert keychain.account(HOST) is None


def test_without_a_configuration_nobody_is_logged_in() -> None:
    assert keychain.account(HOST) is None


@pytest.mark.parametrize(
    ("entry", "account"),
    [
        ({"username": "me", "password": "pass:word"}, ME),
        (
            {"auth": dockerlogin.basic("0000", ""), "identitytoken": "refresh"},
            Account("0000", refresh="refresh"),
        ),
        ({"registrytoken": "bearer"}, Account(bearer="bearer")),
    ],
)
def test_what_an_entry_may_hold(entry: dict[str, str], account: Account, tmp_path: Path) -> None:
    dockerlogin.write(tmp_path, auths={HOST: entry})
    assert keychain.account(HOST) == account


BROKEN = {
    "no JSON": "{",
    "a list": "[]",
    "auths is a list": '{"auths": [1]}',
    "an entry is a text": f'{{"auths": {{"{HOST}": "x"}}}}',
    "auth is a number": f'{{"auths": {{"{HOST}": {{"auth": 1}}}}}}',
    "auth is no base64": f'{{"auths": {{"{HOST}": {{"auth": "secretsecret!"}}}}}}',
    "a helper with a path": '{"credsStore": "../secretsecret"}',
    "a token with a line break": json.dumps(
        {"auths": {HOST: {"registrytoken": "secretsecret\nX: y"}}}
    ),
    "a token of other letters": json.dumps({"auths": {HOST: {"registrytoken": "\u20ac"}}}),
    "half a character": json.dumps({"auths": {HOST: {"identitytoken": "secretsecret\ud800"}}}),
    "too long": " " * (keychain.MAX_CONFIG + 1),
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=list(BROKEN))
def test_a_configuration_of_no_use_is_one_sentence(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(text, "utf-8")
    with pytest.raises(BakestoneError, match="Docker's configuration cannot be read") as caught:
        keychain.account(HOST)
    assert caught.value.code == ENVIRONMENT
    assert "secretsecret" not in str(caught.value)


HELPED = {
    "credHelpers": ({"credHelpers": {HOST: "made-up"}}, HOST),
    "credHelpers in another spelling": ({"credHelpers": {f"https://{HOST}": "made-up"}}, HOST),
    "credsStore": ({"credsStore": "made-up"}, HOST),
    "credsStore for Docker Hub": ({"credsStore": "made-up"}, "docker.io"),
    "credHelpers before credsStore": ({"credsStore": "x", "credHelpers": {HOST: "made-up"}}, HOST),
    "a helper before auths": ({"credsStore": "made-up", "auths": {HOST: AUTH}}, HOST),
}


@pytest.mark.parametrize(("content", "host"), HELPED.values(), ids=list(HELPED))
def test_a_helper_is_asked(content: dict[str, Any], host: str, tmp_path: Path) -> None:
    dockerlogin.write(tmp_path, **content)
    script = """printf '{"ServerURL": "x", "Username": "u", "Secret": "'; cat; printf '"}'"""
    dockerlogin.helper(tmp_path, "made-up", script)
    assert keychain.account(host) == Account("u", HUB if host == "docker.io" else host)


@pytest.mark.parametrize(
    ("script", "account"),
    [
        ("""echo '{"Username": "<token>", "Secret": "refresh"}'""", Account(refresh="refresh")),
        ("""echo '{"Username": "", "Secret": ""}'""", None),
        ("echo credentials not found in native keychain; exit 1", None),
    ],
)
def test_what_a_helper_may_say(script: str, account: Account | None, tmp_path: Path) -> None:
    dockerlogin.write(tmp_path, credsStore="made-up")
    dockerlogin.helper(tmp_path, "made-up", script)
    assert keychain.account(HOST) == account


RUBBISH = {
    "no JSON": ("echo secretsecret", "printed no credentials"),
    "half of it": ("""echo '{"Username": "me"'""", "printed no credentials"),
    "a list": ("echo '[1]'", "printed no credentials"),
    "a number": ("""echo '{"Username": 1, "Secret": "secretsecret"}'""", "printed no credentials"),
    "nothing": ("true", "printed no credentials"),
    "bytes": ("printf '\\377\\376'", "printed no credentials"),
    "it fails": ("echo secretsecret >&2; exit 3", r"failed \(exit status 3\)"),
    "half a character": (
        """echo '{"Username": "me", "Secret": "secretsecret\\ud800"}'""",
        "printed no credentials",
    ),
    "without end": ("exec yes secretsecret", "printed more than 131072 bytes"),
    "errors without end": ("exec yes secretsecret >&2", r"failed \(exit status -9\)"),
    "it hangs": ("exec sleep 60", "gave no answer in 0.2 seconds"),
}


@pytest.mark.parametrize(("script", "reason"), RUBBISH.values(), ids=list(RUBBISH))
def test_a_helper_of_no_use_is_one_sentence(
    script: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keychain, "HELPER_TIME", 0.2 if "sleep" in script else 60)
    dockerlogin.write(tmp_path, credHelpers={HOST: "made-up"})
    dockerlogin.helper(tmp_path, "made-up", script)
    with pytest.raises(BakestoneError, match=f"docker-credential-made-up {reason}") as caught:
        keychain.account(HOST)
    assert caught.value.code == ENVIRONMENT
    assert "secretsecret" not in str(caught.value)
    assert "secretsecret" not in repr(caught.value.__cause__)


def test_a_helper_whose_child_lives_on_is_not_waited_for(tmp_path: Path) -> None:
    dockerlogin.write(tmp_path, credsStore="made-up")
    script = """sleep 600 & echo $! >"$0.child"; echo '{"Username": "me", "Secret": "pass:word"}'"""
    dockerlogin.helper(tmp_path, "made-up", script)
    try:
        assert keychain.account(HOST) == ME
    finally:
        os.kill(int((tmp_path / "docker-credential-made-up.child").read_text("ascii")), 15)


def test_a_helper_that_does_not_listen_may_answer(tmp_path: Path) -> None:
    dockerlogin.write(tmp_path, credsStore="made-up")
    script = """exec 0<&-; echo '{"Username": "me", "Secret": "pass:word"}'"""
    dockerlogin.helper(tmp_path, "made-up", script)
    assert keychain.account(HOST) == ME


def test_a_helper_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    dockerlogin.write(tmp_path, credsStore="made-up")
    with pytest.raises(BakestoneError, match="docker-credential-made-up cannot be started"):
        keychain.account(HOST)


def test_no_secret_is_in_what_an_account_shows() -> None:
    shown = repr(Account("me", "secret-1", "secret-2", "secret-3"))
    assert "secret" not in shown
    assert "me" in shown
