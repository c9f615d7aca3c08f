"""Topics, frames, sockets: publish, subscribe, request, forward. Must not know services, contexts, configuration."""
