"""A tree, and a container in which stakeout watches it."""

import json
import os
import queue
import shutil
import subprocess
import tempfile
import threading
import time

from engine import DEADLINE, LABEL, docker
from image import DEBIAN


class Tree:
    """A directory on the host."""

    def __init__(self, **files):
        self.path = tempfile.mkdtemp(prefix="stakeout-tree-")
        os.chmod(self.path, 0o755)
        for name, text in files.items():
            self.write(name, text)

    def write(self, name, text):
        """Writes as many editors do: a new file, renamed over the old one."""
        path = os.path.join(self.path, name)
        with open(path + "~", "w") as file:
            file.write(text)
        os.rename(path + "~", path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)


class Lines:
    """The lines of a pipe, to be waited for."""

    def __init__(self, pipe):
        self.seen = []
        self.queue = queue.Queue()
        threading.Thread(target=self._read, args=(pipe,), daemon=True).start()

    def _read(self, pipe):
        for line in iter(pipe.readline, b""):
            self.queue.put(line.decode(errors="replace").rstrip("\r\n"))
        self.queue.put(None)

    def wait_for(self, *texts):
        """Waits for lines that contain these texts; gives the last of them. Docker brings standard
        output and error together in whatever order."""
        until = time.monotonic() + DEADLINE
        while texts:
            try:
                line = self.queue.get(timeout=max(0, until - time.monotonic()))
            except queue.Empty:
                line = None
            if line is None:
                raise AssertionError(f"no line with {texts}:\n" + "\n".join(self.seen))
            self.seen.append(line)
            texts = [text for text in texts if text not in line]
        return line

    def has(self, text):
        """Whether such a line has come by now."""
        while not self.queue.empty():
            self.seen.append(self.queue.get() or "")
        return any(text in line for line in self.seen)

    def rest(self):
        """All that comes until the end."""
        while (line := self.queue.get(timeout=DEADLINE)) is not None:
            self.seen.append(line)
        return "\n".join(self.seen)


class Container:
    """A container that was started with these options, of `docker run` and of stakeout."""

    def __init__(self, tree, program, docker_options=(), options=(), image=DEBIAN):
        words = ["run", "-d", "--label", LABEL, "-v", f"{tree.path}:/app", *docker_options]
        self.id = docker(*words, image, *options, "--", "sh", "-c", program).strip()
        follow = ["docker", "logs", "-f", self.id]
        self._logs = subprocess.Popen(follow, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.lines = Lines(self._logs.stdout)

    def wait_for(self, *texts):
        return self.lines.wait_for(*texts)

    def execute(self, *words, check=True):
        return docker("exec", self.id, *words, check=check)

    def health(self):
        """The status that `stakeout status --check` exits with inside."""
        words = ["docker", "exec", self.id, "stakeout", "status", "--check"]
        return subprocess.run(words, capture_output=True).returncode

    def stop(self, patience=10):
        """As `docker stop`; gives the exit status, and how long it took in seconds."""
        begun = time.monotonic()
        docker("stop", "-t", str(patience), self.id)
        took = time.monotonic() - begun
        return self.status(), took

    def status(self):
        [found] = json.loads(docker("inspect", self.id))
        return found["State"]["ExitCode"]
