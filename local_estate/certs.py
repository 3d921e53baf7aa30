"""A certificate authority made for one run, and the certificates of everything on loopback that speaks TLS.

    CA ──┬── server.pem           127.0.0.1, localhost and Azure's host names (ARM, login: for the proxy)
         ├── site-default.pem     *.azurewebsites.net: what an unbound host is shown, so the client sees a name mismatch
         └── host-<name>.pem      one per custom host name that has a certificate

All keys are ECDSA P-256. Files lie in a directory of mode 0700 and hold key and chain in one PEM.
"""

from __future__ import annotations

import hashlib
import os
import ssl
from collections.abc import Iterable
from pathlib import Path

import trustme

AZURE_HOSTS = (
    "management.azure.com",
    "login.microsoftonline.com",
    "login.windows.net",
    "management.core.windows.net",
    "graph.microsoft.com",
    "management.chinacloudapi.cn",
    "login.chinacloudapi.cn",
    "login.partner.microsoftonline.cn",
    "management.usgovcloudapi.net",
    "login.microsoftonline.us",
)


class Authority:
    """This run's CA. Issuing is lazy: a certificate is made when first asked for."""

    def __init__(self, directory: Path) -> None:
        """Make the CA and write `ca.pem` into *directory*. Raises OSError."""
        self.directory = directory
        self.ca_file = directory / "ca.pem"
        self._ca = trustme.CA(key_type=trustme.KeyType.ECDSA, organization_name="failover-drill local estate")
        self._ca.cert_pem.write_to_path(self.ca_file)

    def server_pem(self) -> Path:
        """Return the PEM of the control plane: loopback and Azure's own host names."""
        return self._issued("server.pem", ("127.0.0.1", "localhost", *AZURE_HOSTS))

    def default_site_pem(self, regions: Iterable[str] = ()) -> Path:
        """Return the PEM of the azurewebsites.net family, the newer `*.<region>-01.` names included."""
        unique = tuple(f"*.{region}-01.azurewebsites.net" for region in sorted(set(regions)))
        names = ("*.azurewebsites.net", "*.scm.azurewebsites.net", *unique)
        return self._issued(f"site-default-{_digest(' '.join(unique))}.pem", names)

    def host_pem(self, host: str) -> Path:
        """Return the PEM of one custom host name."""
        return self._issued(f"host-{_digest(host.lower())}.pem", (host.lower(),))

    def _issued(self, name: str, identities: tuple[str, ...]) -> Path:
        path = self.directory / name
        if not path.exists():
            leaf = self._ca.issue_cert(*identities, key_type=trustme.KeyType.ECDSA)
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with open(fd, "wb") as file:
                file.write(leaf.private_key_and_cert_chain_pem.bytes())
        return path


def server_context(pem: Path | str) -> ssl.SSLContext:
    """Return a TLS server context that shows the certificate in *pem*."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
