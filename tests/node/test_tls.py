"""wss and https with a certificate that the tests bring (for localhost and 127.0.0.1, valid for a hundred years)."""

import ssl
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect

TLS = Path(__file__).parent / "tls"


@pytest.fixture
def node(serving):
    return serving(tls_cert=TLS / "cert.pem", tls_key=str(TLS / "key.pem"), rate=100)


@pytest.fixture
def trust():
    return ssl.create_default_context(cafile=TLS / "cert.pem")


def test_a_client_that_trusts_the_certificate_is_served(node, trust):
    assert node.url.startswith("wss://127.0.0.1:")
    with connect(f"{node.url}/ws/transactions", ssl=trust, proxy=None) as client:
        assert client.recv(timeout=20)


def test_rest_is_served_over_https(node, trust):
    answer = httpx.get(node.url.replace("wss", "https") + "/q/health", verify=trust, trust_env=False)
    assert answer.json()["status"] == "UP"


def test_a_client_that_does_not_trust_it_is_not(node):
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(f"{node.url}/ws/metrics", proxy=None)


def test_stopping_closes_encrypted_connections_too(node, trust):
    with connect(f"{node.url}/ws/metrics", ssl=trust, proxy=None) as client:
        node.stop()
        client.close()
        assert client.close_code == 1001
