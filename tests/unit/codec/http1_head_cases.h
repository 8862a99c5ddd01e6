/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_TESTS_HTTP1_HEAD_CASES_H
#define CHATBOX_TESTS_HTTP1_HEAD_CASES_H

/* The heads of test_http1_head.c: what they are read as, and what is refused
 * as a bad request. */
#include "base/str.h"

/* A struct str in a table. */
#define LITERAL(text)                                                          \
    {                                                                          \
        "" text, sizeof(text) - 1                                              \
    }

#define GET "GET / HTTP/1.1\r\n"
#define HOST "Host: h\r\n"
#define END "\r\n"
#define HEAD GET HOST

static const struct {
    struct str bytes;
    const char *expected;
} good[] = {
    {LITERAL(HEAD END), "GET(0) / ?  @h 1.1 keep1 expect0 none 0|Host=h"},
    {LITERAL("\r\n" HEAD END),
     "GET(0) / ?  @h 1.1 keep1 expect0 none 0|Host=h"},
    {LITERAL("GET /a%20b?x=1&y HTTP/1.1\r\nhost:\tex.org:80 \t\r\n" END),
     "GET(0) /a%20b ? x=1&y @ex.org:80 1.1 keep1 expect0 none 0"
     "|host=ex.org:80"},
    {LITERAL("GET / HTTP/1.0\r\n" END),
     "GET(0) / ?  @ 1.0 keep0 expect0 none 0"},
    {LITERAL("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n" END),
     "GET(0) / ?  @ 1.0 keep1 expect0 none 0|Connection=Keep-Alive"},
    {LITERAL("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n" END),
     "GET(0) / ?  @ 1.0 keep0 expect0 none 0|Connection=keep-alive, close"},
    {LITERAL(HEAD "Connection: , x ,CLOSE\r\n" END),
     "GET(0) / ?  @h 1.1 keep0 expect0 none 0|Host=h|Connection=, x ,CLOSE"},
    {LITERAL("POST /p HTTP/1.1\r\n" HOST "Content-Length: 007\r\n" END
             "1234567"),
     "POST(2) /p ?  @h 1.1 keep1 expect0 length 7|Host=h|Content-Length=007"},
    {LITERAL("PUT /p HTTP/1.1\r\n" HOST "Content-Length:0\r\n" END),
     "PUT(3) /p ?  @h 1.1 keep1 expect0 length 0|Host=h|Content-Length=0"},
    {LITERAL("PUT /p HTTP/1.1\r\n" HOST
             "Expect: 100-continue\r\nContent-Length: 0\r\n" END),
     "PUT(3) /p ?  @h 1.1 keep1 expect0 length 0|Host=h|Expect=100-continue"
     "|Content-Length=0"},
    {LITERAL("PATCH /p HTTP/1.1\r\n" HOST
             "Content-Length: 9223372036854775807\r\n" END),
     "PATCH(4) /p ?  @h 1.1 keep1 expect0 length 9223372036854775807"
     "|Host=h|Content-Length=9223372036854775807"},
    {LITERAL("POST / HTTP/1.1\r\n" HOST "TRANSFER-ENCODING: Chunked\r\n"
             "Expect: 100-Continue\r\n" END),
     "POST(2) / ?  @h 1.1 keep1 expect1 chunked 0|Host=h"
     "|TRANSFER-ENCODING=Chunked|Expect=100-Continue"},
    {LITERAL(HEAD "Expect: 100-continue\r\n" END),
     "GET(0) / ?  @h 1.1 keep1 expect0 none 0|Host=h|Expect=100-continue"},
    {LITERAL("POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: magic\r\n" END),
     "POST(2) / ?  @ 1.0 keep0 expect0 length 1|Content-Length=1"
     "|Expect=magic"},
    {LITERAL("GET http://a.b:1/c?d HTTP/1.1\r\nHost: other\r\n" END),
     "GET(0) /c ? d @a.b:1 1.1 keep1 expect0 none 0|Host=other"},
    {LITERAL("GET HTTPS://a HTTP/1.1\r\n" HOST END),
     "GET(0) / ?  @a 1.1 keep1 expect0 none 0|Host=h"},
    {LITERAL("OPTIONS * HTTP/1.1\r\n" HOST END),
     "OPTIONS(6) * ?  @h 1.1 keep1 expect0 none 0|Host=h"},
    {LITERAL("CONNECT a.b:443 HTTP/1.1\r\nHost: a.b:443\r\n" END),
     "CONNECT(7)  ?  @a.b:443 1.1 keep1 expect0 none 0|Host=a.b:443"},
    {LITERAL("HEAD / HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\n" END),
     "HEAD(1) / ?  @[2001:db8::1]:8080 1.1 keep1 expect0 none 0"
     "|Host=[2001:db8::1]:8080"},
    {LITERAL("DELETE / HTTP/1.1\r\n" HOST END),
     "DELETE(5) / ?  @h 1.1 keep1 expect0 none 0|Host=h"},
    {LITERAL("TRACE / HTTP/1.1\r\n" HOST END),
     "TRACE(8) / ?  @h 1.1 keep1 expect0 none 0|Host=h"},
    {LITERAL("get / HTTP/1.1\r\n" HOST END),
     "get(9) / ?  @h 1.1 keep1 expect0 none 0|Host=h"},
    {LITERAL("X!#$%&'*+-.^_`|~9 / HTTP/1.1\r\n" HOST END),
     "X!#$%&'*+-.^_`|~9(9) / ?  @h 1.1 keep1 expect0 none 0|Host=h"},
    {LITERAL(HEAD
             "X-Empty:\r\nX-Blank: \t \r\nX-Text: a\tb\xE9 \"c:d\" ,\r\n" END),
     "GET(0) / ?  @h 1.1 keep1 expect0 none 0|Host=h|X-Empty=|X-Blank="
     "|X-Text=a\tb\xE9 \"c:d\" ,"},
    {LITERAL(HEAD END "GET /next HTTP/1.1\r\n"),
     "GET(0) / ?  @h 1.1 keep1 expect0 none 0|Host=h"},
    {LITERAL("GET //x//?/? HTTP/1.1\r\n" HOST END),
     "GET(0) //x// ? /? @h 1.1 keep1 expect0 none 0|Host=h"},
};

