"""A certificate that somebody else keeps in a folder: followed, and only used where it fits."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from serai.app.controller import xds_keys
from serai.app.controller.xds_keys import FileKeys
from serai.server.authority import Keys, settled

NOW = datetime(2026, 11, 25, tzinfo=UTC)


def made() -> Keys:
    return settled(None, ("serai.example",), NOW)


def put(folder: Path, keys: Keys) -> None:
    (folder / "tls.crt").write_bytes(keys.serving.certificate)
    (folder / "tls.key").write_bytes(keys.serving.key)
    (folder / "ca.crt").write_bytes(keys.trust)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_files_are_followed_as_far_as_they_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xds_keys, "FILES_SECONDS", 0.01)
    first, second = made(), made()
    put(tmp_path, first)
    followed, told = FileKeys(tmp_path), 0

    def hear() -> None:
        nonlocal told
        told += 1

    followed.trusted_changed = hear
    task = asyncio.create_task(followed.run())
    # Half of it is new: what there was stays in use.
    (tmp_path / "tls.crt").write_bytes(second.serving.certificate)
    await asyncio.sleep(0.1)
    assert (followed.serving, followed.trust) == (first.serving, first.trust)
    (tmp_path / "tls.key").write_bytes(second.serving.key)
    await asyncio.sleep(0.1)
    assert followed.serving == first.serving, "nobody who trusts the first would believe it"
    (tmp_path / "ca.crt").unlink()
    await asyncio.sleep(0.1)
    assert followed.serving == first.serving
    put(tmp_path, second)
    await until(lambda: followed.trust == second.trust)
    assert followed.serving == second.serving
    assert told == 1
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def test_files_that_cannot_be_used_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"tls\.crt"):
        FileKeys(tmp_path)
    put(tmp_path, made())
    (tmp_path / "tls.key").write_bytes(made().serving.key)
    with pytest.raises(ValueError, match="not that of the certificate"):
        FileKeys(tmp_path)
    put(tmp_path, made())
    (tmp_path / "ca.crt").write_bytes(made().trust)
    with pytest.raises(ValueError, match=r"tls\.crt is signed by none of ca\.crt"):
        FileKeys(tmp_path)
    (tmp_path / "ca.crt").write_bytes(b"nonsense")
    with pytest.raises(ValueError, match="PEM"):
        FileKeys(tmp_path)
