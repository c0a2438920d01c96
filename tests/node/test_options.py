"""What a node takes, and what it says about what it does not take."""

import inspect
import ssl
from pathlib import Path

import pytest

from aurigraph_nb import iothread
from aurigraph_nb.errors import BadOption, BadOptionType, FeedClosed, UsageError, WrongThread
from aurigraph_nb.node import QUIRKS, Cors, Node, options

TLS = Path(__file__).parent / "tls"


def test_the_defaults_are_the_documented_ones():
    made = options.make()
    assert (made.model.validators, made.model.peers, made.model.scenario) == (20, 17, "steady")
    assert (made.host, made.port, made.compression_level, made.max_size) == ("127.0.0.1", 0, 6, 2**20)
    assert made.model.metrics_interval_s == 1.0 and made.start_ns is None


def test_the_node_has_the_options_that_are_checked():
    shown = {n: p.default for n, p in inspect.signature(Node).parameters.items() if n != "unknown"}
    assert shown == options.make.__kwdefaults__


@pytest.mark.parametrize(
    "given, message",
    [
        ({"scenario": "storm"}, r"scenario='storm' .*steady, spike"),
        ({"scenario": ["spike"]}, r"scenario=\['spike'\]"),
        ({"shape": "round"}, r"shape='round' .*server or portal"),
        ({"rate": 0}, r"rate=0 is out of range; expected 0.1 to 1,000,000 frames a second"),
        ({"rate": float("nan")}, "rate=nan"),
        ({"validators": 0}, "validators=0 is out of range; expected 1 to 10000"),
        ({"peers": -1}, "peers=-1"),
        ({"port": 70_000}, "port=70000"),
        ({"metrics_interval": 0}, "metrics_interval=0"),
        ({"duration": 0}, "duration=0"),
        ({"duration": "soon"}, "duration='soon'"),
        ({"start": "once"}, "start='once'"),
        ({"speed": 60}, "speed=60 needs start="),
        ({"start": "2026-01-01", "speed": 0}, "speed=0"),
        ({"compression": "brotli"}, "compression='brotli' .*deflate"),
        ({"compression_level": 10}, "compression_level=10"),
        ({"max_size": 0}, "max_size=0"),
        ({"path_prefix": "ws"}, "path_prefix='ws' is no path"),
        ({"cors": "portal.example"}, "cors='portal.example' is no origin"),
        ({"quirks": "polite"}, "quirks='polite' is not known; they can be some of unsubscribe-ignored, doubled-frames"),
        ({"quirks": ["doubled-frames", 7]}, "quirks=7 is not known"),
        ({"inference_shape": "round"}, "inference_shape='round' .*documented or real"),
        ({"token": ""}, "token= holds one that cannot travel in a header"),
        ({"token": ["good", "sés"]}, "token= holds one that cannot travel"),
        ({"token": "two words"}, "token= holds one that cannot travel"),
        ({"token": "x" * 4097}, "1 to 4096 printable"),
        ({"token": ["x"] * 1001}, "token= holds 1001 tokens"),
        ({"tls_key": "key.pem"}, "tls_key='key.pem' was given without tls_cert"),
        ({"tls_cert": "nowhere.pem"}, "tls_cert='nowhere.pem': there is no file 'nowhere.pem'; expected PEM files"),
        ({"tls_cert": __file__}, "holds no key, and none was given; name the PEM file of the key by tls_key="),
        (
            {"tls_cert": __file__, "tls_key": __file__},
            "cannot be used .*; expected PEM files of a certificate and of the key",
        ),
    ],
)
def test_a_bad_value_is_named_with_what_is_accepted(given, message):
    with pytest.raises(BadOption, match=message):
        Node(**given)


