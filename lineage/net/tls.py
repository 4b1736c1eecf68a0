"""Whom we trust, and as whom we come."""

from __future__ import annotations

import os
import ssl


def context(ca_pem: str = "", certificate_pem: str = "", key_pem: str = "") -> ssl.SSLContext:
    """Verifying; with anchors beside the system's, and a client certificate, all as PEM texts.

    Raises: ssl.SSLError, OSError or ValueError where a PEM can't be used.
    """
    made = ssl.create_default_context()
    if ca_pem:
        made.load_verify_locations(cadata=ca_pem)
    if certificate_pem:
        # OpenSSL reads a key from a file only: one in memory.
        descriptor = os.memfd_create("client", os.MFD_CLOEXEC)
        try:
            os.write(descriptor, f"{certificate_pem}\n{key_pem}\n".encode())
            # Without a password OpenSSL would ask the terminal for one.
            made.load_cert_chain(f"/proc/self/fd/{descriptor}", password=lambda: "")
        finally:
            os.close(descriptor)
    return made
