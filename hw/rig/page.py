"""The page on loopback: the media server's own is in its namespace, reached through a socket in the file system."""

import socket
import threading


def serve(path):
    """Forwards connections to 127.0.0.1 to the socket at `path`; returns the page's address."""
    listener = socket.create_server(("127.0.0.1", 0))

    def carry(source, to):
        try:
            while data := source.recv(65536):
                to.sendall(data)
        except OSError:
            pass
        finally:
            for end in (source, to):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def work():
        while True:
            browser, _ = listener.accept()
            server = socket.socket(socket.AF_UNIX)
            server.connect(str(path))
            for ends in ((browser, server), (server, browser)):
                threading.Thread(target=carry, args=ends, daemon=True).start()

    threading.Thread(target=work, daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}/"
