# SPDX-License-Identifier: MIT
"""Tables of requests that must be refused: (name, bytes, statuses).

`@` in a request stands for the server's authority, `TOKEN` for a good token,
`P` before a path for the prefix. Everything here ends with a closed connection.
"""

BAD = (400,)


def get(line="GET P/healthz HTTP/1.1", *headers, host="Host: @"):
    lines = [line] + ([host] if host is not None else []) + list(headers)
    return "\r\n".join(lines) + "\r\n\r\n"


def post(*headers, body=""):
    head = get("POST P/sessions HTTP/1.1", "Authorization: Bearer TOKEN", *headers)
    return head + body


def chunked(body):
    return post("Transfer-Encoding: chunked", body=body)


HEADS = [
    ("no method", get(" P/healthz HTTP/1.1"), BAD),
    ("no target", get("GET HTTP/1.1"), BAD),
    ("only a method", get("GET"), BAD),
    ("two spaces before the target", get("GET  P/healthz HTTP/1.1"), BAD),
    ("two spaces before the version", get("GET P/healthz  HTTP/1.1"), BAD),
    ("tab instead of space", get("GET\tP/healthz\tHTTP/1.1"), BAD),
    ("space after the version", get("GET P/healthz HTTP/1.1 "), BAD),
    ("space before the method", get(" GET P/healthz HTTP/1.1"), BAD),
    ("no version", get("GET P/healthz"), BAD),
    ("version in lower case", get("GET P/healthz http/1.1"), BAD),
    ("version without minor", get("GET P/healthz HTTP/1"), BAD),
    ("version with empty minor", get("GET P/healthz HTTP/1."), BAD),
    ("version with two digits", get("GET P/healthz HTTP/1.10"), BAD),
    ("version with a sign", get("GET P/healthz HTTP/+1.1"), BAD),
    ("version with three parts", get("GET P/healthz HTTP/1.1.1"), BAD),
    ("another protocol", get("GET P/healthz ICAP/1.1"), BAD),
    ("version 2.0", get("GET P/healthz HTTP/2.0"), (400, 505)),
    ("version 0.9", get("GET P/healthz HTTP/0.9"), (400, 505)),
    ("words after the version", get("GET P/healthz HTTP/1.1 more"), BAD),
    ("target without a slash", get("GET healthz HTTP/1.1"), BAD),
    ("target with a space", get("GET P/health z HTTP/1.1"), BAD),
    ("target with a fragment", get("GET P/healthz#top HTTP/1.1"), BAD),
    ("target with NUL", get("GET P/health\0z HTTP/1.1"), BAD),
    ("target with a control character", get("GET P/health\x01z HTTP/1.1"), BAD),
    ("target with DEL", get("GET P/health\x7fz HTTP/1.1"), BAD),
    ("target with a high byte", get("GET P/health\xffz HTTP/1.1"), BAD),
    ("target with half a percent escape", get("GET P/healthz%4 HTTP/1.1"), BAD),
    ("target with a bare percent", get("GET P/healthz% HTTP/1.1"), BAD),
    ("target with a wrong percent escape", get("GET P/healthz%zz HTTP/1.1"), BAD),
    ("method with a parenthesis", get("G(T P/healthz HTTP/1.1"), BAD),
    ("method with NUL", get("GE\0T P/healthz HTTP/1.1"), BAD),
    ("method with a high byte", get("G\xc4T P/healthz HTTP/1.1"), BAD),
    ("bare LF after the request line",
     "GET P/healthz HTTP/1.1\nHost: @\r\n\r\n", BAD),
    ("bare LF everywhere", "GET P/healthz HTTP/1.1\nHost: @\n\n", BAD),
    ("bare LF after a header",
     "GET P/healthz HTTP/1.1\r\nHost: @\nX: 1\r\n\r\n", BAD),
    ("bare CR in the request line", get("GET P/healthz\rHTTP/1.1"), BAD),
    ("CR CR LF", "GET P/healthz HTTP/1.1\r\r\nHost: @\r\n\r\n", BAD),
    ("no Host", get(host=None), BAD),
    ("two Hosts", get("GET P/healthz HTTP/1.1", "Host: @"), BAD),
    ("two different Hosts", get("GET P/healthz HTTP/1.1", "Host: other"), BAD),
    ("Host with a space", get(host="Host: a b"), BAD),
    ("Host with a path", get(host="Host: a/b"), BAD),
    ("Host with a user", get(host="Host: u@h"), BAD),
    ("Host with a word as port", get(host="Host: h:abc"), BAD),
    ("Host with a control character", get(host="Host: h\x01"), BAD),
    ("header without a colon", get("GET P/healthz HTTP/1.1", "Nonsense"), BAD),
    ("space before the colon", get("GET P/healthz HTTP/1.1", "X : 1"), BAD),
    ("tab before the colon", get("GET P/healthz HTTP/1.1", "X\t: 1"), BAD),
    ("empty header name", get("GET P/healthz HTTP/1.1", ": 1"), BAD),
    ("space in a header name", get("GET P/healthz HTTP/1.1", "X Y: 1"), BAD),
    ("parenthesis in a header name", get("GET P/healthz HTTP/1.1", "X(: 1"), BAD),
    ("high byte in a header name", get("GET P/healthz HTTP/1.1", "X\xe4: 1"), BAD),
    ("NUL in a header name", get("GET P/healthz HTTP/1.1", "X\0: 1"), BAD),
    ("folded header", get("GET P/healthz HTTP/1.1", "X: 1\r\n 2"), BAD),
    ("folded header with a tab", get("GET P/healthz HTTP/1.1", "X: 1\r\n\t2"), BAD),
    ("first header begins with a space", get("GET P/healthz HTTP/1.1\r\n X: 1"), BAD),
    ("NUL in a value", get("GET P/healthz HTTP/1.1", "X: a\0b"), BAD),
    ("control character in a value", get("GET P/healthz HTTP/1.1", "X: a\x01b"), BAD),
    ("DEL in a value", get("GET P/healthz HTTP/1.1", "X: a\x7fb"), BAD),
    ("bare CR in a value", get("GET P/healthz HTTP/1.1", "X: a\rb"), BAD),
]

