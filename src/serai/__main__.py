"""The command ``serai``, and ``python -m serai``."""

from __future__ import annotations


def main() -> None:
    """Run the command line.  Interrupted while it is still loaded, it ends as it does later on."""
    try:
        from serai.cli.main import app  # noqa: PLC0415  what takes the time

        app()
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
