"""A certificate authority of the tests' own, by the openssl command."""

from __future__ import annotations

import subprocess
from pathlib import Path

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
_DAYS = ("-days", "2")


def write_certificates(folder: Path) -> None:
    """Write ``ca.pem``, and ``server.pem`` with ``server.key``: a certificate of it for 127.0.0.1 alone."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    (folder / "server.ext").write_text("subjectAltName=IP:127.0.0.1\n")
    openssl("req", "-x509", *_KEY, *_DAYS, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test CA",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign")  # fmt: skip
    openssl("req", *_KEY, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=server")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            *_DAYS, "-extfile", "server.ext", "-out", "server.pem")  # fmt: skip
