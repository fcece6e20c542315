"""For tests of programs that use WebSockets: a real server, a network that fails on command, and the two
ends of a connection without either.

    from openline import connect
    from openline.testing import EchoServer

    def test_greeting():
        with EchoServer(welcome=["hello"]) as server, connect(server.uri) as websocket:
            assert websocket.recv() == "hello"
"""

from ._echo_server import EchoServer
from ._fault_proxy import FaultCounts, FaultProxy, Faults
from ._pair import Pair, pair

__all__ = ["EchoServer", "FaultCounts", "FaultProxy", "Faults", "Pair", "pair"]
