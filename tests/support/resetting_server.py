"""Serve HTTP with connections that a test resets."""

import socket
from http.server import ThreadingHTTPServer


class ResettingServer(ThreadingHTTPServer):
    """Serve many connections at once, and let handlers reset them."""

    request_queue_size = 128

    def shutdown_request(self, request: object) -> None:
        """Close without a FIN, so that a reset is one."""
        assert isinstance(request, socket.socket)
        self.close_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore clients that were killed or timed out, as the tests intend."""
