#!/usr/bin/env python3
"""What watching costs while nothing happens, and how soon an edit is noticed: stakeout beside
other watchers that poll, each looking once a second at the same tree; then stakeout by itself.

    benches/peers.py [--install DIR] [--files 10000,100000] [--stakeout PATH] [--short]

Prints the tables of benches/peers.md. Peers that are not there are named and skipped; --install
fetches them into DIR (pip and npm; fswatch and watchexec are taken from PATH). --short takes
figures that mean nothing, from a small tree, to see that all of this works. Python's standard
library only; Linux."""

import argparse
import ctypes
import os
import pathlib
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

PAGE = os.sysconf("SC_PAGE_SIZE")
FILES_IN_DIRECTORY = 12
CALM = 0.5  # seconds between two looks at whether a watcher has come to rest

WATCHFILES = """
import sys, watchfiles
for changes in watchfiles.watch(sys.argv[1], force_polling=True, poll_delay_ms=1000, debounce=50):
    for _, path in changes: print(path, flush=True)
"""
WATCHDOG = """
import sys, time
from watchdog.events import FileSystemEventHandler
from watchdog.observers.polling import PollingObserver
class Handler(FileSystemEventHandler):
    def on_any_event(self, event): print(event.src_path, flush=True)
observer = PollingObserver(timeout=1)
observer.schedule(Handler(), sys.argv[1], recursive=True)
observer.start()
while True: time.sleep(1000)
"""
CHOKIDAR = """
const chokidar = require('chokidar');
const options = {usePolling: true, interval: 1000, binaryInterval: 1000, ignoreInitial: true};
chokidar.watch(process.argv[1], options).on('all', (event, path) => console.log(path));
"""


