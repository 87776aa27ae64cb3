"""The xDS server: the streams of serai.xds over gRPC."""
