"""Statistics by HTTP beside a stream: a row at the start, and a row a second while the stream cannot be reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import iothread, rest
from . import session as fsm
from .clock import Cancellable, Clock
from .dial import Options
from .intake import Intake
from .links import FeedLink
from .tokens import token_of

if TYPE_CHECKING:
    from .feed import Feed

DIAL_AGAIN_S = 10.0
"""While statistics are polled, the stream itself is tried again this often."""


class Fallback:
    """Decides when to poll, and hands what comes to the intake. Lives on the I/O loop.

    :param url: where the statistics are; None for systems that have none
    :param bootstrap: whether one row is fetched at the start
    """

    def __init__(
        self, feed: Feed, url: str | None, options: Options, intake: Intake, clock: Clock, *, bootstrap: bool
    ) -> None:
        self._feed, self._url, self._options, self._intake, self._clock = feed, url, options, intake, clock
        self._bootstrap = bootstrap and url is not None
        self._poller: rest.Poller | None = None
        self._redial: Cancellable | None = None

    @property
    def polling(self) -> bool:
        """Whether statistics stand in for the stream now."""
        return self._poller is not None and self._poller.running

    def boot(self) -> None:
        """The first connection is about to be made: fetch one row, if that was asked for."""
        if self._bootstrap:
            self._bootstrap = False
            self._feed.hold_task(self._make().once())

    def look(self, link: FeedLink) -> None:
        """A link changed: begin polling when it was given up, end when it stands."""
        if self._url is None or self._feed.closed:
            return
        session = link.session
        if session.state is fsm.State.CONNECTED or session.state in (fsm.State.DISCONNECTED, fsm.State.CLOSED):
            self.stop()
        elif session.state is fsm.State.ERROR and (session.exhausted or session.last_cause == "http 404"):
            if self._poller is None:
                self._poller = self._make()
            self._poller.start()
            self._schedule_redial(link)

    def stop(self) -> None:
        """End polling."""
        if self._poller is not None:
            self._poller.stop()
        if self._redial is not None:
            self._redial.cancel()
            self._redial = None

    def _schedule_redial(self, link: FeedLink) -> None:
        def dial() -> None:
            self._redial = None
            link.handle(fsm.Connect())

        if self._redial is None:
            self._redial = self._clock.call_later(DIAL_AGAIN_S, dial)

    def _make(self) -> rest.Poller:
        return rest.Poller(self._fetch, self._took, self._clock)

    async def _fetch(self) -> bytes:
        url, options = self._url, self._options
        assert url is not None
        headers = dict(options.headers)
        if options.token is not None:
            token = await token_of(options.token, options.open_timeout_s)
            self._intake.secrets.add(token)
            headers["Authorization"] = f"Bearer {token}"
        return await iothread.off_loop(lambda: rest.get(url, headers, options.ssl), 2 * rest.TOTAL_S)

    def _took(self, body: bytes) -> None:
        if self._feed.closed:
            return
        if not any(topic.opened for topic in self._feed):
            self.stop()  # nobody wants to know any more
            return
        self._intake.on_statistics(body, self._feed.now_ns())
