"""Encrypted associations: TLS 1.2 or newer, certificates always checked (PS3.15 annex B.12, BCP 195)."""

from __future__ import annotations

import socket
import ssl

from airlock.dicomio.peer import Peer
from airlock.dicomio.wire.requestor import no_tls
from airlock.errors import AssociationRejected, PolicyError


def client_context(peer: Peer) -> ssl.SSLContext:
    """Return the context of associations to a peer.

    Its certificate must be issued by `ca_file`, or by an authority that this machine trusts, for the host by which
    it is called. With `cert_file`, we show a certificate of our own.

    :raises PolicyError: when a file cannot be used.
    """
    try:
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=peer.ca_file)
    except OSError:
        raise _unusable("ca_file") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if peer.cert_file:
        _show(context, peer.cert_file, peer.key_file)
    return context


def encrypted(plain: socket.socket, context: ssl.SSLContext, peer: Peer) -> ssl.SSLSocket:
    """Encrypt a connection that we made to a peer.

    :raises AssociationRejected: when its certificate is not accepted.
    :raises PeerUnavailable: when it doesn't agree on TLS.
    """
    try:
        return context.wrap_socket(plain, server_hostname=peer.host)
    except ssl.SSLCertVerificationError:
        raise AssociationRejected(
            f"{peer.name} shows a certificate that is not accepted. It must be issued by the authority in ca_file, be "
            "valid today, and name the host by which the connection calls it."
        ) from None
    except OSError:
        raise no_tls(peer) from None


def server_context(cert_file: str, key_file: str | None = None, ca_file: str | None = None) -> ssl.SSLContext:
    """Return the context of a port that we listen on.

    :param ca_file: authority whose certificates callers must show; None lets callers without one in.
    :raises PolicyError: when a file cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _show(context, cert_file, key_file)
    if ca_file:
        try:
            context.load_verify_locations(cafile=ca_file)
        except OSError:
            raise _unusable("ca_file") from None
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def move_context(peer: Peer) -> ssl.SSLContext | None:
    """Return the context of the port where a peer sends to us, by C-MOVE or with a report of storage commitment.

    :return: None when it takes plain associations.
    :raises PolicyError: when a file cannot be used.
    """
    if not peer.move_tls or peer.cert_file is None:
        return None
    return server_context(peer.cert_file, peer.key_file, peer.ca_file)


def _show(context: ssl.SSLContext, cert_file: str, key_file: str | None) -> None:
    try:
        # Without a password function OpenSSL would ask for it at a terminal, and wait.
        context.load_cert_chain(cert_file, key_file, password=lambda: "")
    except OSError:
        raise _unusable("cert_file or key_file") from None


def _unusable(name: str) -> PolicyError:
    return PolicyError(
        f"{name} of a DICOM connection cannot be used. Give the path of a PEM file that this user can read; the key "
        "belongs to the certificate and has no password."
    )
