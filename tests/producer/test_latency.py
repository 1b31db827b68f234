"""The gateway answers a client at once."""

import socket

from prequel.services.gateway.http import serving


def test_connections_do_not_wait_for_acknowledgements() -> None:
    with serving.listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
