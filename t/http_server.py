#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""http_server.py: for t/uv_samples.sh, a server of pages each of which comes in a way of its own. Prints its port."""
import collections
import http.server
import sys
import threading
import time

lock = threading.Lock()
hits = collections.Counter()  # requests for each path
now = most = 0                # of the pages named "slow": how many are being served, and were at most


class Pages(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    disable_nagle_algorithm = True

    def do_GET(self):
        self.close_connection = True
        name, *words = self.path[1:].split('/')
        with lock:
            hits[self.path[1:]] += 1
        getattr(self, 'page_' + name)(*words)

    def log_message(self, *words):
        pass

    def send_body(self, body, status=200):
        self.send_response(status)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def page_length(self, size):
        self.send_body(bytes(int(size)))

    def page_status(self, status, *words):
        self.send_body(b'no', int(status))

    def page_end(self, size):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(bytes(int(size)))

    def page_chunked(self, size):
        """Chunks of 1, 2, 3 ... bytes, some with an extension, and a trailer."""
        left, step = int(size), 1
        self.send_response(200)
        self.send_header('Transfer-Encoding', 'Chunked')
        self.end_headers()
        while left > 0:
            step = min(step, left)
            self.wfile.write(b'%X%s\r\n%s\r\n' % (step, b' ;name="value"' if step % 3 == 0 else b'', bytes(step)))
            left -= step
            step += 1
        self.wfile.write(b'000\r\nA-Trailer: 1\r\n\r\n')

    def page_drops(self, *words):
        """Each byte alone; names of headers in odd cases."""
        for byte in b'HTTP/1.1 200 OK\r\nServer:\r\ncOnTeNt-LENgth: \t 5 \t\r\nX: Content-Length: 7\r\n\r\nhello':
            self.wfile.write(bytes([byte]))

    def page_early(self):
        self.wfile.write(b'HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n')
        self.send_body(b'late')

    def page_nothing(self):
        self.send_response(204)
        self.end_headers()
        time.sleep(60)  # a client that waits for a page waits for ever

    def page_hang(self, *words):
        time.sleep(60)

    def page_vanish(self):
        pass

    def page_short(self):
        self.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello')

    def page_shortchunk(self):
        self.wfile.write(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nhello')

    def page_badchunk(self):
        self.wfile.write(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nhello')

    def page_hugechunk(self):
        self.wfile.write(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000005\r\nhello')

    def page_lengths(self):
        self.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello')

    def page_negative(self):
        self.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello')

    def page_coding(self):
        self.wfile.write(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello')

    def page_other(self):
        self.wfile.write(b'SSH-2.0-OpenSSH_9.2p1\r\n')

    def page_line(self):
        self.write_for_ever(b'HTTP/1.1 200 OK\r\nX: ', b'x' * 1000)

    def page_lines(self):
        self.write_for_ever(b'HTTP/1.1 200 OK\r\n', b'X: y\r\n')

    def write_for_ever(self, first, rest):
        try:
            self.wfile.write(first)
            while True:
                self.wfile.write(rest)
        except OSError:
            pass

    def page_flaky(self, *words):
        """No answer, then one that is no good, then a good one."""
        with lock:
            time_for_it = hits[self.path[1:]]
        if time_for_it == 2:
            self.send_body(b'', 503)
        elif time_for_it > 2:
            self.send_body(b'at last')

    def page_slow(self, *words):
        global now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.02)
        with lock:
            now -= 1
        self.send_body(b'slow')

    def page_most(self):
        """How many slow ones there were at once, since this was asked for last."""
        global most
        with lock:
            body = b'%d' % most
            most = 0
        self.send_body(body)

    def page_hits(self, *words):
        """How often another page was asked for."""
        with lock:
            body = b'%d' % hits['/'.join(words)]
        self.send_body(body)


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128

    def handle_error(self, request, client_address):
        pass  # clients that give up are what this is for


server = Server(('127.0.0.1', 0), Pages)
print(server.server_port)
sys.stdout.flush()
server.serve_forever()
