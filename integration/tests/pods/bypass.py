# What a program without privileges may try in order to reach a server without its proxy. Each line tells how that ended.
import os
import socket
import subprocess
import sys

host, port = sys.argv[1], int(sys.argv[2])
request = f"GET /seen HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n".encode()


def ask(prepare=lambda client: None, family=socket.AF_INET, address=host, connect=None):
    client = socket.socket(family, socket.SOCK_STREAM)
    client.settimeout(5)
    prepare(client)
    if connect:
        connect(client)
    else:
        client.connect((address, port))
        client.sendall(request)
    answer = b""
    while chunk := client.recv(4096):
        answer += chunk
    return "by the proxy" if b"client.test.serviceaccount" in answer else f"ROUND the proxy: {answer!r}"


def option(level, name, value):
    return lambda client: client.setsockopt(level, name, value)


def fast_open(client):
    # A timeout would make it a socket that doesn't block, and connecting an error.
    client.settimeout(None)
    client.sendto(request, socket.MSG_FASTOPEN, (host, port))


def as_uid(uid):
    os.setuid(uid)
    return ask()


def raw():
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
    return "ROUND the proxy: a raw socket"


def packet():
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3)
    return "ROUND the proxy: a packet socket"


def command(*words):
    done = subprocess.run(words, capture_output=True, text=True, timeout=10)
    return f"ROUND the proxy: {words}" if done.returncode == 0 else "refused"


url = f"http://{host}:{port}/seen"
tricks = {
    "plain": ask,
    "a chosen source address": lambda: ask(lambda client: client.bind(("0.0.0.0", 40001))),
    "the proxy's source port": lambda: ask(lambda client: client.bind(("0.0.0.0", 40140))),
    "bound to the device": lambda: ask(option(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")),
    "a mark": lambda: ask(option(socket.SOL_SOCKET, socket.SO_MARK, 2102)),
    "around routes": lambda: ask(option(socket.SOL_SOCKET, socket.SO_DONTROUTE, 1)),
    "a mapped address": lambda: ask(family=socket.AF_INET6, address=f"::ffff:{host}"),
    "fast open": lambda: ask(connect=fast_open),
    "the proxy's uid": lambda: as_uid(2102),
    "raw packets": raw,
    "packets on the link": packet,
    "other rules": lambda: command("nft", "flush", "ruleset"),
    "the proxy's uid in a namespace": lambda: command("unshare", "--user", "--map-user=2102", "bash", "-c", f"! curl -s {url} | grep -q client.test && exit 0; exit 1"),
    "root in a namespace": lambda: command("unshare", "--user", "--map-root-user", "nft", "flush", "ruleset"),
}
for name, trick in tricks.items():
    try:
        print(f"{name}: {trick()}")
    except OSError as error:
        print(f"{name}: {error}")
