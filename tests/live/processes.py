"""`serai run` in a process of its own, to be killed."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from live.envoys import free_port
from live.serving import SECONDS


@asynccontextmanager
async def running(folder: Path, state: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """`serai run` as a person starts it, from when it is ready."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "serai", "run", str(folder)),
        *("--admin", f"127.0.0.1:{free_port()}", "--drain-seconds", "1"),
        env={**os.environ, "SERAI_STATE": str(state)},
        stderr=asyncio.subprocess.PIPE,
    )
    said = b""
    assert process.stderr is not None
    async with asyncio.timeout(SECONDS):
        while b"ready in" not in said:
            line = await process.stderr.readline()
            assert line, said.decode()
            said += line
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            await asyncio.wait_for(process.communicate(), SECONDS)


async def kill(process: asyncio.subprocess.Process) -> None:
    process.send_signal(signal.SIGKILL)
    await process.communicate()
