"""The xDS server: gRPC at the edge, the conversation in serai.xds."""
