"""Topics, frames and sockets: publish, subscribe, request, forward. Must not know services or contexts."""
