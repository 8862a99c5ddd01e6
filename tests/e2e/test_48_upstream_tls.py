# SPDX-License-Identifier: MIT
"""Providers behind TLS whose certificate or version is not to be trusted: nothing is
sent to them, the user gets one error, and the log says what is wrong."""

import ssl

import pytest

from support.server import provider_env
from support.tlsmodel import DAY, ELSEWHERE, HERE, NOW
from support.waiting import wait_for


def test_a_certificate_that_is_in_order_is_trusted(spawn, connect, fake, authority, listen):
    provider = listen(authority.pair(HERE))
    server = spawn({**provider_env(fake, ENDPOINT=provider.endpoint),
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
    server = spawn({**provider_env(fake, ENDPOINT=provider.endpoint,
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
                                   ENDPOINT=provider.endpoint),
                    **provider_env(fake, 2, ID="b", NAME="B")})
    turn = connect(server).turn("hello")
    assert turn.finish == "stop" and turn.end["model_id"] == "b"
