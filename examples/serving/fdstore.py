"""Counts, and goes on counting after a restart: the number lies in memory that stakeout holds.

    stakeout -- python3 examples/serving/fdstore.py
"""

import array
import os
import signal
import socket


def store(name, descriptor):
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.connect(os.environ["NOTIFY_SOCKET"].replace("@", "\0", 1))
        client.sendmsg([f"FDSTORE=1\nFDNAME={name}".encode()], [rights])


names = os.environ.get("LISTEN_FDNAMES", "").split(":")
if "counter" in names:
    counter = 3 + names.index("counter")
else:
    counter = os.memfd_create("counter")
    os.pwrite(counter, b"0", 0)
    store("counter", counter)

count = int(os.pread(counter, 100, 0)) + 1
os.pwrite(counter, str(count).encode(), 0)
print(f"started {count} times", flush=True)
signal.pause()