@pytest.mark.parametrize(
    "given, message",
    [
        ({"seed": "seven"}, "seed='seven' is no whole number"),
        ({"validators": True}, "validators=True"),
        ({"rate": "fast"}, "rate='fast' is no number"),
        ({"host": ""}, "host=''"),
        ({"ssl": "yes"}, "ssl='yes' is no ssl.SSLContext"),
        ({"token": 7}, "token= is of type int"),
        ({"token": b"sesame"}, "token= is of type bytes"),
        ({"token": [7]}, "token= holds a value of type int"),
        ({"quirks": 7}, "quirks=7 are no names"),
        ({"colour": "red", "sede": 1}, "no option colour, sede; it has seed, scenario, rate"),
    ],
)
def test_a_wrong_type_or_an_unknown_option_is_a_type_error_too(given, message):
    with pytest.raises(BadOptionType, match=message) as caught:
        Node(**given)
    assert isinstance(caught.value, TypeError)


def test_durations_and_times_are_read_as_everywhere():
    made = options.make(duration="5min", start="2026-01-01", metrics_interval="500ms", speed=None)
    assert made.model.duration_s == 300 and made.model.metrics_interval_s == 0.5
    assert made.start_ns == 1_767_225_600 * 10**9


def test_cors_takes_one_origin_several_or_the_whole_setting():
    assert options.make(cors="https://a.example").cors == Cors(("https://a.example",))
    assert options.make(cors=["https://a.example", "*"]).cors == Cors(("https://a.example", "*"))
    whole = Cors(("*",), methods=("GET",))
    assert options.make(cors=whole).cors is whole
    assert options.make(cors=[]).cors is None


def test_tokens_are_shown_nowhere():
    made = options.make(token=["sesame", "barley"])
    assert made.tokens.accepts("sesame") and made.tokens.accepts("barley") and not made.tokens.accepts("rye")
    shown = f"{made!r} {made} {Node(token='sesame')!r} {made.tokens!r}"
    assert "sesame" not in shown and "barley" not in shown
    for bad in ("sesame barley", ["sesame", ""], ["sesame", 7]):
        with pytest.raises(BadOption) as caught:
            Node(token=bad)
        assert "sesame" not in str(caught.value)
    assert not options.make().tokens and not options.make(token=[]).tokens


def test_quirks_are_a_name_or_several():
    assert options.make(quirks="doubled-frames").quirks == {"doubled-frames"}
    assert options.make(quirks=QUIRKS).quirks == set(QUIRKS)


def test_a_context_and_files_are_not_both_taken():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    assert options.make(ssl=context).ssl is context
    with pytest.raises(BadOption, match="both given"):
        Node(ssl=context, tls_cert=TLS / "cert.pem", tls_key=TLS / "key.pem")


def test_the_repr_is_the_same_in_every_run():
    with Node(seed=7, scenario="spike") as node:
        running = repr(node)
    assert running == repr(node) == "Node(seed=7, scenario='spike', shape='server')"


def test_an_address_is_known_from_the_first_start_on():
    node = Node()
    with pytest.raises(UsageError, match="no address yet"):
        _ = node.url
    with node:
        url = node.url
    assert node.url == url
    assert Node(port=9003).url == "ws://127.0.0.1:9003"
    assert Node(port=9003, host="0.0.0.0").url == "ws://127.0.0.1:9003"
    assert Node(port=9003, host="::1").url == "ws://[::1]:9003"


def test_a_port_that_is_taken_is_named():
    with Node() as node:
        port = int(node.url.rpartition(":")[2])
        with pytest.raises(BadOption, match=rf"port={port} cannot be listened on .*choose another port"):
            Node(port=port).start()


def test_a_host_that_is_not_ours_is_named():
    with pytest.raises(BadOption, match=r"host='192\.0\.2\.1'"):
        Node(host="192.0.2.1").start()


def test_closing_twice_is_harmless_and_a_closed_node_says_so():
    node = Node().start()
    node.close()
    node.close()
    node.stop()
    assert not node.running
    with pytest.raises(FeedClosed, match="this node was closed"):
        node.start()


def test_the_waiting_calls_are_refused_on_the_io_thread():
    node = Node()

    async def call():
        node.start()

    with pytest.raises(WrongThread):
        iothread.get().run(call())
