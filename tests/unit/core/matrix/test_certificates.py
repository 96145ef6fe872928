"""`ca`: certificates of a team's own authorities, read as X.509, and put into the trust store."""

from __future__ import annotations

import base64
import contextlib
import datetime
import re
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from bakestone.core.library.catalog import Library
from bakestone.core.matrix import certificates
from bakestone.errors import Position
from bakestone.jobs.explain import explain
from tests.support.samples import FIRST, Marked, locked, project, refused

NAME = "openmpi5.0.10-ubuntu22.04"
HERE = Position("images.yaml", 1, 1)
KEY = ec.generate_private_key(ec.SECP256R1())
LINE = "    ca: [ours.pem]\n"


def pem(
    subject: str = "Ours",
    begins: str = "2020-01-01",
    ends: str = "2060-01-01",
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey = KEY,
) -> bytes:
    """The certificate of an authority, by its own hand."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(datetime.datetime.fromisoformat(begins))
        .not_valid_after(datetime.datetime.fromisoformat(ends))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


def private() -> bytes:
    return KEY.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


ONE = pem()


def test_a_certificate_is_read_as_others_read_it() -> None:
    rsa_key = rsa.generate_private_key(65537, 2048)
    content = b"# Ours\r\n" + pem("Ours ü").replace(b"\n", b"\r\n") + pem("Old", key=rsa_key)
    first, second = certificates.read("a/our ca.v2.pem", content, HERE)
    assert (first.subject, second.subject) == ("Ours ü", "Old")
    assert (first.begins.year, first.ends.year) == (2020, 2060)
    for one, other in zip((first, second), x509.load_pem_x509_certificates(content), strict=True):
        assert one.der == other.public_bytes(serialization.Encoding.DER)
        assert (one.begins, one.ends) == (other.not_valid_before_utc, other.not_valid_after_utc)
        assert x509.load_pem_x509_certificate(one.pem.encode()) == other
        assert one.name.startswith("our_ca-")
    assert first.name != second.name
    assert len(certificates.read("x", ONE + ONE, HERE)) == 1


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "has no certificate in PEM"),
        (base64.b64decode("".join(ONE.decode().split("\n")[1:-2])), "has no certificate in PEM"),
        (ONE + private(), "it holds a private key"),
        (private(), "it holds a private key"),
        (ONE[:-40], "has no certificate in PEM"),
        (ONE + ONE[:200], "it is cut off"),
        (ONE.replace(b"CERTIFICATE", b"X509 CRL"), "something else than certificates (X509 CRL)"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "1 is none of X.509"),
        (b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", "1 is none of X.509"),
        (
            ONE + ONE.replace(ONE.split(b"\n")[2], ONE.split(b"\n")[2][::-1]),
            "its certificate 2 is none of X.509",
        ),
    ],
)
def test_what_is_no_certificate_is_refused(content: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        certificates.read("ours.pem", content, HERE)


@given(st.binary(max_size=300), st.integers(0, 400))
def test_hostile_bytes_are_an_answer(noise: bytes, at: int) -> None:
    der = base64.b64decode("".join(ONE.decode().split("\n")[1:-2]))
    code = base64.b64encode(der[:at] + noise + der[at + len(noise) :])
    content = b"-----BEGIN CERTIFICATE-----\n" + code + b"\n-----END CERTIFICATE-----\n"
    with contextlib.suppress(ValueError):
        certificates.read("ours.pem", content, HERE)


@pytest.mark.parametrize(
    ("distro", "manager"), [("ubuntu@22.04", "apt"), ("rocky@9", "dnf"), ("ubi@9", "dnf")]
)
def test_certificates_come_into_the_store_of_the_distro(
    distro: str, manager: str, library: Library, tmp_path: Path
) -> None:
    (tmp_path / "ours.pem").write_bytes(b"# said of it\n" + ONE)
    matrix = FIRST.replace("ubuntu@22.04", distro) + LINE
    made = locked(tmp_path, matrix, library=library)
    (variant,) = made.matrix.variants
    text = made.dockerfile(variant.name)
    (one,) = variant.family.content.certificates
    assert f"/{one.name}\n{ONE.decode()}BAKESTONE_FILE\n" in text
    assert "said of it" not in text
    run = text[: text.index(f". /tools/timed.sh\nsh /tools/ca.sh {manager}\nEOF\n")]
    assert run.rpartition("RUN ")[2].startswith("--network=none --mount=type=bind,from=")
    assert "ca-certificates" in variant.family.packages
    lines = {line.topic: line for line in explain(made, variant.name)[1]}
    assert lines["ca"].pin == "Ours, until 2060-01-01"
    assert lines["ca"].origin.endswith("images.yaml:9:10")


def test_a_trust_store_is_before_the_steps(library: Library, tmp_path: Path) -> None:
    (tmp_path / "ours.pem").write_bytes(ONE)
    step = "    run: [{name: get, because: from our server, script: x, network: true}]\n"
    text = locked(tmp_path, FIRST + LINE + step, library=library).dockerfile(NAME)
    assert text.index("sh /tools/ca.sh") < text.index("# get: from our server")


def test_another_certificate_is_another_image(library: Library, tmp_path: Path) -> None:
    found = set()
    for number, content in enumerate((ONE, b"# other words\n" + ONE, pem("Other"))):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "ours.pem").write_bytes(content)
        made = locked(folder, FIRST + LINE, library=library)
        found.add(made.fingerprint(made.matrix.variants[0]))
    assert len(found) == 2


def test_certificates_of_defaults_and_family_are_added(library: Library, tmp_path: Path) -> None:
    (tmp_path / "ours.pem").write_bytes(ONE)
    (tmp_path / "more.pem").write_bytes(pem("More") + ONE)
    text = FIRST.replace("families:", "defaults: {ca: [ours.pem]}\nfamilies:")
    made = project(tmp_path, text + "    ca: [more.pem]\n", library=library)
    (variant,) = made.matrix.variants
    assert [one.subject for one in variant.family.content.certificates] == ["Ours", "More"]


@pytest.mark.parametrize(
    ("at", "why"),
    [
        ("2026-11-30", ""),
        ("2019-12-31", "does not hold before 2020-01-01"),
        ("2060-01-02", "ended on 2060-01-01"),
        ("2059-12-01", "ends on 2060-01-01"),
    ],
)
def test_a_certificate_that_does_not_hold_is_a_warning(
    at: str, why: str, library: Library, tmp_path: Path
) -> None:
    (tmp_path / "ours.pem").write_bytes(ONE)
    made = project(tmp_path, FIRST + LINE, library=library)
    found = [f for f in made.ends(datetime.date.fromisoformat(at)) if "certificate" in f.message]
    assert [(f.message, f.severity) for f in found] == (
        [(f"the certificate of Ours in ours.pem {why}", "warning")] if why else []
    )


@pytest.mark.parametrize(
    ("more", "message", "hint"),
    [
        ("    ca: [«key.pem»]\n", "key.pem: it holds a private key", "out of the repository"),
        ("    ca: [«der.crt»]\n", "it has no certificate in PEM", "openssl x509 -inform der"),
        ("    ca: [«nothing»]\n", "the file not found: nothing", "the folder of images.yaml"),
        ("    ca: [«link»]\n", "the file is a link that leads out of", ""),
        ("    ca: [«../x.pem»]\n", "ca cannot be", "a path below the folder"),
        ("    ca: [«large»]\n", "is too large: more than 65536 bytes", ""),
        ("    «certificates»: [x]\n", "unknown key 'certificates'", "write `ca`"),
        ("    ca: «ours.pem»\n", "ca must be a list", "[ours.pem]"),
    ],
)
def test_what_no_trust_store_can_have_is_refused_where_it_is_said(
    more: str, message: str, hint: str, library: Library, tmp_path: Path
) -> None:
    folder = tmp_path / "team"
    folder.mkdir()
    (folder / "ours.pem").write_bytes(ONE)
    (folder / "key.pem").write_bytes(ONE + private())
    (folder / "der.crt").write_bytes(certificates.read("x", ONE, HERE)[0].der)
    (folder / "large").write_bytes(b"x" * 65537)
    (tmp_path / "secret").write_bytes(ONE)
    (folder / "link").symlink_to(tmp_path / "secret")
    marked = Marked.of(FIRST + more)
    (found,) = refused(lambda: project(folder, marked.text, library=library).matrix)
    assert message in found.message
    assert hint in found.hint
    assert (found.line, found.column) == (marked.line, marked.column)
    assert str(tmp_path) not in found.message