# Correct in form, so the connection may live on.
ODD_TARGETS = [
    ("an escaped NUL", get("GET P/healthz%00 HTTP/1.1"), (400, 404)),
    ("an escaped slash", get("GET P%2Fhealthz HTTP/1.1"), (400, 404)),
    ("CONNECT", get("CONNECT a:80 HTTP/1.1"), (400, 404, 405)),
]

SMUGGLED = "GET P/readyz HTTP/1.1\r\nHost: @\r\n\r\n"

FRAMING = [
    ("negative length", post("Content-Length: -1"), BAD),
    ("length with a plus", post("Content-Length: +2", body="{}"), BAD),
    ("length in hex", post("Content-Length: 0x2", body="{}"), BAD),
    ("length with a fraction", post("Content-Length: 2.0", body="{}"), BAD),
    ("length with an exponent", post("Content-Length: 2e0", body="{}"), BAD),
    ("empty length", post("Content-Length: "), BAD),
    ("word as length", post("Content-Length: two", body="{}"), BAD),
    ("length with a space inside", post("Content-Length: 2 2", body="{}"), BAD),
    ("huge length", post("Content-Length: 99999999999999999999999"), (400, 413)),
    ("list of lengths", post("Content-Length: 2, 2", body="{}"), BAD),
    ("list of different lengths", post("Content-Length: 2, 3", body="{} "), BAD),
    ("two lengths", post("Content-Length: 2", "Content-Length: 3", body="{} "), BAD),
    ("the same length twice",
     post("Content-Length: 2", "Content-Length: 2", body="{}"), BAD),
    ("length and chunked",
     post("Content-Length: 5", "Transfer-Encoding: chunked",
          body="0\r\n\r\n" + SMUGGLED), BAD),
    ("chunked and length",
     post("Transfer-Encoding: chunked", "Content-Length: 44",
          body="0\r\n\r\n" + SMUGGLED), BAD),
    ("chunked twice", post("Transfer-Encoding: chunked, chunked",
                           body="0\r\n\r\n"), BAD),
    ("chunked not last", post("Transfer-Encoding: chunked, gzip",
                              body="0\r\n\r\n"), (400, 501)),
    ("gzip before chunked", post("Transfer-Encoding: gzip, chunked",
                                 body="0\r\n\r\n"), (400, 501)),
    ("identity", post("Transfer-Encoding: identity", body="{}"), (400, 501)),
    ("unknown coding", post("Transfer-Encoding: xchunked", body="{}"), (400, 501)),
    ("two codings", post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked",
                         body="0\r\n\r\n"), BAD),
    ("two different codings",
     post("Transfer-Encoding: chunked", "Transfer-Encoding: identity",
          body="0\r\n\r\n"), BAD),
    ("coding with a vertical tab", post("Transfer-Encoding: \x0bchunked",
                                        body="0\r\n\r\n"), BAD),
    ("coding with a space before the colon",
     post("Transfer-Encoding : chunked", body="0\r\n\r\n" + SMUGGLED), BAD),
    ("length with a space before the colon", post("Content-Length : 2", body="{}"), BAD),
    ("empty coding", post("Transfer-Encoding: ", body="0\r\n\r\n"), BAD),
    ("chunk size is a word", chunked("zz\r\n{}\r\n0\r\n\r\n"), BAD),
    ("chunk size is negative", chunked("-2\r\n{}\r\n0\r\n\r\n"), BAD),
    ("chunk size with 0x", chunked("0x2\r\n{}\r\n0\r\n\r\n"), BAD),
    ("chunk size is empty", chunked("\r\n{}\r\n0\r\n\r\n"), BAD),
    ("chunk size with a plus", chunked("+2\r\n{}\r\n0\r\n\r\n"), BAD),
    ("chunk size with a leading space", chunked(" 2\r\n{}\r\n0\r\n\r\n"), BAD),
    ("chunk size overflows", chunked("1" + "0" * 16 + "2\r\n{}\r\n0\r\n\r\n"),
     (400, 413)),
    ("chunk shorter than said", chunked("3\r\n{}\r\n0\r\n\r\n"), BAD),
    ("chunk longer than said", chunked("1\r\n{}\r\n0\r\n\r\n"), BAD),
    ("bare LF after the chunk size", chunked("2\n{}\r\n0\r\n\r\n"), BAD),
    ("bare LF after the chunk", chunked("2\r\n{}\n0\r\n\r\n"), BAD),
    ("bare LF inside a chunk extension", chunked("2;a\nb\r\n{}\r\n0\r\n\r\n"), BAD),
    ("malformed trailer", chunked("2\r\n{}\r\n0\r\nbad trailer\r\n\r\n"), BAD),
]

