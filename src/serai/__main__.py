"""``python -m serai``."""

from serai.cli.main import app

app()