class Watcher:
    """A watcher that runs, and the lines that it writes."""

    def __init__(self, command, environment=None):
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
            env={**os.environ, **(environment or {})},
        )
        self.lines = []
        self.heard = threading.Condition()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            with self.heard:
                self.lines.append((time.monotonic(), line))
                self.heard.notify_all()

    def look_for(self, text, since, seconds):
        """When the first line with this text came, after so many lines, if one does in time."""
        until = time.monotonic() + seconds
        with self.heard:
            while True:
                for when, line in self.lines[since:]:
                    if text in line:
                        return when
                left = until - time.monotonic()
                if left <= 0:
                    return None
                self.heard.wait(left)

    def wait_for(self, text, since=0, seconds=60):
        """The same; fails if none does."""
        when = self.look_for(text, since, seconds)
        if when is None:
            said = "".join(line for _, line in self.lines[-20:])
            raise SystemExit(f"{self.process.args[0]} never said {text!r}:\n{said}")
        return when

    def is_ready(self, path):
        """Edits until that is noticed: only then it watches."""
        for _ in range(60):
            edit(path)
            if self.look_for(path.name, 0, 2):
                return
        self.wait_for(path.name, seconds=0)

    def tree(self):
        """The pids of it and of all that descends from it."""
        pids = [self.process.pid]
        for pid in pids:
            for children in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
                try:
                    pids += map(int, children.read_text().split())
                except OSError:
                    pass
        return pids

    def cpu(self):
        """Seconds of CPU time that it has used so far."""
        nanoseconds = 0
        for pid in self.tree():
            for schedule in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"):
                try:
                    nanoseconds += int(schedule.read_text().split()[0])
                except OSError:
                    pass
        return nanoseconds / 1e9

    def memory(self):
        """MiB that are resident, what is shared counted once for each process."""
        pages = 0
        for pid in self.tree():
            try:
                pages += int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1])
            except OSError:
                pass
        return pages * PAGE / 2**20

    def settle(self):
        """Waits until it has read what it reads at first, and uses as much CPU time as before."""
        used = []
        while len(used) < 60:
            before = self.cpu()
            time.sleep(2 * CALM)
            used.append(self.cpu() - before)
            if len(used) > 3 and max(used[-3:]) < 1.5 * min(used[-3:]) + 0.01:
                return

    def idle(self, seconds):
        """How much of one core it uses, in percent."""
        began, before = time.monotonic(), self.cpu()
        time.sleep(seconds)
        return (self.cpu() - before) / (time.monotonic() - began) * 100

    def idle_with_looks(self, directory, seconds):
        """The same, with how often a second it listed this directory, as inotify(7) tells; 0 if it
        lists none. A watcher that takes long for a look may look less often than it was told."""
        libc = ctypes.CDLL(None, use_errno=True)
        inotify = libc.inotify_init1(os.O_NONBLOCK)
        libc.inotify_add_watch(inotify, os.fsencode(directory), 0x20)  # IN_OPEN
        began, before, looks = time.monotonic(), self.cpu(), 0
        while time.monotonic() - began < seconds:
            time.sleep(0.05)
            try:
                looks += bool(os.read(inotify, 1 << 16))
            except BlockingIOError:
                pass
        took = time.monotonic() - began
        os.close(inotify)
        return (self.cpu() - before) / took * 100, looks / took

    def end(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def make_tree(root, files):
    for number in range(files):
        place = number // FILES_IN_DIRECTORY
        directory = root / f"d{place // 30}" / f"s{place}"
        if number % FILES_IN_DIRECTORY == 0:
            directory.mkdir(parents=True, exist_ok=True)
        (directory / f"f{number}.txt").write_text(f"{number}\n")


def edit(path):
    """Saves as an editor does; gives when that was done."""
    scratch = path.with_name(path.name + "~")
    scratch.write_text(f"{random.random()}\n")
    scratch.rename(path)
    return time.monotonic()


def latencies(watcher, paths, pause):
    """How long until each of these was named after it was edited, in milliseconds."""
    took = []
    for path in paths:
        time.sleep(pause())
        since = len(watcher.lines)
        done = edit(path)
        when = watcher.wait_for(path.name, since)
        took.append(max(0.0, when - done) * 1000)
    return took


def some_paths(root, count):
    """Files, each in a directory of its own."""
    directories = sorted(root.glob("d*/s*"))
    chosen = random.Random(1).sample(directories, min(count, len(directories)))
    return [sorted(directory.iterdir())[0] for directory in chosen]


def peers(args):
    """How to call each watcher, before the root, by name; None for those that are not there."""
    python = args.install / "venv/bin/python" if args.install else pathlib.Path(sys.executable)
    modules = args.install / "node_modules" if args.install else None
    has_module = lambda name: python.exists() and works([python, "-c", f"import {name}"])
    node = {"NODE_PATH": str(modules)} if modules else {}
    has_chokidar = works(["node", "-e", "require('chokidar')"], node)
    poll = [args.stakeout, "--mode", "poll", "--interval", "1s", "--debounce", "50ms", "-w"]
    watchexec = ["watchexec", "--poll", "1s", "--only-emit-events", "--emit-events-to=stdio", "-w"]
    known = {
        "stakeout": (True, poll, {}),
        "watchfiles": (has_module("watchfiles"), [python, "-c", WATCHFILES], {}),
        "watchdog": (has_module("watchdog"), [python, "-c", WATCHDOG], {}),
        "chokidar": (has_chokidar, ["node", "-e", CHOKIDAR], node),
        "fswatch": (shutil.which("fswatch"), ["fswatch", "-m", "poll_monitor", "-l", "1", "-r"], {}),
        "watchexec": (shutil.which("watchexec"), watchexec, {}),
    }
    return {name: (words, env) if is_there else None for name, (is_there, words, env) in known.items()}


def works(command, environment=None):
    try:
        environment = {**os.environ, **(environment or {})}
        return subprocess.run(command, env=environment, capture_output=True).returncode == 0
    except OSError:
        return False


def install(place):
    place.mkdir(parents=True, exist_ok=True)
    for command in [
        [sys.executable, "-m", "venv", place / "venv"],
        [place / "venv/bin/pip", "-q", "install", "watchfiles", "watchdog"],
        ["npm", "install", "--silent", "--prefix", place, "chokidar@3"],
    ]:
        if not works(command):
            print("could not:", *command, file=sys.stderr)


def compare(args, root, files):
    rows, figures = [], {}
    for name, how in peers(args).items():
        if how is None:
            print(f"skipped: {name} is not here", file=sys.stderr)
            continue
        command, environment = how
        watcher = Watcher([str(word) for word in [*command, root]], environment)
        first, *paths = some_paths(root, args.edits + 1)
        watcher.is_ready(first)
        if not args.short:
            watcher.settle()
        directory = sorted(root.glob("d*/s*"))[-1]
        idle, looks = watcher.idle_with_looks(directory, args.seconds)
        # It lists a directory only where something changed.
        looks = 0 if name == "stakeout" else looks
        memory = watcher.memory()
        took = latencies(watcher, paths, lambda: random.uniform(0.5, 1.5))
        watcher.end()
        # What lists nothing looks once a second, as it was told, or less often.
        figures[name] = idle / (looks or 1)
        rows.append((name, idle, looks, memory, statistics.median(took), max(took)))
    best = min((cost for name, cost in figures.items() if name != "stakeout"), default=0)
    for name, idle, looks, memory, median, worst in rows:
        looks = f"{looks:.2f}" if looks else "—"
        ratio = f"{figures[name] / best:.2f}" if best else "—"
        print(
            f"| {files:,} | {name} | {idle:.2f} % | {looks} | {figures[name] * 10:.1f} ms | {ratio} "
            f"| {memory:.0f} MiB | {median:.0f} ms | {worst:.0f} ms |",
            flush=True,
        )


def alone(args, root, files):
    """stakeout as it is by default, where events come and where none do."""
    debounce = 10
    base = [str(args.stakeout), "-v", "--debounce", f"{debounce}ms", "-w", str(root)]
    pause = lambda: random.uniform(0.3, 0.8)

    def row(what, took, target):
        median, worst = statistics.median(took) - debounce, max(took) - debounce
        print(f"| {files:,} | {what} | {median:.0f} ms | {worst:.0f} ms | {target} |", flush=True)

    cold, *rest = some_paths(root, args.edits + 1)
    watcher = Watcher(base + ["--mode", "poll"])
    watcher.wait_for("all files were read once", seconds=600)
    if not args.short:
        watcher.settle()
    idle = watcher.idle(args.seconds)
    interval = [line for _, line in watcher.lines if "looking every" in line][-1].split()[-1]
    row("a cold directory, no events", latencies(watcher, rest, pause), f"≤ {interval}, the interval")
    latencies(watcher, [cold], pause)
    row("a hot directory, no events", latencies(watcher, [cold] * args.edits, pause), "median ≤ 60 ms")
    warm = watcher.idle(args.seconds)
    watcher.end()
    watcher = Watcher(base)
    watcher.wait_for("all files were read once", seconds=600)
    row("with events", latencies(watcher, rest, pause), "≤ 10 ms")
    trusted = watcher.idle(args.seconds)
    watcher.end()
    return files, interval, idle, warm, trusted


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    ours = pathlib.Path(__file__).resolve().parent.parent / "target/release/stakeout"
    parser.add_argument("--stakeout", type=pathlib.Path, default=ours)
    parser.add_argument("--install", type=pathlib.Path)
    parser.add_argument("--files", default="10000,100000")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--edits", type=int, default=15)
    parser.add_argument("--short", action="store_true")
    args = parser.parse_args()
    if args.short:
        args.files, args.seconds, args.edits = "240", 0.5, 2
    if args.install:
        install(args.install)
    if not args.stakeout.exists():
        raise SystemExit(f"no {args.stakeout}: cargo build --release")
    for name in [name for name in os.environ if name.startswith("STAKEOUT_")]:
        del os.environ[name]
    with tempfile.TemporaryDirectory() as place:
        trees = {}
        for files in map(int, args.files.split(",")):
            trees[files] = pathlib.Path(place) / str(files)
            make_tree(trees[files], files)
        print(
            "| files | watcher | idle CPU | looks a second | CPU a look | to the best peer "
            "| memory | noticed, median | worst |"
        )
        print("|--:|:--|--:|--:|--:|--:|--:|--:|--:|")
        for files, root in trees.items():
            compare(args, root, files)
        print("\n| files | an edit in | noticed, median | worst | target |\n|--:|:--|--:|--:|:--|")
        idle = [alone(args, root, files) for files, root in trees.items()]
        print("\n| files | interval | idle, no events | with a hot directory | with events |")
        print("|--:|--:|--:|--:|--:|")
        for files, interval, cold, warm, trusted in idle:
            print(f"| {files:,} | {interval} | {cold:.2f} % | {warm:.2f} % | {trusted:.2f} % |")


if __name__ == "__main__":
    main()
