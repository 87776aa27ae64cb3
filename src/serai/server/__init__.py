"""The xDS server: gRPC at the edge, over HTTP/2 of our own; the conversation is in serai.xds."""
