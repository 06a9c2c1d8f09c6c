# Counts uploads, and streams an event for each that a client asks for by another request.
import queue
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

next_event = queue.Queue()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self):
        left = int(self.headers["content-length"])
        count, buffer = 0, memoryview(bytearray(1 << 20))
        while left:
            got = self.rfile.readinto(buffer[: min(left, len(buffer))])
            if not got:
                raise ConnectionError("the body ended early")
            left -= got
            count += got
        self.say(f"{count}\n")

    def do_GET(self):
        if self.path == "/next":
            next_event.put(True)
            self.say("ok\n")
        else:
            self.events()

    def events(self):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for number in range(4):
            event = f"data: {number}\n\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
            next_event.get()
        self.wfile.write(b"0\r\n\r\n")

    def say(self, text):
        self.send_response(200)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())


class Server(ThreadingHTTPServer):
    address_family = socket.AF_INET6
    daemon_threads = True


Server(("::", 8080), Handler).serve_forever()
