# SPDX-License-Identifier: MIT
"""Notifications by mail: what is in one, how the server is spoken to, and what happens
when it does not take it (protocol.md 2.7). A real server takes them, and Python's
strict parser reads them."""

import signal
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from html.parser import HTMLParser

import pytest

from support.mailserver import PASSWORD, USER, MailServer, Says
from support.server import provider_env
from support.tlsmodel import DAY, ELSEWHERE, HERE, NOW
from support.waiting import wait_for
from support.ws import fresh

PANEL = "https://desk.example/panel?tab=a&b"


def mail_env(port, **more):
    return {"ADMIN_EMAILS": "ann@ops.example", "EMAIL_FROM": "chatbox@chat.example",
            "SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(port), "SMTP_TLS": "none", **more}


@pytest.fixture
def mailing(spawn, fake):
    def start(server, **settings):
        return spawn({**provider_env(fake), **mail_env(server.port), **settings})
    return start


@pytest.fixture
def helped(connect):
    """Somebody calls for help."""
    def call(server, user=None):
        one = connect(server, user or fresh())
        one.send("help_request")
        one.get("connection_status")
        return one
    return call


def hurry(server):
    """Ends a server that would try on: the second signal waits for nothing."""
    server.signal(signal.SIGTERM)
    server.wait_log("shutdown")
    server.stop(expect=3)


class Texts(HTMLParser):
    """The texts and links of a page; whatever is no tag of ours is a text."""

    def __init__(self, html):
        super().__init__()
        self.texts, self.links, self.tags = [], [], set()
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.links += [value for name, value in attributes if name == "href"]

    def handle_data(self, data):
        if data.strip():
            self.texts.append(data)


NASTY = 'o\'neill "<b>&amp;</b>" \u00fc\u4e2d.\u2028.'


def test_a_mail_is_text_and_html_with_who_where_when_and_a_link(mailing, connect):
    with MailServer() as mails:
        server = mailing(mails, ADMIN_PANEL_URL=PANEL)
        one = connect(server, NASTY)
        one.turn("a secret matter")
        one.send("help_request")
        mail, = mails.wait()
        message = mail.message
        assert not message.defects
        assert (mail.sender, mail.to) == ("chatbox@chat.example", ["ann@ops.example"])
        assert message["From"] == "chatbox@chat.example"
        assert message["To"] == "ann@ops.example"
        assert message["Subject"] == "[chatbox] A user asks for help"
        assert message["Auto-Submitted"] == "auto-generated"
        assert message["Message-ID"].endswith("@chat.example>")
        sent = parsedate_to_datetime(message["Date"])
        assert abs((datetime.now(timezone.utc) - sent).total_seconds()) < 60
        assert message.get_content_type() == "multipart/alternative"
        link = f"{PANEL}&session_id={one.session}"
        text = mail.part("plain")
        at = sent.strftime("%Y-%m-%d %H:%M:%S UTC")
        assert text.split("\n") == [
            "A user asks for help.", "", f"User: {one.user}", f"Session: {one.session}",
            f"Time: {at}", "", link, ""]
        page = Texts(mail.part("html"))
        assert page.links == [link]
        assert {one.user, one.session, at, link} <= set(page.texts)
        assert page.tags == {"html", "body", "p", "table", "tr", "th", "td", "a"}
        assert all(len(line) <= 78 for line in mail.raw.split(b"\r\n"))
        assert b"\n" not in mail.raw.replace(b"\r\n", b"") and mail.raw.isascii()
        assert "secret matter" not in text + mail.part("html")
        wait_for(lambda: server.metrics().get(
            'chatbox_notifications_total{channel="mail",end="sent"}'), 5, "it is counted")


def test_every_address_gets_a_mail_of_its_own(mailing, helped):
    with MailServer() as mails:
        mails.refuse = lambda verb, address: (
            "550 nobody here" if (verb, address) == ("RCPT", "bob@ops.example") else None)
        server = mailing(mails, ADMIN_EMAILS="ann@ops.example,bob@ops.example,cy@ops.example")
        helped(server)
        got = mails.wait(2)
        assert sorted(mail.to for mail in got) == [["ann@ops.example"], ["cy@ops.example"]]
        assert [mail.message["To"] for mail in got] == [mail.to[0] for mail in got]
        assert len({mail.message["Message-ID"] for mail in got}) == 2
        line = server.wait_log("notify_retry")[0]  # others may follow
        assert (line["recipient"], line["why"], line["status"]) == (2, "status", 550)
        mails.refuse = lambda verb, address: None
        assert mails.wait(3)[2].to == ["bob@ops.example"]
        assert "ops.example" not in server.log_text()


@pytest.mark.parametrize("way", ["starttls", "tls"])
def test_tls_and_a_login(way, mailing, helped, authority):
    with MailServer(authority.pair(HERE), implicit=way == "tls", login=True) as mails:
        server = mailing(mails, SMTP_TLS=way, SMTP_USER=USER, SMTP_PASS=PASSWORD,
                         SSL_CERT_FILE=str(authority.file))
        helped(server)
        mail, = mails.wait()
        assert mail.tls and mail.login
        server.wait_log("notify", channel="mail")
        assert PASSWORD not in server.log_text()


def test_without_starttls_nothing_is_said(mailing, helped):
    with MailServer(login=False) as mails:
        server = mailing(mails, SMTP_TLS="starttls", SMTP_USER=USER, SMTP_PASS=PASSWORD)
        helped(server)
        assert server.wait_log("notify_retry")[0]["why"] == "tls_failed"
        assert not mails.mails
        hurry(server)


@pytest.mark.parametrize("way", ["starttls", "tls"])
@pytest.mark.parametrize("harm, why", [
    ("expired", "tls_certificate_expired"), ("name", "tls_certificate_of_another_host"),
    ("stranger", "tls_certificate_untrusted")])
def test_a_wrong_certificate_gets_no_password(way, harm, why, mailing, helped, authority):
    file = {"expired": lambda: authority.pair(HERE, NOW - 2 * DAY, NOW - DAY),
            "name": lambda: authority.pair(ELSEWHERE),
            "stranger": lambda: authority.pair(HERE, own=True)}[harm]()
    with MailServer(file, implicit=way == "tls", login=True) as mails:
        server = mailing(mails, SMTP_TLS=way, SMTP_USER=USER, SMTP_PASS=PASSWORD,
                         SSL_CERT_FILE=str(authority.file))
        helped(server)
        assert server.wait_log("notify_retry")[0]["why"] == why
        assert not hasattr(mails, "mechanism") and not mails.mails
        hurry(server)


def test_a_wrong_password_is_told_and_never_shown(mailing, helped, authority):
    with MailServer(authority.pair(HERE), login=True) as mails:
        server = mailing(mails, SMTP_TLS="starttls", SMTP_USER=USER, SMTP_PASS="not that one",
                         SSL_CERT_FILE=str(authority.file))
        helped(server)
        line = server.wait_log("notify_retry")[0]  # others may follow
        assert (line["why"], line["status"]) == ("status", 535)
        hurry(server)
        assert "not that one" not in server.log_text() and not mails.mails


def test_a_server_that_fails_once_gets_it_again_under_the_same_id(mailing, helped):
    ids = []

    def once(verb, content):
        if verb == "DATA":
            ids.append([line for line in content.split(b"\r\n")
                        if line.startswith(b"Message-ID:")])
            return "451 later" if len(ids) == 1 else None
        return None
    with MailServer() as mails:
        mails.refuse = once
        server = mailing(mails)
        helped(server)
        mails.wait()
        assert len(ids) == 2 and ids[0] == ids[1]
        line, = server.wait_log("notify_retry")
        assert (line["why"], line["status"]) == ("status", 451)


HELLO = [b"220 hi\r\n", b"250 hi\r\n"]
TAKES = [*HELLO, b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"]


@pytest.mark.parametrize("replies, why, status", [
    ([b"554 not today\r\n"], "status", 554),
    ([b""], "connect_failed", 0),
    ([*HELLO, b""], "cut", 0),
    ([*HELLO, b"nonsense\r\n"], "failed", 0),
    ([*HELLO, b"421 going down\r\n"], "status", 421),
    ([*TAKES, b""], "cut", 0),
])
def test_what_a_server_may_do(replies, why, status, mailing, helped):
    with Says(*replies) as says:
        server = mailing(says)
        helped(server)
        line = server.wait_log("notify_retry")[0]
        assert (line["why"], line["status"]) == (why, status)
        hurry(server)


@pytest.mark.parametrize("replies", [
    [None], [*HELLO, None], [*TAKES, None], [b"554 no\r\n", None]])
def test_a_server_that_hangs_holds_nobody_up(replies, mailing, helped):
    """With one thread, which libcurl's own SMTP would make wait for the server."""
    with Says(*replies) as says:
        server = mailing(says, SERVER_THREADS="1")
        one = helped(server)
        wait_for(lambda: None in says.heard, 5, "it hangs")
        assert one.turn("still here?").finish == "stop"
        hurry(server)
