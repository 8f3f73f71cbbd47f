"""What clients say in HTTP: plain requests, others, and what is none."""

from hypothesis import strategies as st

RANK = b"GET /v1/games/arcade/boards/best/players/ada HTTP/1.1\r\nHost: x\r\n"
PLAIN = RANK + b"\r\n"
SENT = b"POST /v1/games/arcade/events HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /v1/games/arcade/events HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = POST.replace(b"Content-Length: 5\r\n\r\nhello", b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
LAST = RANK + b"Connection: close\r\n\r\n"


def mostly(usual: bytes, *rest: bytes) -> st.SearchStrategy[bytes]:
    return st.one_of(st.just(usual), st.just(usual), st.just(usual), st.sampled_from(rest))


LINES = st.tuples(
    mostly(b"GET", b"HEAD", b"POST", b"OPTIONS", b"PUT", b"get", b"BREW", b"GE", b""),
    st.sampled_from([b" ", b" ", b" ", b" ", b" ", b" ", b"  ", b"\t"]),
    mostly(
        b"/v1/games/arcade/boards/best/players/ada",
        b"/v1/games/arcade/boards/best",
        b"/v1/games/arcade/boards/best?limit=10&period=all",
        b"/v1/games/arcade/boards/best/players/ada?around=1",
        b"/v1/games/arcade/boards/best/players/a%2Fb%20%C3%A4%zz%",
        b"/v1/games/arcade/boards/best/players/ada?q=a?b/c;d",
        b"/v1/games/arcade/boards/best/players/",
        b"/v1/games/arcade/boards/best/players/a/b",
        b"//v1/games/arcade/boards/best/players/ada",
        b"/v1/games/../arcade/boards/best",
        b"/v1/games/arcade/boards/best#top",
        b"/v1/games/arcade/events",
        b"/v1/games/arcade/events?wait=20",
        b"/v1/games/arcade/boards/best/players/\xc3\xa4",
        b"/v1/games/arcade/boards/best/players/a b",
        b'/v1/games/arcade/boards/best/players/"<>\\^`{|}',
        b"http://x/v1/games/arcade/boards/best/players/ada",
        b"/else",
        b"/",
        b"*",
        b"",
    ),
    mostly(b" HTTP/1.1", b" HTTP/1.0", b" HTTP/1.1 ", b" HTTP/9.9", b" HTTP/1.01", b" http/1.1", b"  HTTP/1.1", b""),
    mostly(b"\r\n", b"\n", b"\r", b"\r\r\n", b"\r\n\r\n"),
).map(b"".join)
FIELDS_ALL = [
    b"User-Agent: test/1.0",
    b"Accept: */*",
    b"ACCEPT-ENCODING: gzip, br",
    b"Accept-Encoding: identity",
    b"Authorization: Bearer rfk_0123",
    b"X-Request-Id: one",
    b"X-Request-Id: two",
    b'If-None-Match: W/"1.2.3"',
    b"Connection: keep-alive",
    b"Connection: Keep-Alive",
    b"Connection: close",
    b"Connection: keep-alive, close",
    b"Connection: upgrade",
    b"Upgrade: websocket",
    b"Upgrade: h2c",
    b"Expect: 100-continue",
    b"Range: bytes=0-1",
    b"Host: y",
    b"X-Anything: goes",
    b"Anything: goes",
    b"X_Under: score",
    b"X-Forwarded-For: 192.0.2.1, 192.0.2.2",
    b"Content-Length: 0",
    b"Content-Length: 5",
    b"Content-Length: 4",
    b"Content-Length: 6",
    b"Content-Length: 05",
    b"Content-Length: +5",
    b"Content-Length: ",
    b"Content-Type: application/json",
    b"Content-Encoding: gzip",
    b"Content-Length: 5, 5",
    b"Content-Length : 5",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding : chunked",
    b"Transfer-Encoding:\tchunked",
    b"TE: trailers",
    b"Trailer: X-Last",
    b"Cookie: a=b; c=d",
    b"Cookie:a=b",
    b"Cookie:  a=b",
    b"Cookie: a=b ",
    b"Cookie:\ta=b",
    b"Cookie: a\tb",
    b"Cookie: a\x00b",
    b"Cookie: a\x7fb",
    b"Cookie: \xc3\xa4",
    b"Cookie:",
    b"Cookie: ",
    b"Cookie",
    b": empty",
    b" folded",
    b"\tfolded",
    b"Cookie : a=b",
    b"Referer: http://x/" + b"a" * 8_100,
]
FIELD = st.sampled_from(FIELDS_ALL)
FIELDS = st.lists(st.tuples(FIELD, mostly(b"\r\n", b"\n", b"\r", b"\r\n ")).map(b"".join), max_size=4).map(b"".join)
BODIES = st.sampled_from([b"", b"hello", b"hello", b"hell", b"hello.", b"\r\n\r\n", PLAIN])
MADE = st.tuples(
    LINES, mostly(b"Host: x\r\n", b"", b"host:x\r\n"), FIELDS, mostly(b"\r\n", b"\n", b"\r", b""), mostly(b"", b"hello")
).map(b"".join)
REQUESTS = st.lists(
    st.one_of(st.just(PLAIN), st.sampled_from([PLAIN, POST, CHUNKED, b"\r\n"]), MADE), min_size=1, max_size=5
)
