# Passes frames between the links `near` and `far`, each after a delay, in their order.
import collections
import select
import socket
import sys
import time

EVERY_PROTOCOL = socket.htons(3)
OUTGOING = 4
delay = float(sys.argv[1])


def open_link(name):
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, EVERY_PROTOCOL)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    link.bind((name, 0))
    return link


near, far = open_link("near"), open_link("far")
other = {near: far, far: near}
waiting = collections.deque()
print("relaying")
while True:
    patience = max(0, waiting[0][0] - time.monotonic()) if waiting else None
    for link in select.select([near, far], [], [], patience)[0]:
        frame, address = link.recvfrom(65536)
        if address[2] != OUTGOING:
            waiting.append((time.monotonic() + delay, other[link], frame))
    while waiting and waiting[0][0] <= time.monotonic():
        _, link, frame = waiting.popleft()
        link.send(frame)
