"""Certificates for tests, made on the spot by openssl."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.peers import require


@dataclass(frozen=True)
class Certificate:
    """Paths of PEM files."""

    certificate: str
    key: str
    authority: str


def make_certificate(folder: Path, name: str, *, authority: str = "authority") -> Certificate:
    """Make a certificate for 127.0.0.1; the authority of that name is made when there is none yet."""
    require("openssl")
    folder.mkdir(parents=True, exist_ok=True)
    ca, ca_key = folder / f"{authority}.pem", folder / f"{authority}.key"
    if not ca.exists():
        _openssl("req", "-x509", *_new(ca_key), "-subj", f"/CN={authority}", "-days", "2", "-out", ca)
    certificate, key, request = (folder / f"{name}.{suffix}" for suffix in ("pem", "key", "csr"))
    extension = folder / "extension"
    extension.write_text("subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
    _openssl("req", *_new(key), "-subj", f"/CN={name}", "-out", request)
    signed = ("-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-days", "2", "-extfile", extension)
    _openssl("x509", "-req", "-in", request, *signed, "-out", certificate)
    return Certificate(str(certificate), str(key), str(ca))


def _new(key: Path) -> tuple[object, ...]:
    return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key)


def _openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
