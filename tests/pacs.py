"""Real PACSs for tests: those of the demonstration, and DCMTK's dcmqrscp."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from airlock.dicomio.peer import Peer
from airlock.dicomio.webpeer import WebPeer
from demo.pacs import destinations_of, local_peer, orthanc, orthanc_command, qrscp, running
from demo.services import free_port
from tests.certificates import Certificate


@contextmanager
def dcmqrscp(folder: Path, *, aet: str = "DCMQR", port: int | None = None, destinations=None) -> Iterator[Peer]:
    """Run DCMTK's dcmqrscp. Arguments as :func:`demo.pacs.qrscp`."""
    peer = local_peer(aet, port, destinations)
    storage = folder / "storage"
    storage.mkdir(parents=True, exist_ok=True)
    hosts = [
        f"host{number} = ({title}, {host}, {move_port})"
        for number, (title, (host, move_port)) in enumerate(destinations_of(peer, destinations).items())
    ]
    lines = [f"NetworkTCPPort = {peer.port}", "MaxPDUSize = 131072", "MaxAssociations = 16"]
    lines += ["HostTable BEGIN", *hosts, "HostTable END", "VendorTable BEGIN", "VendorTable END"]
    lines += ["AETable BEGIN", f"{aet} {storage} RW (200, 1024mb) ANY", "AETable END"]
    config = folder / "dcmqrscp.cfg"
    config.write_text("\n".join(lines) + "\n")
    with running(["dcmqrscp", "--config", str(config)], folder / "dcmqrscp.log", peer):
        yield peer


@contextmanager
def orthanc_tls(folder: Path, ours: Certificate, theirs: Certificate) -> Iterator[Peer]:
    """Run Orthanc encrypted both ways: who calls it shows a certificate, and so does it where it moves studies to."""
    peer = replace(
        local_peer("ORTHANC", None, None),
        tls=True,
        move_tls=True,
        ca_file=ours.authority,
        cert_file=ours.certificate,
        key_file=ours.key,
    )
    command = orthanc_command(folder, peer, destinations_of(peer, None))
    config = Path(command[1])
    settings = json.loads(config.read_text())
    settings["DicomModalities"] = {
        name: {"AET": title, "Host": host, "Port": port, "UseDicomTls": True}
        for name, (title, host, port) in settings["DicomModalities"].items()
    }
    settings |= {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": theirs.certificate,
        "DicomTlsPrivateKey": theirs.key,
        "DicomTlsTrustedCertificates": theirs.authority,
        "DicomTlsRemoteCertificateRequired": True,
    }
    config.write_text(json.dumps(settings))
    with running(command, folder / "orthanc.log", peer):
        yield peer


START = {"qrscp": qrscp, "orthanc": orthanc, "dcmqrscp": dcmqrscp}
PROGRAMS = {"qrscp": (), "orthanc": ("Orthanc",), "dcmqrscp": ("dcmqrscp",)}

WEB_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


@contextmanager
def orthanc_web(folder: Path) -> Iterator[tuple[Peer, WebPeer]]:
    """Run Orthanc with its DICOMweb plugin."""
    peer, http_port = local_peer("ORTHANC", None, None), free_port()
    command = orthanc_command(folder, peer, destinations_of(peer, None), http_port)
    config = Path(command[1])
    web = {"Plugins": [str(WEB_PLUGIN)], "DicomWeb": {"Enable": True, "Root": "/dicom-web/"}}
    config.write_text(json.dumps(json.loads(config.read_text()) | web))
    with running(command, folder / "orthanc.log", peer):
        yield peer, WebPeer(f"http://127.0.0.1:{http_port}/dicom-web")
