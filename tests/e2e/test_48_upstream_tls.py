# SPDX-License-Identifier: MIT
"""Providers behind TLS whose certificate or version is not to be trusted: nothing is
sent to them, the user gets one error, and the log says what is wrong."""

import datetime
import ipaddress
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from support.answer import plain
from support.server import provider_env
from support.waiting import wait_for

NOW = datetime.datetime.now(datetime.timezone.utc)
DAY = datetime.timedelta(days=1)


def name_of(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Authority:
    """Who signs certificates; the server trusts it by SSL_CERT_FILE."""

    def __init__(self, folder):
        self.folder, self.key = folder, ec.generate_private_key(ec.SECP256R1())
        self.name = name_of("an authority of the tests")
        self.file = folder / "ca.pem"
        certificate = self.sign(self.name, self.key, None, NOW - DAY, NOW + DAY)
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def sign(self, name, key, host, begin, end, by=None):
        """`by`: another (name, key) than this one."""
        issuer, signer = by or (self.name, self.key)
        builder = (x509.CertificateBuilder().subject_name(name).issuer_name(issuer)
                   .public_key(key.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(begin).not_valid_after(end)
                   .add_extension(x509.BasicConstraints(ca=host is None, path_length=None),
                                  critical=True))
        if host is not None:
            builder = builder.add_extension(x509.SubjectAlternativeName([host]), False)
        return builder.sign(signer, hashes.SHA256())

    def pair(self, host, begin=NOW - DAY, end=NOW + DAY, own=False):
        """A file with a certificate and its key; `own`: signed by itself."""
        key, name = ec.generate_private_key(ec.SECP256R1()), name_of("a provider")
        certificate = self.sign(name, key, host, begin, end, by=(name, key) if own else None)
        file = self.folder / f"{certificate.serial_number:x}.pem"
        file.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption()))
        return file


HERE = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
ELSEWHERE = x509.DNSName("other.example")


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):  # noqa: N802 (the library's name)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((dict(self.headers), body))
        answer = plain("fine").body()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args):
        pass


class Quiet(ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        pass  # a client that turns away is what is tested


@pytest.fixture
def listen():
    """Starts a provider behind TLS; its requests are kept."""
    running = []

    def start(file, **versions):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        for member, version in versions.items():
            setattr(context, member, version)
        if versions:  # OpenSSL's default level has no such old versions
            context.set_ciphers("ALL:@SECLEVEL=0")
        server = Quiet(("127.0.0.1", 0), Handler)
        server.requests = []
        server.socket = context.wrap_socket(server.socket, server_side=True,
                                            do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        running.append(server)
        return server
    yield start
    for server in running:
        server.shutdown()
        server.server_close()


def endpoint(server):
    return f"https://127.0.0.1:{server.server_address[1]}/v1"


def test_a_certificate_that_is_in_order_is_trusted(spawn, connect, fake, authority, listen):
    provider = listen(authority.pair(HERE))
    server = spawn({**provider_env(fake, ENDPOINT=endpoint(provider)),
                    "SSL_CERT_FILE": str(authority.file)})
    assert connect(server).turn("hello").text == "fine"
    assert len(provider.requests) == 1


CASES = [
    ({"host": HERE, "end": NOW - DAY / 2}, {}, "tls_certificate_expired"),
    ({"host": HERE, "begin": NOW + DAY / 2}, {}, "tls_certificate_expired"),
    ({"host": ELSEWHERE}, {}, "tls_certificate_of_another_host"),
    ({"host": HERE, "own": True}, {}, "tls_certificate_untrusted"),
    ({"host": HERE}, {"minimum_version": ssl.TLSVersion.TLSv1,
                      "maximum_version": ssl.TLSVersion.TLSv1_1}, "tls_failed")]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("pair, versions, reason", CASES, ids=[
    "expired", "not yet", "wrong name", "self-signed", "TLS 1.1"])
def test_what_is_not_to_be_trusted_gets_nothing(spawn, connect, fake, authority, listen,
                                                pair, versions, reason):
    """One error for the user without the reason, one line with it for the operator; it
    is not tried again, and the key is sent to nobody."""
    provider = listen(authority.pair(**pair), **versions)
    server = spawn({**provider_env(fake, ENDPOINT=endpoint(provider),
                                   API_KEY="sk-secret-0123456789"),
                    "SSL_CERT_FILE": str(authority.file)})
    turn = connect(server).turn("hello")
    assert turn.error["code"] == "LLM_UNAVAILABLE" and "tls" not in str(turn.error).lower()
    wait_for(lambda: server.logged("turn"), 5, "the end is logged")
    line, = server.logged("llm_error")
    assert line["reason"] == reason and line["attempt"] == 1
    assert provider.requests == []
    assert "sk-secret" not in server.log_text()


def test_a_fallback_is_asked_instead(spawn, connect, fake, authority, listen):
    provider = listen(authority.pair(HERE, own=True))
    server = spawn({**provider_env(fake, ID="a", NAME="A", FALLBACK="b",
                                   ENDPOINT=endpoint(provider)),
                    **provider_env(fake, 2, ID="b", NAME="B")})
    turn = connect(server).turn("hello")
    assert turn.finish == "stop" and turn.end["model_id"] == "b"
