#!/usr/bin/env python3
"""What a whole stakeout costs while nothing changes: CPU, memory, and which system calls it makes.

    cargo build --release
    benches/process.py [BINARY] [FILES ...]

Needs Python, Linux, and strace(1) for the calls. The trees are those of `cargo bench --bench
ratios` (BENCH_DIR, or in the target directory) where they are there, and else are made anew.
"""

import collections
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
TREES = pathlib.Path(os.environ.get("BENCH_DIR", HERE.parent / "target/tmp/trees"))
WATCHED = 20  # seconds
TICK = os.sysconf("SC_CLK_TCK")


def make_tree(root, files):
    """As ground::make_tree: 12 small files a directory, three directories deep."""
    if (root / ".made").exists():
        return
    for directory, first in enumerate(range(0, files, 12)):
        path = root / f"package_{directory // 100:03}/module_{directory // 10 % 10:02}"
        path = path / f"part_{directory % 10}"
        path.mkdir(parents=True, exist_ok=True)
        for file in range(first, min(files, first + 12)):
            text = f"pub fn number_{file}() -> usize {{\n    {file}\n}}\n"
            (path / f"source_{file}.rs").write_text(text * (1 + file % 40))
    (root / ".made").write_text("")


def own_processes(pid):
    """Stakeout and its keeper, without the program, which is sleep(1)."""
    found = [pid]
    for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        if pathlib.Path(f"/proc/{child}/comm").read_text().strip() != "sleep":
            found += own_processes(int(child))
    return found


def cpu(pid):
    """Seconds of CPU that a process has used, all threads together."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def resident(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024


class Stakeout:
    """A stakeout that watches a tree, from when it has read all of it."""

    def __init__(self, binary, tree, options):
        command = [binary, "-v", "--stdin", "null", *options, "-w", tree, "--", "sleep", "1000000"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.has_read = threading.Event()
        threading.Thread(target=self.listen, daemon=True).start()
        if not self.has_read.wait(900):
            self.stop()
            sys.exit("it does not say that it has read everything")
        time.sleep(5)  # until every stamp is proven

    def listen(self):
        for line in self.process.stderr:
            if "all files were read once" in line:
                self.has_read.set()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)

    def idle(self):
        """Percent of one core, and MiB, of stakeout and its keeper."""
        pids = own_processes(self.process.pid)
        before, began = sum(map(cpu, pids)), time.monotonic()
        time.sleep(WATCHED)
        used = sum(map(cpu, pids)) - before
        return 100 * used / (time.monotonic() - began), sum(map(resident, pids))

    def calls(self):
        """How often it made each system call in so many seconds, by strace; None without it."""
        with tempfile.NamedTemporaryFile() as log:
            command = ["strace", "-f", "-c", "-U", "calls,name", "-o", log.name]
            try:
                strace = subprocess.Popen([*command, "-p", str(self.process.pid)],
                                          stderr=subprocess.DEVNULL)
            except FileNotFoundError:
                return None
            time.sleep(WATCHED)
            strace.send_signal(signal.SIGINT)
            strace.wait(30)
            rows = re.findall(r"^\s*(\d+)\s+(\w+)$", pathlib.Path(log.name).read_text(), re.M)
        return collections.Counter({name: int(count) for count, name in rows if name != "total"})


def shown(calls, files):
    if calls is None:
        return "no strace"
    # The one call for each file says how many looks there were.
    looks = max(1, round(calls["newfstatat"] / files))
    per_file = [f"{name} {count / looks / files:.3f}" for name, count in calls.most_common(4)]
    return f"{looks} looks; calls a file and look: {', '.join(per_file)}"


def main():
    arguments = sys.argv[1:]
    binary = str(HERE.parent / "target/release/stakeout")
    if arguments and not arguments[0].isdigit():
        binary = arguments.pop(0)
    sizes = [int(size) for size in arguments] or [1_000, 10_000, 100_000]
    print("| files | at --interval 1s | by itself | memory | system calls at --interval 1s |")
    print("|--:|--:|--:|--:|---|")
    for files in sizes:
        tree = TREES / str(files)
        make_tree(tree, files)
        fixed = Stakeout(binary, str(tree), ["--interval", "1s"])
        each_second, memory = fixed.idle()
        calls = shown(fixed.calls(), files)
        fixed.stop()
        by_itself = Stakeout(binary, str(tree), [])
        itself, _ = by_itself.idle()
        by_itself.stop()
        print(f"| {files:,} | {each_second:.2f} % | {itself:.2f} % | {memory:.1f} MiB | {calls} |",
              flush=True)


if __name__ == "__main__":
    main()
