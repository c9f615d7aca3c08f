"""Names that must not meet twice: transactions, senders, requests. Knows nothing else."""

from __future__ import annotations

import itertools
import os
import secrets
import string

#: Length of a generated transaction id; the alphabet is upper case letters and digits (as ever on this wire).
TRANSACTION_LENGTH = 20
_ALPHABET = string.ascii_uppercase + string.digits
_serial = itertools.count(1)


def new_transaction() -> str:
    """Make a transaction id: 20 characters of ``[A-Z0-9]``."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(TRANSACTION_LENGTH))


def new_sender(name: str = "") -> str:
    """Make the name of one publisher in one process, new after every restart."""
    return f"{name or 'node'}.{os.getpid():x}.{next(_serial):x}.{secrets.token_hex(3)}"


def new_request() -> str:
    """Make the id that joins a request with its reply."""
    return secrets.token_hex(8)
