"""`serai controller`: the objects of a cluster, served to Envoys anywhere in it.

Every replica reads, translates and serves; the one that leads also writes statuses and deploys.
"""

from serai.app.controller.controller import Controller
from serai.app.controller.options import Options

__all__ = ["Controller", "Options"]
