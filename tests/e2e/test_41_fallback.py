# SPDX-License-Identifier: MIT
"""A provider's fallback (configuration.md, `llm.providers[].fallback`)."""

from support.server import free_port, provider_env


def test_a_fallback_is_asked_in_order(spawn, connect, fake, question):
    """FALLBACK: other ids, tried in order when the chosen one fails."""
    server = spawn({
        **provider_env(fake, ID="a", NAME="A", FALLBACK="b,c",
                       ENDPOINT=f"http://127.0.0.1:{free_port()}/v1"),
        **provider_env(fake, 2, ID="b", NAME="B",
                       ENDPOINT=f"http://127.0.0.1:{free_port()}/v1"),
        **provider_env(fake, 3, ID="c", NAME="C")})
    turn = connect(server).turn(question)
    assert turn.finish == "stop" and turn.text == "Hello from the model."
