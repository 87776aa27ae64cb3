"""The xDS server: gRPC at the edge, the conversation in serai.xds."""

import os

# We start Envoys beside it, and gRPC's handlers around fork would hold that up.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
