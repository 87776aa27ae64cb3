"""The answers that a test expects: one after another, and many at once."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from wsproto.events import BytesMessage, Event, TextMessage

from conformance import clients, compare
from conformance.backends import Backends
from conformance.observed import Observed
from conformance.patience import PATIENCE, Wrong, eventually
from conformance.sender import Sender

CONSISTENT = 3
"""Successes in a row that count; conformance/utils/http.AwaitConvergence."""


class Traffic:
    """Sends a test's requests and says what is wrong with what comes of them."""

    def __init__(self, sender: Sender, backends: Backends, patience: float = PATIENCE) -> None:
        self._sender = sender
        self._patience = patience
        self._backends = backends

    async def check(self, case: dict[str, Any]) -> None:
        """Raise AssertionError, saying what is wrong, if a case is not as expected."""
        where = f"case:{case['index']} {case['kind']} {case['name']}"
        if case["kind"] == "weighted":
            wrong = await self._distribution(case)
        elif case.get("distribution"):
            wrong = await self._consistently(case) or await self._percentage(case)
        else:
            wrong = await self._consistently(case, case.get("repeat", CONSISTENT))
        assert not wrong, f"{where}: {wrong}"

    async def _consistently(self, case: dict[str, Any], times: int = CONSISTENT) -> Wrong:
        wrong: Wrong = []
        ends, successes = time.monotonic() + self._patience, 0
        while successes < times:
            wrong = await self._once(case)
            successes = 0 if wrong else successes + 1
            if wrong and time.monotonic() > ends:
                return wrong
            if wrong:
                await asyncio.sleep(0.1)
        return []

    async def _once(self, case: dict[str, Any]) -> Wrong:
        case = self._sender.fresh(case)
        expected, outcome = case["expected"], case["expected"]["outcome"]
        if outcome in {"framesEchoed", "anyDNSAnswer", "udpEcho"}:
            return await self._exchange(case)
        got, scheme, path = await self._sender.ask(case)
        match outcome:
            case "anyErrorNot200":
                bad = not got.error and (got.status == 200 or got.status in compare.TIMEOUTS)
                return [f"answered {got.status}"] if bad else []
            case "requestError":
                return [] if got.error else [f"answered {got.status}"]
            case "connectionRejected(RST|EOF)":
                return [] if got.rejected else [got.error or "the connection stands"]
            case "anyCodeNotOK":
                return [] if got.status != 0 else ["the call succeeded"]
            case "tcpEcho":
                return compare.dialog(expected, got)
            case "response":
                return self._compare(case, got, scheme, path) or await self._mirrored(case, path)
        raise NotImplementedError(outcome)

    def _compare(self, case: dict[str, Any], got: Observed, scheme: str, path: str) -> Wrong:
        expected, request = case["expected"], case["request"]
        match case["kind"]:
            case "grpc":
                method = f"/{request['service']}/{request['method']}"
                return compare.call(expected, got, method)
            case "mesh-grpc":
                wrong = [f"code {got.status}: {got.error}"] if got.status else []
                return wrong or compare.mesh(
                    expected, msgspec.structs.replace(got, status=200, error=""), path
                )
            case "mesh-http":
                return compare.mesh(expected, got, path)
        return compare.round_trip(expected, got, scheme, path, host=request.get("host", ""))

    # What is no single answer.

    async def _exchange(self, case: dict[str, Any]) -> Wrong:
        connect, request = self._sender.connect(case), case["request"]
        expected = case["expected"]
        match expected["outcome"]:
            case "framesEchoed":
                sent: list[Event] = [
                    TextMessage(data=each["text"])
                    if "text" in each
                    else BytesMessage(data=bytearray(each["binary"]))
                    for each in request["send"]
                ]
                try:
                    got = await clients.frames(connect, request["path"], sent)
                except (OSError, TimeoutError) as error:
                    return [repr(error)]
                return [] if got == sent else [f"{got} came back, not {sent}"]
            case "anyDNSAnswer":
                name, _, _ = request["question"].partition(" ")
                labels = [each.encode() for each in name.strip(".").split(".")]
                question = b"".join(bytes([len(each)]) + each for each in labels) + b"\0\0\1\0\1"
                asked = b"\x12\x34\1\0\0\1\0\0\0\0\0\0" + question
                answer = await clients.datagram(connect, asked)
                good = answer is not None and answer[:2] == asked[:2] and answer[2] & 0x80
                return [] if good else [f"no DNS answer: {answer!r}"]
        answer = await clients.datagram(connect, clients.PROBE)
        if answer is None:
            return ["no datagram came back"]
        told = msgspec.json.decode(answer)
        return [
            f"{field} {told.get(field)!r}, not {expected[field]!r}"
            for field in ("service", "namespace")
            if expected.get(field) and told.get(field) != expected[field]
        ]

    async def _mirrored(self, case: dict[str, Any], path: str) -> Wrong:
        wanted = case["expected"].get("mirroredTo", ())
        if case.get("distribution") or not wanted:
            return []
        return await eventually(
            lambda: [
                f"nothing mirrored to {each['name']}"
                for each in wanted
                if not self._echoed(each, path)
            ]
        )

    def _echoed(self, backend: dict[str, Any], path: str) -> int:
        return sum(
            count
            for (namespace, pod, seen), count in list(self._backends.echoed.items())
            if namespace == backend["namespace"]
            and pod.startswith(f"{backend['name']}-")
            and seen == path
        )

    async def _many(self, count: int, ask: Callable[[], Awaitable[Observed]]) -> list[Observed]:
        """So many requests, ten of them at a time."""
        gate = asyncio.Semaphore(10)

        async def one() -> Observed:
            async with gate:
                return await ask()

        return list(await asyncio.gather(*(one() for _ in range(count))))

    async def _distribution(self, case: dict[str, Any]) -> Wrong:
        expected, each = case["expected"], case["each"]

        async def ask() -> Observed:
            return (await self._sender.ask(self._sender.fresh(each)))[0]

        wrong: Wrong = []
        for _ in range(expected["attempts"]):
            seen: Counter[str] = Counter()
            for got in await self._many(case["requests"], ask):
                pod = str(got.told.get("pod", got.error))
                seen[pod.rsplit("-", 2)[0]] += 1
            wrong = [f"unexpected {name}" for name in seen if name not in expected["weights"]]
            for name, weight in expected["weights"].items():
                share = seen[name] / case["requests"]
                if abs(share - weight) > expected["toleranceAbsolute"] or (not weight and share):
                    wrong.append(f"{name}: {share:.3f}, not {weight}")
            if not wrong:
                return []
        return wrong

    async def _percentage(self, case: dict[str, Any]) -> Wrong:
        plan, path = case["distribution"], case["request"]["path"]
        count = plan["requests"]
        wrong: Wrong = []

        async def ask() -> Observed:
            return (await self._sender.ask(self._sender.fresh(case)))[0]

        for _ in range(plan["attempts"]):
            wanted = case["expected"]["mirroredTo"]
            before = [self._echoed(each, path) for each in wanted]
            await self._many(count, ask)
            await asyncio.sleep(0.2)  # a mirror is sent beside the answer
            wrong = []
            for each, had in zip(wanted, before, strict=True):
                share = each["percent"] / 100
                deviation = plan["toleranceStdDevs"] * (count * share * (1 - share)) ** 0.5
                seen = self._echoed(each, path) - had
                if abs(seen - count * share) > deviation:
                    wrong.append(f"{seen} of {count} mirrored, not {count * share:.0f}")
            if not wrong:
                return []
        return wrong
