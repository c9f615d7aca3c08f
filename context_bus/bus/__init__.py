"""Topics, frames and sockets: publish, subscribe, request, forward.

Must not know services, contexts or configuration.
"""
