"""Names that must not meet twice: transactions, senders, requests. Knows nothing else."""

from __future__ import annotations

import itertools
import os
import string

#: Length of a generated transaction id; the alphabet is upper case letters and digits (as ever on this wire).
TRANSACTION_LENGTH = 20
_ALPHABET = string.ascii_uppercase + string.digits
_serial = itertools.count(1)


def new_transaction() -> str:
    """Make a transaction id: 20 characters of ``[A-Z0-9]``."""
    import secrets

    return "".join(secrets.choice(_ALPHABET) for _ in range(TRANSACTION_LENGTH))


def new_sender(name: str = "") -> str:
    """Make the name of one publisher in one process, new after every restart."""
    return f"{name or 'node'}.{os.getpid():x}.{next(_serial):x}.{new_token(3)}"


def new_request() -> str:
    """Make the id that joins a request with its reply."""
    return new_token(8)


def new_token(size: int) -> str:
    """So many random bytes as hexadecimal text; ``secrets`` would cost every command 5 ms of imports."""
    return os.urandom(size).hex()
