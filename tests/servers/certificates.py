"""Certificates of a CA of the tests' own, made with openssl."""

import subprocess
from pathlib import Path
from typing import NamedTuple


class Certificates(NamedTuple):
    """PEM files: the CA, and key and certificate in one for the broker and for a client."""

    ca: Path
    broker: Path
    client: Path


def certificates(folder: Path) -> Certificates:
    """A CA and what it signed for 127.0.0.1 and localhost, made with openssl."""
    folder.mkdir(parents=True, exist_ok=True)
    ca = folder / "ca.pem"
    _openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=Prequel tests",
             "-keyout", str(folder / "ca.key"), "-out", str(ca))  # fmt: skip
    return Certificates(ca, _certificate(folder, "broker"), _certificate(folder, "client"))


def _certificate(folder: Path, name: str) -> Path:
    key, request, signed = (folder / f"{name}.{kind}" for kind in ("key", "csr", "crt"))
    extensions = folder / f"{name}.ext"
    extensions.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    _openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", str(key), "-out", str(request))
    _openssl("x509", "-req", "-days", "2", "-in", str(request), "-CA", str(folder / "ca.pem"),
             "-CAkey", str(folder / "ca.key"), "-CAcreateserial", "-extfile", str(extensions),
             "-out", str(signed))  # fmt: skip
    key_and_certificate = folder / f"{name}.pem"
    key_and_certificate.write_text(key.read_text() + signed.read_text())
    key_and_certificate.chmod(0o600)
    return key_and_certificate


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
