"""Task service EchoAction."""