/* Everything that is ERR_BAD_REQUEST. */
static const struct str bad[] = {
    /* line ends */
    LITERAL("GET / HTTP/1.1\nHost: h\r\n\r\n"),
    LITERAL(GET "Host: h\n\r\n"),
    LITERAL(HEAD "\n"),
    LITERAL("\n" HEAD END),
    LITERAL("\r\r\n" HEAD END),
    LITERAL("\r\n\r\n" HEAD END),
    LITERAL("GET / HTTP/1.1\r\r\nHost: h\r\n\r\n"),
    LITERAL(GET "Host: h\r\r\n\r\n"),
    LITERAL(GET "Host: h\rX: y\r\n\r\n"),
    LITERAL(GET "Host: h\r\n\rX"),
    LITERAL("GET /\r/ HTTP/1.1\r\n" HOST END),
    /* request line */
    LITERAL(" GET / HTTP/1.1\r\n" HOST END),
    LITERAL("\tGET / HTTP/1.1\r\n" HOST END),
    LITERAL("GET\r\n" HOST END),
    LITERAL("GET /\r\n" HOST END),
    LITERAL("GET / \r\n" HOST END),
    LITERAL("GET  / HTTP/1.1\r\n" HOST END),
    LITERAL("GET /  HTTP/1.1\r\n" HOST END),
    LITERAL("GET\t/ HTTP/1.1\r\n" HOST END),
    LITERAL("GET / HTTP/1.1 \r\n" HOST END),
    LITERAL("GET / x HTTP/1.1\r\n" HOST END),
    LITERAL("G@T / HTTP/1.1\r\n" HOST END),
    LITERAL("GET: / HTTP/1.1\r\n" HOST END),
    LITERAL("G\xC3\x89T / HTTP/1.1\r\n" HOST END),
    LITERAL("GET / HTTP/2.0\r\n" HOST END),
    LITERAL("GET / HTTP/1.2\r\n" HOST END),
    LITERAL("GET / HTTP/0.9\r\n" HOST END),
    LITERAL("GET / HTTP/1.10\r\n" HOST END),
    LITERAL("GET / HTTP/01.1\r\n" HOST END),
    LITERAL("GET / HTTP/1\r\n" HOST END),
    LITERAL("GET / HTTP/1,1\r\n" HOST END),
    LITERAL("GET / http/1.1\r\n" HOST END),
    LITERAL("GET / ICY/1.1\r\n" HOST END),
    LITERAL("GET / HTTP/1.1x\r\n" HOST END),
    LITERAL("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    LITERAL("\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03"),
    /* target */
    LITERAL("GET x HTTP/1.1\r\n" HOST END),
    LITERAL("GET * HTTP/1.1\r\n" HOST END),
    LITERAL("GET ? HTTP/1.1\r\n" HOST END),
    LITERAL("GET a.b:443 HTTP/1.1\r\n" HOST END),
    LITERAL("GET /a#b HTTP/1.1\r\n" HOST END),
    LITERAL("GET /\xC3\xA9 HTTP/1.1\r\n" HOST END),
    LITERAL("GET /a\"b HTTP/1.1\r\n" HOST END),
    LITERAL("GET /a\\b HTTP/1.1\r\n" HOST END),
    LITERAL("GET /<x> HTTP/1.1\r\n" HOST END),
    LITERAL("GET /% HTTP/1.1\r\n" HOST END),
    LITERAL("GET /%4 HTTP/1.1\r\n" HOST END),
    LITERAL("GET /%zz HTTP/1.1\r\n" HOST END),
    LITERAL("GET /?%4 HTTP/1.1\r\n" HOST END),
    LITERAL("GET /?a[b HTTP/1.1\r\n" HOST END),
    LITERAL("GET /\x01 HTTP/1.1\r\n" HOST END),
    LITERAL("GET /\0 HTTP/1.1\r\n" HOST END),
    LITERAL("GET /\x7F HTTP/1.1\r\n" HOST END),
    LITERAL("GET ftp://h/ HTTP/1.1\r\n" HOST END),
    LITERAL("GET http:///x HTTP/1.1\r\n" HOST END),
    LITERAL("GET http://u@h/ HTTP/1.1\r\n" HOST END),
    LITERAL("GET http://h:x/ HTTP/1.1\r\n" HOST END),
    LITERAL("GET http:h/ HTTP/1.1\r\n" HOST END),
    LITERAL("CONNECT / HTTP/1.1\r\n" HOST END),
    LITERAL("CONNECT a.b HTTP/1.1\r\n" HOST END),
    LITERAL("CONNECT a.b: HTTP/1.1\r\n" HOST END),
    LITERAL("CONNECT a.b:65536 HTTP/1.1\r\n" HOST END),
    LITERAL("CONNECT * HTTP/1.1\r\n" HOST END),
    /* header lines */
    LITERAL(GET " Host: h\r\n" END),
    LITERAL(GET "\r\n" HOST END), /* no Host before the end */
    LITERAL(HEAD " folded\r\n" END),
    LITERAL(HEAD "X: a\r\n\tfolded\r\n" END),
    LITERAL(GET "Host : h\r\n" END),
    LITERAL(GET "Host\t: h\r\n" END),
    LITERAL(HEAD "X\r\n" END),
    LITERAL(HEAD ": v\r\n" END),
    LITERAL(HEAD "X Y: v\r\n" END),
    LITERAL(HEAD "X(Y): v\r\n" END),
    LITERAL(HEAD "X\xE9: v\r\n" END),
    LITERAL(HEAD "X\0: v\r\n" END),
    LITERAL(HEAD "X: a\0b\r\n" END),
    LITERAL(HEAD "X: a\x01"
                 "b\r\n" END),
    LITERAL(HEAD "X: a\x0B"
                 "b\r\n" END),
    LITERAL(HEAD "X: a\x7F"
                 "b\r\n" END),
    /* Host */
    LITERAL(GET END),
    LITERAL(GET "X: y\r\n" END),
    LITERAL(GET HOST HOST END),
    LITERAL(GET HOST "hOST: other\r\n" END),
    LITERAL(GET "Host:\r\n" END),
    LITERAL(GET "Host: a b\r\n" END),
    LITERAL(GET "Host: a/b\r\n" END),
    LITERAL(GET "Host: a,b\x80\r\n" END),
    LITERAL(GET "Host: u@h\r\n" END),
    LITERAL(GET "Host: h:1:2\r\n" END),
    LITERAL(GET "Host: h:65536\r\n" END),
    LITERAL(GET "Host: h:-1\r\n" END),
    LITERAL(GET "Host: :80\r\n" END),
    LITERAL(GET "Host: [::1\r\n" END),
    LITERAL(GET "Host: []\r\n" END),
    LITERAL(GET "Host: [::1]x\r\n" END),
    LITERAL(GET "Host: h%zz\r\n" END),
    LITERAL("GET / HTTP/1.0\r\nHost: a b\r\n" END),
    /* framing */
    LITERAL(HEAD "Content-Length:\r\n" END),
    LITERAL(HEAD "Content-Length: +1\r\n" END),
    LITERAL(HEAD "Content-Length: -1\r\n" END),
    LITERAL(HEAD "Content-Length: 0x1\r\n" END),
    LITERAL(HEAD "Content-Length: 1 1\r\n" END),
    LITERAL(HEAD "Content-Length: 1a\r\n" END),
    LITERAL(HEAD "Content-Length: 1.0\r\n" END),
    LITERAL(HEAD "Content-Length: 5, 5\r\n" END),
    LITERAL(HEAD "Content-Length: 5,\r\n" END),
    LITERAL(HEAD "Content-Length: 5\r\nContent-Length: 5\r\n" END),
    LITERAL(HEAD "Content-Length: 5\r\nContent-Length: 6\r\n" END),
    LITERAL(HEAD "Content-Length: 0\r\ncontent-length: 0\r\n" END),
    LITERAL(HEAD "Content-Length: 9223372036854775808\r\n" END),
    LITERAL(HEAD "Content-Length: 18446744073709551617\r\n" END),
    LITERAL(HEAD "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n" END),
    LITERAL(HEAD "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n" END),
    LITERAL(HEAD "Transfer-Encoding:\r\n" END),
    LITERAL(HEAD "Transfer-Encoding: identity\r\n" END),
    LITERAL(HEAD "Transfer-Encoding: gzip\r\n" END),
    LITERAL(HEAD "Transfer-Encoding: gzip, chunked\r\n" END),
    LITERAL(HEAD "Transfer-Encoding: chunked, gzip\r\n" END),
    LITERAL(HEAD "Transfer-Encoding: chunked, chunked\r\n" END),
    LITERAL(HEAD "Transfer-Encoding: chunked,\r\n" END),
    LITERAL(HEAD "Transfer-Encoding: ,chunked\r\n" END),
    LITERAL(HEAD "Transfer-Encoding: chunked;q=1\r\n" END),
    LITERAL(HEAD "Transfer-Encoding: \"chunked\"\r\n" END),
    LITERAL(HEAD "Transfer-Encoding: xchunked\r\n" END),
    LITERAL(HEAD "Transfer-Encoding: chunked\x0B\r\n" END),
    LITERAL(HEAD "Transfer-Encoding : chunked\r\n" END),
    LITERAL(HEAD "Transfer-Encoding: chunked\r\n"
                 "Transfer-Encoding: chunked\r\n" END),
    LITERAL("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n" END),
};

#endif
