"""A name server for a network of its own: answers every question for an address of hostssl.test with 127.0.0.1, and no other.

Listens before it runs its arguments, and ends with their code.
"""

import socket
import subprocess
import sys
import threading


def answer(question: bytes) -> bytes:
    name, at = [], 12
    while question[at]:
        name.append(question[at + 1 : at + 1 + question[at]])
        at += 1 + question[at]
    kind = int.from_bytes(question[at + 1 : at + 3])
    known = name[-2:] == [b"hostssl", b"test"]
    has_address = known and kind == 1
    head = question[:2] + (b"\x85\x80" if known else b"\x85\x83") + b"\0\1" + bytes([0, has_address]) + b"\0\0\0\0"
    record = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x7f\0\0\1" if has_address else b""
    return head + question[12 : at + 5] + record


def serve(listener: socket.socket) -> None:
    while True:
        question, sender = listener.recvfrom(512)
        listener.sendto(answer(question), sender)


listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
listener.bind(("127.0.0.1", 53))
threading.Thread(target=serve, args=[listener], daemon=True).start()
sys.exit(subprocess.run(sys.argv[1:]).returncode)
