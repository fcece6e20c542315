"""A name with three addresses that do not answer, or a name server that does not, with `open_timeout=2`.

`connect` ends after 2 s in all.

In Rust:
- addresses_that_do_not_answer_take_no_longer_than_open_timeout
- giving_up_ends_the_wait
"""

from __future__ import annotations

import socket

from robustness import private_network
from robustness.probes import Breaks, Client, ended, probe

PORT = 8765
ADDRESSES = ["127.0.0.2", "127.0.0.3", "127.0.0.4"]


def black_hole(address: str) -> list[socket.socket]:
    """An address that ignores those who connect: it has no room for more of them."""
    listener = socket.create_server((address, PORT), backlog=0)
    waiting = [listener]
    for _ in range(3):
        waiting.append(socket.socket())
        waiting[-1].setblocking(False)
        waiting[-1].connect_ex((address, PORT))
    return waiting


def bounded(client: Client) -> str:
    ending = ended(lambda: client.connect(f"ws://server.test:{PORT}/", open_timeout=2), within=20)
    if ending.error is None or ending.seconds > 5:
        raise Breaks(str(ending))
    return str(ending)


@probe
def test_addresses(client: Client) -> str:
    """three addresses"""
    private_network.enter(hosts="".join(f"{address} server.test\n" for address in ADDRESSES))
    silent = [black_hole(address) for address in ADDRESSES]
    told = bounded(client)
    del silent
    return told


@probe
def test_resolver(client: Client) -> str:
    """the name server"""
    private_network.enter(resolv_conf="nameserver 127.0.0.1\noptions timeout:30\n")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 53))
        return bounded(client)
