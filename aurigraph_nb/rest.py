"""Statistics by HTTP: one row at the start, or one a second while a stream cannot be reached.

One small GET, never followed elsewhere: a redirect could carry the token to another origin.
"""

from __future__ import annotations

import asyncio
import http.client
import ssl as ssl_module
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from .clock import Clock
from .tokens import is_this_machine

MAX_BYTES = 2**20
TIMEOUT_S = 5.0
TOTAL_S = 10.0
POLL_S = 1.0


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


def get(url: str, headers: Mapping[str, str], context: ssl_module.SSLContext | None) -> bytes:
    """The body that ``url`` answers with; at most 1 MiB of it, and within ten seconds.

    Plain http goes past the proxies of the environment: they could read the token.

    :raises OSError: if there is no answer, or one that is no 200
    """
    handlers: list[Any] = [_NoRedirect()]
    if url.startswith("http:") or is_this_machine(url):
        handlers.append(urllib.request.ProxyHandler({}))
    if context is not None:
        handlers.append(urllib.request.HTTPSHandler(context=context))
    request = urllib.request.Request(url, headers={"Accept": "application/json", **headers})
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=TIMEOUT_S) as answer:
            return _body(answer)
    except urllib.error.HTTPError as exc:
        exc.close()
        raise OSError(f"{exc.code} {http.client.responses.get(exc.code, '')}".strip()) from None
    except urllib.error.URLError as exc:
        raise OSError(str(exc.reason)) from None
    except http.client.HTTPException as exc:
        raise OSError(f"no HTTP answer ({type(exc).__name__})") from None


def _body(answer: Any) -> bytes:
    deadline = time.monotonic() + TOTAL_S
    body = b""
    while part := answer.read1(65_536):
        body += part
        if len(body) > MAX_BYTES:
            raise OSError(f"the answer is longer than {MAX_BYTES} bytes")
        if time.monotonic() > deadline:
            raise OSError(f"the answer took longer than {TOTAL_S:g} s")
    return body


class Poller:
    """Asks again and again until stopped. Lives on the I/O loop.

    :param fetch: gets the body
    :param took: called on the loop with each body
    :param clock: the clock that the pauses between two polls are measured on
    """

    def __init__(
        self,
        fetch: Callable[[], Awaitable[bytes]],
        took: Callable[[bytes], object],
        clock: Clock,
        *,
        every_s: float = POLL_S,
    ) -> None:
        self._fetch, self._took, self._clock, self._every_s = fetch, took, clock, every_s
        self._task: asyncio.Task[None] | None = None
        self.polls = 0
        self.last_error: str | None = None
        """Why the last poll brought nothing; None if it did."""

    @property
    def running(self) -> bool:
        return self._task is not None and not self._task.done()

    def start(self) -> None:
        """Begin; harmless when running."""
        if not self.running:
            awake = self._clock.awake()
            awake.__enter__()
            self._task = asyncio.get_running_loop().create_task(self._run())
            self._task.add_done_callback(lambda _: awake.__exit__(None, None, None))

    def stop(self) -> None:
        """End; harmless when not running."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def once(self) -> bool:
        """Ask once; whether there was an answer."""
        self.polls += 1
        try:
            body = await self._fetch()
        except Exception as exc:  # noqa: BLE001 - whatever it was, it is told, and the next poll may bring something
            self.last_error = str(exc)[:200] or type(exc).__name__
            return False
        self.last_error = None
        self._took(body)
        return True

    async def _run(self) -> None:
        while True:
            await self.once()
            await self._clock.sleep(self._every_s)
