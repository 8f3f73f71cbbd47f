"""Answers leave together, in their order, whatever becomes of single connections."""

import asyncio
import socket

from api.plain import Outbox


async def pair() -> tuple[asyncio.Transport, socket.socket]:
    """Both ends of a connection."""
    near, far = socket.socketpair()
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=near)
    return transport, far


async def test_answers_of_one_turn_are_sent_before_the_next_one() -> None:
    outbox = Outbox(asyncio.get_running_loop())
    (one, first), (other, second) = await pair(), await pair()
    for data in (b"a", b"b", b"c"):
        outbox.put(one, data)
        outbox.put(other, data.upper())
    await asyncio.sleep(0)
    assert (first.recv(9), second.recv(9)) == (b"abc", b"ABC")


async def test_a_connection_that_was_closed_meanwhile_takes_nobody_elses_answer_with_it() -> None:
    outbox = Outbox(asyncio.get_running_loop())
    (gone, _), (other, there) = await pair(), await pair()
    outbox.put(gone, b"late")
    outbox.put(other, b"in time")
    gone.abort()
    await asyncio.sleep(0)
    assert there.recv(9) == b"in time"
    outbox.put(other, b", again")
    await asyncio.sleep(0)
    assert there.recv(9) == b", again"


async def test_what_is_flushed_is_not_sent_twice() -> None:
    outbox = Outbox(asyncio.get_running_loop())
    transport, there = await pair()
    outbox.put(transport, b"once")
    outbox.flush()
    transport.close()
    await asyncio.sleep(0)
    assert there.recv(9) == b"once"
    assert there.recv(9) == b""
