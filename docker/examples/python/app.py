"""A web server on the socket that stakeout keeps open, so that no restart refuses anybody."""

import http.server
import os
import socket
import socketserver


class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = b"hello from Python\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


# The protocol of sd_listen_fds(3): descriptor 3 is the first socket.
kept = "LISTEN_FDS" in os.environ
server = Server(("", 8000), Hello, bind_and_activate=not kept)
if kept:
    server.socket.close()
    server.socket = socket.socket(fileno=3)
server.serve_forever()
