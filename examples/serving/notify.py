"""Says how it is: ready, what it does, and that it is alive. If it hangs, it is started again.

    stakeout --ready notify --watchdog 2s -- python3 examples/serving/notify.py
"""

import os
import socket
import time

client = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
client.connect(os.environ["NOTIFY_SOCKET"].replace("@", "\0", 1))
every = int(os.environ["WATCHDOG_USEC"]) / 1_000_000

client.send(b"STATUS=loading the data")
time.sleep(0.2)
client.send(b"READY=1\nSTATUS=at work")
while True:
    client.send(b"WATCHDOG=1")
    time.sleep(every / 2)
