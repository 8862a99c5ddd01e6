# SPDX-License-Identifier: MIT
"""Providers behind TLS, and who signs their certificates."""

import datetime
import ipaddress
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from .answer import plain

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


class TlsModel(ThreadingHTTPServer):
    """A provider behind TLS, with this certificate and key; `requests` are kept."""

    def __init__(self, file, **versions):
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        for member, version in versions.items():
            setattr(context, member, version)
        if versions:  # OpenSSL's default level has no such old versions
            context.set_ciphers("ALL:@SECLEVEL=0")
        self.socket = context.wrap_socket(self.socket, server_side=True,
                                          do_handshake_on_connect=False)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def port(self):
        return self.server_address[1]

    @property
    def endpoint(self):
        return f"https://127.0.0.1:{self.port}/v1"

    def handle_error(self, request, client_address):
        pass  # a client that turns away is what is tested

    def close(self):
        self.shutdown()
        self.server_close()
