"""`docker run -it`: what is typed and how large the window is reach the program."""

import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios

from container import Lines, Tree
from engine import DEADLINE, LABEL, eventually
from image import DEBIAN


class Terminal:
    """A `docker run -it`, at a terminal of its own."""

    def __init__(self, tree, program):
        self.master, slave = pty.openpty()
        self.resize(24, 80)
        words = ["docker", "run", "-it", "--label", LABEL, "-v", f"{tree.path}:/app", DEBIAN]
        words += ["--", "sh", "-c", program]
        self.process = subprocess.Popen(
            words, stdin=slave, stdout=slave, stderr=slave, start_new_session=True
        )
        os.close(slave)
        self.lines = Lines(Reader(self.master))

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.master, text.encode())

    def status(self):
        return self.process.wait(timeout=DEADLINE)


class Reader:
    """Our side of a terminal, which fails when the other side is closed instead of ending."""

    def __init__(self, descriptor):
        self.file = os.fdopen(os.dup(descriptor), "rb")

    def readline(self):
        try:
            return self.file.readline()
        except OSError:
            return b""


def case_ctrl_c_ends_what_runs_at_a_terminal():
    with Tree(a="one") as tree:
        session = Terminal(tree, 'echo "up $(cat a) end"; exec sleep 1000')
        session.lines.wait_for("up one end")
        tree.write("a", "two")
        session.lines.wait_for("up two end")
        session.type("\x03")
        assert session.status() == 128 + 2


def case_what_is_typed_reaches_the_program():
    with Tree() as tree:
        session = Terminal(tree, 'echo up 1; read line; echo "heard $line" end; exit 3')
        session.lines.wait_for("up 1")
        session.type("words\r")
        session.lines.wait_for("heard words end")
        session.type("\x03")
        session.status()


def case_the_window_size_reaches_the_program():
    with Tree() as tree:
        program = "trap 'echo size $(stty size) end' WINCH; echo up 1; while :; do sleep 0.05; done"
        session = Terminal(tree, program)
        session.lines.wait_for("up 1")
        session.resize(33, 101)
        # The client hears of it once it listens, which nothing tells from outside.
        def arrived():
            session.process.send_signal(signal.SIGWINCH)
            return session.lines.has("size 33 101 end")

        eventually("the size", arrived)
        session.type("\x03")
        session.status()
