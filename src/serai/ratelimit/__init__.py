"""Serai's rate limit service: Envoys ask it about requests, it counts them and says which pass."""

import os

# `serai run` and tests start processes beside it, and gRPC's handlers around fork would hold that
# up.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