UPGRADE = {
    "Upgrade": "websocket", "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13"}


def shake(line="GET P/ws HTTP/1.1", *more, **changed):
    """A handshake with headers changed (None removes; `_` for `-`)."""
    fields = {k.replace("-", "_"): (k, v) for k, v in UPGRADE.items()}
    for name, value in changed.items():
        if value is None:
            fields.pop(name)
        else:
            fields[name] = (fields[name][0], value)
    return get(line, "Authorization: Bearer TOKEN",
               *(f"{k}: {v}" for k, v in fields.values()), *more)


HANDSHAKES = [
    ("a plain GET", get("GET P/ws HTTP/1.1", "Authorization: Bearer TOKEN"), BAD),
    ("no Upgrade", shake(Upgrade=None), BAD),
    ("another Upgrade", shake(Upgrade="h2c"), BAD),
    ("Upgrade with a suffix", shake(Upgrade="websockets"), BAD),
    ("empty Upgrade", shake(Upgrade=""), BAD),
    ("no Connection", shake(Connection=None), BAD),
    ("Connection without upgrade", shake(Connection="keep-alive"), BAD),
    ("Connection with a longer word", shake(Connection="Upgraded"), BAD),
    ("no key", shake(Sec_WebSocket_Key=None), BAD),
    ("empty key", shake(Sec_WebSocket_Key=""), BAD),
    ("key of 15 bytes", shake(Sec_WebSocket_Key="MDEyMzQ1Njc4OWFiY2Rl"), BAD),
    ("key of 17 bytes", shake(Sec_WebSocket_Key="MDEyMzQ1Njc4OWFiY2RlZmc="), BAD),
    ("key that is not base64", shake(Sec_WebSocket_Key="!" * 22 + "=="), BAD),
    ("key without padding", shake(Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ"), BAD),
    ("key in base64url", shake(Sec_WebSocket_Key="_-hlIHNhbXBsZSBub25jZQ=="), BAD),
    ("two keys", shake("GET P/ws HTTP/1.1",
                       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), BAD),
    ("no version", shake(Sec_WebSocket_Version=None), BAD),
    ("two versions", shake("GET P/ws HTTP/1.1", "Sec-WebSocket-Version: 13"),
     (400, 426)),
    ("version 8", shake(Sec_WebSocket_Version="8"), (426,)),
    ("version 12", shake(Sec_WebSocket_Version="12"), (426,)),
    ("version 14", shake(Sec_WebSocket_Version="14"), (426,)),
    ("version 0", shake(Sec_WebSocket_Version="0"), (426,)),
    ("HTTP/1.0", shake("GET P/ws HTTP/1.0"), BAD),
    ("POST", shake("POST P/ws HTTP/1.1"), (405,)),
    ("HEAD", shake("HEAD P/ws HTTP/1.1"), (400, 405)),
]
