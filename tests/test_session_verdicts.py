"""What each close, refusal and failure means: every row of the table, and the sentences that people read."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurigraph_nb.errors import AuthRefused, ConnectFailed
from aurigraph_nb.session import (
    MAX_HOPS,
    STOP_CODES,
    Action,
    Failed,
    FailedKind,
    Lost,
    Outcome,
    Policy,
    Refused,
    Tally,
    Verdict,
    classify,
    clean,
    parse_retry_after,
    redirect_target,
    shown,
)
from aurigraph_nb.session.rules import FAILURES
from aurigraph_nb.session.text import endpoint

URL = "ws://node:9003/ws/metrics"
PLAIN = Policy(url=URL, max_size=2**20)
TOKEN = Policy(url=URL, token_sent=True)
RETRY, STOP, FATAL, FOLLOW = Action.RETRY, Action.STOP, Action.FATAL, Action.FOLLOW


def judge(outcome: Outcome, policy: Policy = PLAIN, tally: Tally | None = None) -> Verdict:
    return classify(outcome, tally or Tally(), policy)


def in_a_row(outcome: Outcome, count: int, policy: Policy = PLAIN) -> list[Verdict]:
    tally, found = Tally(), []
    for _ in range(count):
        found.append(classify(outcome, tally, policy))
        tally = found[-1].tally
    return found


def actions(outcome: Outcome, count: int = 4, policy: Policy = PLAIN) -> list[Action]:
    return [v.action for v in in_a_row(outcome, count, policy)]


# --- close codes


@pytest.mark.parametrize(
    "code, words",
    [
        (1000, "the server closed with 1000 (normal end)"),
        (1001, "the server closed with 1001 (going away)"),
        (1005, "the server closed with 1005 (no code given)"),
        (1006, "the connection broke (1006, no close frame)"),
        (1011, "the server closed with 1011 (internal error)"),
        (1012, "the server closed with 1012 (service restart)"),
        (1013, "the server closed with 1013 (try again later)"),
        (1014, "the server closed with 1014 (bad gateway)"),
        (1015, "the server closed with 1015 (TLS failure)"),
    ],
)
def test_a_transient_close_is_tried_again_however_often_it_comes(code: int, words: str) -> None:
    for verdict in in_a_row(Lost(code), 20):
        assert verdict.action is RETRY and verdict.cause == f"close {code}" and verdict.error is None
        assert verdict.message.startswith(f"{URL}: {words}.") and verdict.message.endswith(" Trying again.")


@pytest.mark.parametrize(
    "code, words",
    [
        (1002, "closed with 1002 (protocol error). Expected valid WebSocket frames: check host and port"),
        (1003, "closed with 1003 (unsupported data). Check that this URL speaks the protocol 'portal' (protocol="),
        (1007, "closed with 1007 (invalid payload). Expected valid UTF-8"),
        (1010, "closed with 1010 (missing extension). The two sides disagree on compression: try the other"),
    ],
)
def test_a_close_that_no_retry_can_help_is_fatal_at_once(code: int, words: str) -> None:
    verdict = judge(Lost(code))
    assert verdict.action is FATAL and verdict.error is ConnectFailed
    assert words in verdict.message and "feed.reconnect() does, once that is put right" in verdict.message


def test_1000_is_tried_again_for_three_protocols_and_stops_the_fourth() -> None:
    for name in ("portal", "live", "channels"):
        policy = Policy(name=name, url=URL, stop_codes=STOP_CODES.get(name, frozenset()))
        assert judge(Lost(1000), policy).action is RETRY
    stopped = judge(Lost(1000, "bye"), Policy(name="fakeai", url=URL, stop_codes=STOP_CODES["fakeai"]))
    assert stopped.action is STOP and stopped.error is None
    assert stopped.message == (
        f'{URL}: the server closed with 1000 (normal end) and the reason "bye". '
        "The stream is over; feed.connect() asks for more."
    )


def test_a_stop_code_of_a_finite_run_stops_whatever_the_table_says() -> None:
    assert judge(Lost(4999), Policy(stop_codes=frozenset({4999}))).action is STOP


def test_1008_is_fatal_at_once_if_a_token_was_sent() -> None:
    verdict = judge(Lost(1008, "policy"), TOKEN)
    assert verdict.action is FATAL and verdict.error is AuthRefused
    assert "Token: it was sent and not accepted; check that it is valid, not expired" in verdict.message


@pytest.mark.parametrize(
    "reason",
    [
        "Authentication required",
        "unauthorized",
        "invalid token",
        "JWT expired",
        "Forbidden",
        "please log in",
        "no API key",
    ],
)
def test_1008_is_fatal_at_once_if_the_reason_speaks_of_authentication(reason: str) -> None:
    verdict = judge(Lost(1008, reason))
    assert verdict.action is FATAL and verdict.error is AuthRefused
    assert "Token: none was sent; give token= to connect()." in verdict.message and reason in verdict.message


def test_1008_without_a_word_of_authentication_gets_one_retry() -> None:
    first, second = in_a_row(Lost(1008, "too chatty"), 2)
    assert first.action is RETRY and "(1 of 2 in a row)" in first.message
    assert second.action is FATAL and second.error is ConnectFailed
    assert 'the reason "too chatty" (2 of 2 in a row)' in second.message


def test_1009_says_which_limit_and_the_third_in_a_row_is_fatal() -> None:
    assert actions(Lost(1009), 3) == [RETRY, RETRY, FATAL]
    theirs = judge(Lost(1009)).message
    assert "The limit here is 1,048,576 bytes (max_size= in connect()); the server's own limit was passed" in theirs
    ours = judge(Lost(1009, ours=True)).message
    assert "this side closed with 1009 (message too big) (1 of 3 in a row)" in ours
    assert "larger than the limit here, 1,048,576 bytes: raise max_size= in connect()" in ours
    assert "The limit here is none" in judge(Lost(1009), TOKEN).message


def test_our_own_closes_are_told_as_ours() -> None:
    assert "this side closed with 1011 (no answer to a ping)" in judge(Lost(1011, ours=True)).message
    assert judge(Lost(1002, ours=True)).action is FATAL
    assert "What came is not valid WebSocket" in judge(Lost(1002, ours=True)).message


@pytest.mark.parametrize("code", [3000, 3999, 4000, 4999])
def test_three_closes_of_an_application_in_a_row_are_fatal(code: int) -> None:
    verdicts = in_a_row(Lost(code, "later"), 3)
    assert [v.action for v in verdicts] == [RETRY, RETRY, FATAL]
    assert f"closed with {code} (a code of the application)" in verdicts[2].message
    assert "(3 of 3 in a row)" in verdicts[2].message and verdicts[2].error is ConnectFailed


def test_different_codes_of_an_application_are_in_one_row() -> None:
    tally = judge(Lost(4001), tally=judge(Lost(3000)).tally).tally
    assert judge(Lost(4999), tally=tally).action is FATAL


def test_something_else_in_between_breaks_a_row() -> None:
    tally = in_a_row(Lost(4000), 2)[-1].tally
    tally = judge(Lost(1006), tally=tally).tally
    assert judge(Lost(4000), tally=tally).action is RETRY


@pytest.mark.parametrize("code", [-1, 0, 999, 1004, 1016, 2999, 5000, 65535])
def test_a_code_that_nobody_defined_is_tried_twice_again(code: int) -> None:
    assert actions(Lost(code), 3) == [RETRY, RETRY, FATAL]
    assert "a code with no meaning here" in judge(Lost(code)).message


# --- refusals


def test_401_asks_for_the_token() -> None:
    without, with_token = judge(Refused(401)), judge(Refused(401), TOKEN)
    assert without.action is with_token.action is FATAL
    assert without.error is with_token.error is AuthRefused
    assert "HTTP 401 (Unauthorized) where 101 was expected" in without.message
    assert "none was sent; give token= to connect()" in without.message
    assert "it was sent and not accepted" in with_token.message


@pytest.mark.parametrize("policy, words", [(PLAIN, "none was sent"), (TOKEN, "it was sent and not accepted")])
def test_403_names_the_token_and_the_path(policy: Policy, words: str) -> None:
    verdict = judge(Refused(403), policy)
    assert verdict.action is FATAL and verdict.error is AuthRefused and verdict.cause == "http 403"
    assert words in verdict.message and "Path: check '/ws/metrics'" in verdict.message
    assert "Either the token or the path is wrong" in verdict.message


def test_404_names_the_path() -> None:
    verdict = judge(Refused(404))
    assert verdict.action is FATAL and verdict.error is ConnectFailed and verdict.cause == "http 404"
    assert verdict.message == (
        f"{URL}: the server answered HTTP 404 (Not Found) where 101 was expected. There is nothing at the path "
        "'/ws/metrics': check path, port and prefix of the URL. Not trying again; feed.reconnect() does, once that is "
        "put right."
    )


@pytest.mark.parametrize("status", [408, 425, 429, 500, 501, 502, 503, 504, 505, 520, 599])
def test_a_transient_refusal_is_tried_again_and_its_wait_kept(status: int) -> None:
    for verdict in in_a_row(Refused(status, retry_after_s=7.0), 10):
        assert (verdict.action, verdict.retry_after_s, verdict.error) == (RETRY, 7.0, None)
        assert f"HTTP {status} (" in verdict.message


@pytest.mark.parametrize(
    "asked, waited",
    [(None, None), (0.0, 0.0), (-5.0, 0.0), (300.0, 300.0), (1e9, 300.0), (math.inf, 300.0), (math.nan, None)],
)
def test_a_wait_beyond_reason_is_cut(asked: float | None, waited: float | None) -> None:
    assert judge(Refused(503, retry_after_s=asked)).retry_after_s == waited


@pytest.mark.parametrize("status", [400, 402, 405, 410, 426, 451])
def test_another_refusal_of_the_request_is_fatal(status: int) -> None:
    verdict = judge(Refused(status, retry_after_s=5.0))
    assert verdict.action is FATAL and verdict.error is ConnectFailed and verdict.retry_after_s is None
    assert f"HTTP {status}" in verdict.message and "speaks the protocol 'portal'" in verdict.message


@pytest.mark.parametrize("status", [-1, 0, 100, 200, 204, 999])
def test_an_answer_that_is_no_websocket_is_fatal_and_names_the_path(status: int) -> None:
    verdict = judge(Refused(status))
    assert verdict.action is FATAL
    assert "something else than a WebSocket at the path '/ws/metrics'" in verdict.message


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_on_the_same_host_is_followed(status: int) -> None:
    verdict = judge(Refused(status, location="http://node:9003/v2"))
    assert (verdict.action, verdict.url) == (FOLLOW, "ws://node:9003/v2")
    assert verdict.message == f"{URL}: the server answered HTTP {status} (redirect) to http://node:9003/v2. Following."


def test_the_sixth_redirect_in_a_row_is_fatal() -> None:
    assert actions(Refused(302, location="/v2"), 6) == [FOLLOW] * MAX_HOPS + [FATAL]
    assert "sends us in circles" in in_a_row(Refused(302, location="/v2"), 6)[-1].message


@pytest.mark.parametrize("status, location", [(300, "/v2"), (304, None), (302, None), (302, ""), (399, "/v2")])
def test_a_redirect_that_leads_nowhere_is_fatal(status: int, location: str | None) -> None:
    verdict = judge(Refused(status, location=location))
    assert verdict.action is FATAL and "Expected a Location to follow" in verdict.message


def test_a_redirect_to_another_host_is_fatal_and_says_why() -> None:
    verdict = judge(Refused(302, location="https://elsewhere/ws?token=S3CRET"))
    assert verdict.action is FATAL and verdict.error is ConnectFailed and verdict.url is None
    assert "HTTP 302 (redirect) to https://elsewhere/ws." in verdict.message and "S3CRET" not in verdict.message
    assert "credentials never cross to another place" in verdict.message
    assert "connect to it directly" in verdict.message


def test_a_token_does_not_cross_to_another_port_of_the_host() -> None:
    other_port = Refused(302, location="http://node:9999/ws/metrics")
    assert judge(other_port).action is FOLLOW
    assert judge(other_port, TOKEN).action is FATAL


def test_advice_after_a_redirect_names_where_it_led() -> None:
    led = judge(Refused(302, location="/v2/streams")).tally
    assert "nothing at the path '/v2/streams'" in judge(Refused(404), tally=led).message


# --- failures


@pytest.mark.parametrize(
    "kind, expected",
    [
        ("dns", [RETRY, RETRY, FATAL]),
        ("tcp", [RETRY, RETRY, RETRY]),
        ("timeout", [RETRY, RETRY, RETRY]),
        ("handshake", [RETRY, RETRY, RETRY]),
        ("protocol", [RETRY, RETRY, FATAL]),
        ("token", [RETRY, RETRY, FATAL]),
        ("tls", [FATAL]),
        ("url", [FATAL]),
    ],
)
def test_each_kind_of_failure_has_its_patience(kind: FailedKind, expected: list[Action]) -> None:
    verdicts = in_a_row(Failed(kind, "why"), len(expected))
    assert [v.action for v in verdicts] == expected
    assert {v.cause for v in verdicts} == {kind}
    assert all(v.error is (ConnectFailed if v.action is FATAL else None) for v in verdicts)


@pytest.mark.parametrize(
    "kind, words",
    [
        ("dns", "unknown host 'node': Name or service not known (1 of 3 in a row). Check the spelling of the host"),
        (
            "tcp",
            "no connection to node:9003: Name or service not known. Nothing listens there, or a firewall is in the "
            f"way. `aurigraph-nb serve` starts a local node, `aurigraph-nb doctor {URL}` tells what is wrong.",
        ),
        (
            "tls",
            "TLS failed with node:9003: Name or service not known. Expected a valid certificate for 'node'. Give ssl=",
        ),
        ("token", "no token to send: Name or service not known (1 of 3 in a row). The callable given as token= has to"),
        ("url", "not a URL to connect to: Name or service not known. Expected ws://host:port/path or wss://host/path"),
        ("timeout", "no answer from node:9003 in time: Name or service not known. Raise open_timeout= in connect()."),
        (
            "handshake",
            "node:9003 closed the connection during the handshake: Name or service not known. The server may be "
            "starting or stopping; otherwise check that the port is one of a WebSocket server, and ws:// against",
        ),
        (
            "protocol",
            "no WebSocket handshake from node:9003: Name or service not known (1 of 3 in a row). Expected HTTP",
        ),
    ],
)
def test_a_failure_says_what_came_and_what_to_do(kind: FailedKind, words: str) -> None:
    assert words in judge(Failed(kind, "Name or service not known")).message


def test_an_unknown_host_that_was_reached_before_is_a_network_that_is_gone() -> None:
    tally = Tally(reached=True)
    for _ in range(20):
        verdict = judge(Failed("dns"), tally=tally)
        assert verdict.action is RETRY and verdict.tally.reached
        tally = verdict.tally


def test_a_failure_of_a_kind_that_nobody_named_counts_as_one_of_the_protocol() -> None:
    verdict = judge(Failed("weird"))  # type: ignore[arg-type]
    assert verdict.cause == "protocol"


def test_without_a_url_the_sentences_still_read() -> None:
    for outcome in (Lost(1006), Refused(403), Failed("tcp"), Failed("dns"), Failed("url")):
        assert judge(outcome, Policy()).message.startswith("connection: ")


# --- hostile text


def test_a_reason_is_shown_on_one_line_without_control_characters_and_cut() -> None:
    reason = "\x1b[31mred\x07\r\nnext\u202e\u200b\u2028line\x00" + "x" * 1000
    message = judge(Lost(1012, reason)).message
    assert "[31mred next line xxx" in message and message.isprintable()
    assert "x" * 170 in message and "x" * 200 not in message and "…" in message


@pytest.mark.parametrize(
    "text",
    [
        "bad token=S3CRET here",
        "Bearer S3CRET was refused",
        "url /ws?access_token=S3CRET&x=1",
        "api_key=S3CRET",
        "invalid token S3CRET0123456789abcdef",
        "token: S3CRET0123456789abcdef",
        "got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJTM0NSRVQifQ.S3CRET",
        "got eyJ\u200bhbGciOiJIUzI1NiJ9.S3CRET",
    ],
)
@pytest.mark.parametrize("place", ["reason", "detail"])
def test_what_looks_like_a_secret_is_in_no_message(text: str, place: str) -> None:
    outcome = Lost(1012, text) if place == "reason" else Failed("tcp", text)
    message = judge(outcome).message
    assert "***" in message and "S3CRET" not in message and "eyJ" not in message


@pytest.mark.parametrize("text", ["token expired", "the token is invalid", "token: signature-verification-failed"])
def test_ordinary_words_about_tokens_are_kept(text: str) -> None:
    assert clean(text) == text


OUTCOMES: st.SearchStrategy[Outcome] = st.one_of(
    st.builds(Lost, st.integers(-10, 70000), st.text(max_size=300), ours=st.booleans()),
    st.builds(
        Refused,
        st.integers(-10, 1000),
        st.one_of(st.none(), st.floats()),
        st.one_of(st.none(), st.text(max_size=300)),
    ),
    st.builds(Failed, st.sampled_from([*FAILURES, ""]), st.text(max_size=300)),
)
TALLIES = st.builds(Tally, st.sampled_from(["", "redirect", "close 1009"]), st.integers(0, 9), st.booleans(), st.none())
POLICIES = st.builds(
    Policy,
    name=st.sampled_from(["portal", "live"]),
    token_sent=st.booleans(),
    url=st.one_of(
        st.just(URL), st.text(max_size=300), st.sampled_from(["ws://[::1]:9003/{x}", "ws://[", "//", "ws://h:x"])
    ),
    max_size=st.one_of(st.none(), st.integers(1, 2**40)),
)


@given(outcome=OUTCOMES, tally=TALLIES, policy=POLICIES)
def test_whatever_comes_there_is_one_bounded_printable_sentence(outcome: Outcome, tally: Tally, policy: Policy) -> None:
    verdict = classify(outcome, tally, policy)
    assert verdict.message.isprintable() and verdict.came.isprintable() and 10 < len(verdict.message) < 1500
    assert (verdict.action is FATAL) == (verdict.error is not None)
    assert (verdict.action is FOLLOW) == (verdict.url is not None)
    assert verdict.retry_after_s is None or 0 <= verdict.retry_after_s <= 300
    assert classify(outcome, tally, policy) == verdict, "pure"


@given(st.text())
def test_cleaned_text_is_short_printable_and_clean_already(text: str) -> None:
    assert clean(text).isprintable() and len(clean(text)) <= 200


def test_long_text_is_cut_to_200_characters_with_an_ellipsis() -> None:
    assert clean("x" * 200) == "x" * 200
    assert clean("x" * 201) == "x" * 199 + "…"
    assert len(clean("x" * 10_000_000)) == 200


# --- redirects


@pytest.mark.parametrize(
    "url, location, target",
    [
        ("ws://node:9003/ws/metrics", "/v2/metrics", "ws://node:9003/v2/metrics"),
        ("ws://node:9003/ws/metrics", "metrics/", "ws://node:9003/ws/metrics/"),
        ("ws://node:9003/ws/metrics", "?shape=server", "ws://node:9003/ws/metrics?shape=server"),
        ("ws://node:9003/ws/metrics", "http://node:9003/x#frag", "ws://node:9003/x"),
        ("ws://node/ws/metrics", "https://node/ws/metrics", "wss://node/ws/metrics"),
        ("ws://node/ws/metrics", "wss://NODE/ws/metrics", "wss://NODE/ws/metrics"),
        ("wss://node/ws/metrics", "/x", "wss://node/x"),
        ("wss://node/ws/metrics", "//node/x", "wss://node/x"),
        ("ws://node:9003/ws", "ws://node:9004/ws", "ws://node:9004/ws"),
        ("ws://***@node/ws", "/x", "ws://node/x"),
        ("ws://[::1]:9003/ws", "/x", "ws://[::1]:9003/x"),
        ("ws://node/ws", "http:///x", "ws://node/x"),
    ],
)
def test_a_redirect_on_the_same_host_leads_on(url: str, location: str, target: str) -> None:
    assert redirect_target(url, location) == target


@pytest.mark.parametrize(
    "location",
    [
        "ws://elsewhere/ws",
        "//elsewhere/ws",
        "https://node.elsewhere/ws",
        "ws://me:pw@node/ws",
        "ws://node@elsewhere/ws",
        "ftp://node/ws",
        "javascript:alert(1)",
        "http://[/",
        "http://node:99999/",
        "http://node:port/",
        "/with space",
        "/line\r\nbreak",
        "/\\elsewhere",
        "/" + "x" * 5000,
    ],
)
def test_a_redirect_that_leads_away_or_is_malformed_leads_nowhere(location: str) -> None:
    assert redirect_target("ws://node/ws", location) is None


def test_a_redirect_never_gives_up_tls() -> None:
    assert redirect_target("wss://node/ws", "http://node/ws") is None
    assert redirect_target("wss://node/ws", "ws://node:443/ws") is None


@pytest.mark.parametrize(
    "url, location, followed",
    [
        ("ws://node/ws", "https://node/ws", True),
        ("ws://node:80/ws", "wss://node:443/ws", True),
        ("ws://node:9003/ws", "http://node:9003/x", True),
        ("ws://node:9003/ws", "wss://node/ws", False),
        ("ws://node:9003/ws", "ws://node:9004/ws", False),
        ("wss://node/ws", "https://node:8443/ws", False),
    ],
)
def test_with_credentials_the_port_has_to_be_the_same(url: str, location: str, followed: bool) -> None:
    assert (redirect_target(url, location, same_origin=True) is not None) == followed


@given(url=st.one_of(st.just(URL), st.text()), location=st.text())
def test_a_redirect_target_is_a_websocket_url_of_the_same_host_or_nothing(url: str, location: str) -> None:
    target = redirect_target(url, location)
    if target is not None:
        assert target.startswith(("ws://", "wss://"))
        assert endpoint(target).rpartition(":")[0] == endpoint(url).rpartition(":")[0]


# --- small helpers


@pytest.mark.parametrize(
    "value, seconds",
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("1.5", 1.5),
        ("Thu, 01 Jan 1970 00:02:00 GMT", 60.0),
        ("Thu, 01 Jan 1970 00:00:10 GMT", 0.0),
        ("Thu, 31 Feb 2026 00:00:00 GMT", None),
        ("Thu, 01 Foo 2026 00:00:00 GMT", None),
        ("soon", None),
        ("-3", None),
        ("9" * 400, None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, now_ns=60 * 10**9) == seconds


@pytest.mark.parametrize(
    "url, text",
    [
        ("ws://node/ws", "node:80"),
        ("wss://node/ws", "node:443"),
        ("ws://[::1]:9003/ws", "[::1]:9003"),
        ("nonsense", ""),
        ("ws://node:port/", ""),
    ],
)
def test_an_endpoint_is_host_and_port(url: str, text: str) -> None:
    assert endpoint(url) == text


def test_a_shown_url_has_no_user_query_or_fragment() -> None:
    assert shown("wss://me:pw@node:1/p?token=x#y") == "wss://node:1/p"
    assert shown("http://[") == ""


def test_nothing_secret_stands_in_the_repr_of_a_verdict_or_a_tally() -> None:
    verdict = judge(Refused(302, location="/v2?token=S3CRET"))
    assert verdict.url == "ws://node:9003/v2?token=S3CRET", "the server asked for it, and it goes there only"
    assert "S3CRET" not in repr(verdict) and "S3CRET" not in repr(verdict.tally)
