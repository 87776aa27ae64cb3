"""Asking Envoy itself whether it would take a configuration; about 0.1 s a question."""

from __future__ import annotations

import asyncio
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from serai.envoy.binary import EnvoyBinary

SECONDS = 10.0
_REFUSED = re.compile(r"error initializing configuration '[^']*': (?P<words>.*)")


async def refusal(binary: EnvoyBinary, bootstrap: dict[str, Any]) -> str:
    """What Envoy has against a bootstrap, in its words; empty if nothing.

    TimeoutError if it does not answer, OSError if it cannot be started.
    """
    with tempfile.TemporaryDirectory(prefix="serai-validate-") as folder:
        path = Path(folder) / "bootstrap.json"
        path.write_bytes(msgspec.json.encode(bootstrap))
        process = await asyncio.create_subprocess_exec(
            *(binary.path, "--mode", "validate", "--config-path", str(path)),
            *("--log-level", "critical", "--disable-hot-restart"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(SECONDS):
                _, said = await process.communicate()
        except BaseException:
            process.kill()
            await process.wait()
            raise
    if process.returncode == 0:
        return ""
    text = said.decode(errors="replace")
    found = _REFUSED.search(text)
    return found["words"] if found else text.strip() or f"exit code {process.returncode}"
