"""Answers on the socket that stakeout keeps open: no connection is refused while it restarts.

    stakeout --listen 8080 -- python3 examples/serving/listen.py
"""

import os
import socket
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


if os.environ.get("LISTEN_PID") != str(os.getpid()):
    raise SystemExit("start this with stakeout --listen 8080")
server = ThreadingHTTPServer(("", 0), Answer, bind_and_activate=False)
server.socket.close()
server.socket = socket.fromfd(3, socket.AF_INET, socket.SOCK_STREAM)
print(f"listening as {os.getpid()}", flush=True)
server.serve_forever()
