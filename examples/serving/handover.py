"""Is replaced without a failed request: says when it is ready, and when it is asked to stop,
answers what it has accepted.

    stakeout --listen 8080 --ready notify --handover -- python3 examples/serving/handover.py
"""

import os
import signal
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"hello from {os.getpid()}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def notify(words):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.sendto(words.encode(), os.environ["NOTIFY_SOCKET"].replace("@", "\0", 1))


server = ThreadingHTTPServer(("", 0), Answer, bind_and_activate=False)
# Those that answer are waited for.
server.daemon_threads = False
server.socket.close()
server.socket = socket.socket(fileno=3)
# While there are two, the other one may be faster to accept.
server.socket.setblocking(False)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
notify("READY=1")
server.serve_forever(poll_interval=0.05)
server.server_close()
