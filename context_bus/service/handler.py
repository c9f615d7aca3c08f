"""The service class of old, so that services written for it run unchanged."""

from __future__ import annotations


class ServiceHandler:
    """Base of services in the old shape."""
