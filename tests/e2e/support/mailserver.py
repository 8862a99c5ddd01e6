# SPDX-License-Identifier: MIT
"""A real mail server (aiosmtpd) that keeps what it takes, with TLS and a login, and
can be told to refuse, hang and cut."""

import email
import email.policy
import socket
import ssl
import threading
import warnings

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

from .waiting import wait_for

USER, PASSWORD = "chatbox@mail.example", "correct horse \u00e9"


class Mail:
    """One message as it was taken."""

    def __init__(self, envelope, tls, login):
        self.sender, self.to = envelope.mail_from, envelope.rcpt_tos
        self.raw = envelope.content
        self.tls, self.login = tls, login
        self.message = email.message_from_bytes(self.raw, policy=email.policy.strict)

    def part(self, kind):
        """The text of its only part of the type text/kind."""
        part, = [p for p in self.message.iter_parts()
                 if p.get_content_type() == f"text/{kind}"]
        return part.get_content().replace("\r\n", "\n")


class MailServer:
    """`certificate`: a file for TLS; `implicit`: from the first byte. `refuse(verb,
    argument)` may return a reply for MAIL, RCPT or DATA."""

    def __init__(self, certificate=None, implicit=False, login=False, port=0):
        self.mails = []
        self.refuse = lambda verb, argument: None
        context = None
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
        settings = {"hostname": "mail.example"}
        if login:
            settings.update(authenticator=self.authenticate, auth_required=True,
                            auth_require_tls=not implicit)
        if context and not implicit:
            settings.update(tls_context=context, require_starttls=True)
        self.controller = Here(self, settings, port, context if implicit else None)
        self.controller.start()
        self.port = self.controller.port

    def authenticate(self, server, session, envelope, mechanism, data):
        self.mechanism = mechanism
        good = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=good, handled=False)

    # --- what the library calls

    async def handle_MAIL(self, server, session, envelope, address, options):  # noqa: N802
        envelope.mail_from = address
        return self.refuse("MAIL", address) or "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        envelope.rcpt_tos.append(address)
        return self.refuse("RCPT", address) or "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        answer = self.refuse("DATA", envelope.content)
        if answer:
            return answer
        tls = server.transport.get_extra_info("ssl_object") is not None
        self.mails.append(Mail(envelope, tls, bool(session.authenticated)))
        return "250 taken"

    def wait(self, count=1, timeout=10):
        return wait_for(lambda: len(self.mails) >= count and list(self.mails), timeout,
                        f"{count} mails")

    def close(self):
        self.controller.stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Here(Controller):
    """On a socket of ours, whose port is known."""

    def __init__(self, handler, settings, port, context):
        self.socket = socket.create_server(("127.0.0.1", port))
        super().__init__(handler, hostname="127.0.0.1",
                         port=self.socket.getsockname()[1], ssl_context=context)
        self.settings = settings

    def factory(self):
        with warnings.catch_warnings():  # of a login without STARTTLS: TLS was first
            warnings.simplefilter("ignore")
            return SMTP(self.handler, **self.settings)

    def _create_server(self):
        return self.loop.create_server(self._factory_invoker, sock=self.socket,
                                       ssl=self.ssl_context)


class Says:
    """A server that says what it is told, one reply for each line that comes; None
    hangs, b"" hangs up."""

    def __init__(self, *replies):
        self.replies = replies
        self.heard = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.over = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while not self.over.is_set():
            try:
                one, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(one,), daemon=True).start()

    def _talk(self, one):
        lines = one.makefile("rb")
        for reply in self.replies:
            if reply is None:
                self.heard.append(None)
                self.over.wait(60)
            if not reply:
                break
            one.sendall(reply)
            self.heard.append(lines.readline())
        one.close()

    def close(self):
        self.over.set()
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
