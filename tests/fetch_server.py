#!/usr/bin/env python3
"""The net as tests/test_fetch.c needs it: archives good and hostile, served by servers that are sound or broken.

    fetch_server.py FOLDER

Makes the archives in FOLDER, writes FOLDER/table ("NAME BYTES MD5 SHA256" a line), prints "PORT TLS_PORT" (0: no openssl
here) and serves them on 127.0.0.1. The first piece of a path says what goes wrong, the second names the archive; /count
tells how many requests there were since the last /count. Ends by itself after some minutes, or when its input closes.
"""
import functools
import gzip
import hashlib
import http.server
import io
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import sys
import tarfile
import threading
import time

MOST_SECONDS = 300
MOST_REQUESTS = 2000
MNIST_IMAGES = 9912422 # bytes that the real file has: the command knows its data sets and no others


def noise(size):
    """Bytes that gzip can't shrink, so that archives have the size of what is in them."""
    out = b"".join(hashlib.sha256(b"%d" % i).digest() for i in range(size // 32 + 1))
    return out[:size]


def tar(entries, name_format=tarfile.USTAR_FORMAT):
    """A tar ball of (name, content or a TarInfo's fields)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=name_format) as archive:
        for name, content in entries:
            info = tarfile.TarInfo(name)
            if isinstance(content, dict):
                for field, value in content.items():
                    setattr(info, field, value)
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return gzip.compress(out.getvalue(), 6, mtime=0)


def archives():
    data, names = noise(300000), b"one\ntwo\n"
    own = ("set", {"type": tarfile.DIRTYPE})
    good = [own, ("set/data.bin", data), ("set/names.txt", names)]
    link = {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}
    out = {
        "good": tar(good),
        "good_gnu": tar(good, tarfile.GNU_FORMAT),
        "good_pax": tar(good, tarfile.PAX_FORMAT),
        "good_optional": tar(good + [("set/readme.html", b"<p>")]),
        "absolute": tar(good + [("/tmp/convoy-fetch-evil", b"x")]),
        "parent": tar(good + [("set/../../evil", b"x")]),
        "parent_of_known": tar([own, ("set/../set/data.bin", data), ("set/names.txt", names)]),
        "symbolic_link": tar([own, ("set/data.bin", link), ("set/names.txt", names)]),
        "folder_link": tar([("set", link), ("set/data.bin", data), ("set/names.txt", names)]),
        "hard_link": tar([own, ("set/names.txt", names), ("set/data.bin", {"type": tarfile.LNKTYPE,
                                                                         "linkname": "set/names.txt"})]),
        "device": tar([own, ("set/data.bin", {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 5})]),
        "pipe": tar([own, ("set/data.bin", {"type": tarfile.FIFOTYPE})]),
        "folder_for_file": tar([own, ("set/data.bin", {"type": tarfile.DIRTYPE})]),
        "unexpected": tar(good + [("set/.bashrc", b"x")]),
        "escape_codes": tar(good + [("set/\033[2J", b"x")]),
        "long_name": tar(good + [("set/" + "x" * 3000, b"x")], tarfile.GNU_FORMAT),
        "elsewhere": tar([("other/data.bin", data), ("other/names.txt", names)]),
        "twice": tar(good + [("set/data.bin", data)]),
        "folders": tar([own] * 5000 + good),
        "missing": tar(good[:2]),
        "too_large": tar([own, ("set/data.bin", data + b"x"), ("set/names.txt", names)]),
        "too_small": tar([own, ("set/data.bin", data[:-1]), ("set/names.txt", names)]),
        "text_too_large": tar([own, ("set/data.bin", data), ("set/names.txt", b"x" * 2000)]),
        "bomb": tar([own, ("set/data.bin", bytes(20 << 20)), ("set/names.txt", names)]),
        "cut_short": tar(good)[:-4000],
        "one_byte": b"\x1f",
        "no_gzip": gzip.decompress(tar(good)),
        "no_tar": gzip.compress(b"hello " * 1000, 6, mtime=0),
        "one": gzip.compress(data, 6, mtime=0),
        "one_bomb": gzip.compress(bytes(20 << 20), 6, mtime=0),
        "one_short": gzip.compress(data[:-1], 6, mtime=0),
        "one_plain": data,
    }
    return out


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    requests = 0   # since the last /count
    all_requests = 0
    seen = {}      # how often each path was asked for since the last /count
    lock = threading.Lock()

    def handle_error(self, request, client_address):
        pass # a client that went away is what is being tested


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    archives = {}
    certificate = None
    timeout = 30

    def log_message(self, *args):
        pass

    def start(self, code, length=None, **fields):
        self.send_response(code)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in fields.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True

    def whole(self, content, **fields):
        self.start(200, len(content), **fields)
        self.wfile.write(content)

    def ranged(self, content, send=None):
        """As a sound server does; `send` bytes of the answer at most, then the connection breaks."""
        first = self.first_byte()
        if first >= len(content):
            self.start(416, 0, Content_Range=f"bytes */{len(content)}")
            return
        rest = content[first:]
        if first > 0:
            self.start(206, len(rest), Content_Range=f"bytes {first}-{len(content) - 1}/{len(content)}")
        else:
            self.start(200, len(rest))
        self.wfile.write(rest[:send])

    def first_byte(self):
        asked = self.headers.get("Range")
        return int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0

    def do_GET(self):
        path = self.path
        proxied = path.startswith("http://")
        if proxied:
            path = "/" + path.split("/", 3)[3]
        if path == "/count":
            with Server.lock:
                text = str(Server.requests).encode()
                Server.requests, Server.seen = 0, {}
            self.whole(text)
            return
        with Server.lock:
            Server.requests += 1
            Server.all_requests += 1
            Server.seen[path] = turn = Server.seen.get(path, 0) + 1
            if Server.all_requests > MOST_REQUESTS:
                os._exit(1)
        behaviour, _, name = path[1:].partition("/")
        content = self.archives.get(name.removesuffix(".tar.gz").removesuffix(".gz"))
        act = getattr(self, "act_" + behaviour, None)
        if act is None or content is None or (behaviour == "proxied") != proxied:
            self.start(404, 0)
            return
        act(content, turn)

    # ---- each of these answers request number `turn` for the same path ----

    def act_plain(self, content, turn):
        self.ranged(content)

    act_proxied = act_plain

    def act_no_range(self, content, turn):
        self.whole(content)

    def act_cut(self, content, turn):
        self.ranged(content, len(content) // 4)

    def act_cut_no_range(self, content, turn):
        self.start(200, len(content))
        self.wfile.write(content[:len(content) // 2] if turn == 1 else content)

    def act_dead(self, content, turn):
        self.start(200, len(content))

    def act_hang_up(self, content, turn):
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def act_long(self, content, turn):
        self.start(200, len(content) + 1)
        self.wfile.write(content + b"x")

    def act_short(self, content, turn):
        self.start(200, len(content) - 1)
        self.wfile.write(content[:-1])

    def act_endless(self, content, turn):
        self.start(200)
        for _ in range(1000):
            self.wfile.write(content)

    def act_ends_early(self, content, turn):
        self.start(200)
        self.wfile.write(content[:1000])

    def act_nothing(self, content, turn):
        self.start(200, 0)

    def act_no_content(self, content, turn):
        self.start(204)

    def act_wrong(self, content, turn):
        self.ranged(content[:-100] + b"y" + content[-99:])

    def act_changes(self, content, turn):
        """The file is another one when the download goes on."""
        self.ranged(bytes(len(content)) if turn == 1 else content, len(content) // 2 if turn == 1 else None)

    def act_bad_start(self, content, turn):
        first = self.first_byte()
        if first == 0:
            self.start(200, len(content))
            self.wfile.write(content[:len(content) // 2] if turn == 1 else content)
        else:
            self.start(206, len(content) - first, Content_Range=f"bytes {first - 7}-{len(content) - 1}/{len(content)}")
            self.wfile.write(content[first:])

    def act_bad_total(self, content, turn):
        first = self.first_byte()
        if first == 0:
            self.start(200, len(content))
            self.wfile.write(content[:len(content) // 2] if turn == 1 else content)
        else:
            self.start(206, len(content) - first, Content_Range=f"bytes {first}-{len(content) - 1}/{len(content) + 5}")
            self.wfile.write(content[first:])

    def act_no_such_range(self, content, turn):
        if self.first_byte() > 0:
            self.start(416, 0)
        else:
            self.start(200, len(content))
            self.wfile.write(content[:len(content) // 2] if turn == 1 else content)

    def act_unasked_range(self, content, turn):
        self.start(206, len(content), Content_Range=f"bytes 0-{len(content) - 1}/{len(content)}")
        self.wfile.write(content)

    def act_redirect(self, content, turn):
        self.start(302, 5, Location=self.path.replace("/redirect/", "/plain/"))
        self.wfile.write(b"moved")

    def act_loop(self, content, turn):
        self.start(302, 0, Location=self.path)

    def act_to_file(self, content, turn):
        self.start(302, 0, Location="file:///etc/passwd")

    def act_error(self, content, turn):
        self.start(500, 0)

    def act_busy(self, content, turn):
        if turn < 3:
            self.start(503, 0)
        else:
            self.ranged(content)

    def act_forbidden(self, content, turn):
        self.start(403, 0)

    def act_login(self, content, turn):
        self.whole(b"<html>Please log in</html>", Content_Type="text/html")

    def act_stalls(self, content, turn):
        if turn > 1:
            self.ranged(content)
            return
        self.start(200, len(content))
        self.wfile.write(content[:len(content) // 3])
        self.wfile.flush()
        time.sleep(30)

    def act_slow(self, content, turn):
        first = self.first_byte()
        self.start(206 if first else 200, len(content) - first,
                   Content_Range=f"bytes {first}-{len(content) - 1}/{len(content)}")
        step = max(20000, len(content) // 20)
        for at in range(first, len(content), step):
            self.wfile.write(content[at:at + step])
            self.wfile.flush()
            time.sleep(0.1)


def tls_server(folder, handler):
    """The same over TLS, with a certificate that only a file in `folder` vouches for."""
    openssl = shutil.which("openssl")
    if openssl is None:
        return None
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run([openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
                   check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = Server(("127.0.0.1", 0), handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return server


def main():
    folder = pathlib.Path(sys.argv[1])
    made = archives()
    with open(folder / "table", "w", encoding="utf-8") as table:
        for name, content in made.items():
            (folder / (name + ".tar.gz")).write_bytes(content)
            table.write(f"{name} {len(content)} {hashlib.md5(content).hexdigest()} "
                        f"{hashlib.sha256(content).hexdigest()}\n")
    Handler.archives = made | {"train-images-idx3-ubyte": bytes(MNIST_IMAGES)}
    plain, tls = Server(("127.0.0.1", 0), Handler), tls_server(folder, Handler)
    for server in filter(None, (plain, tls)):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    threading.Thread(target=lambda: (time.sleep(MOST_SECONDS), os._exit(1)), daemon=True).start()
    print(plain.server_address[1], tls.server_address[1] if tls else 0, flush=True)
    sys.stdin.read() # until the test is over


if __name__ == "__main__":
    main()
