"""The certificate authorities that a TLS connection is checked against."""

from __future__ import annotations

import ssl
from functools import partial

from tui.channels.apart import apart
from tui.channels.errors import OpenError

_of_the_system: ssl.SSLContext | None = None


async def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """A client's context that trusts a file of authorities, or the system's for None.

    A named file may be renewed: it is read each time. The system's, about 20 ms, are read once.

    Raises:
        OpenError: the file cannot be read or holds no certificates.
    """
    global _of_the_system
    if ca_file is None and _of_the_system is not None:
        return _of_the_system
    what = "the system's certificate authorities" if ca_file is None else f"ca_file {ca_file}"
    try:
        context = await apart(
            ("authorities", ca_file), partial(ssl.create_default_context, cafile=ca_file), what
        )
    except ssl.SSLError:
        words = "ca_file holds no certificates"
    except OSError as error:
        words = f"ca_file cannot be read: {error.strerror or type(error).__name__}"
    else:
        if ca_file is None:
            _of_the_system = context
        return context
    raise OpenError(words)
