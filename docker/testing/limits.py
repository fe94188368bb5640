"""What containers are denied, one thing at a time and all at once: each time the program starts,
an edit restarts it, a health check is answered, and the stop is clean."""

from container import Container, Tree

DENIALS = {
    "a read-only root": ["--read-only"],
    "another user": ["--user", "1000:1000"],
    "no capabilities": ["--cap-drop", "ALL"],
    "64 MiB of memory": ["--memory", "64m"],
    "a quarter of a core": ["--cpus", "0.25"],
    "64 processes": ["--pids-limit", "64"],
}

FILES = 2000


def works_with(docker_options, options=(), program='echo "up $(cat a) end"; exec sleep 1000'):
    with Tree(a="one", **{f"file{number}": "text" for number in range(FILES)}) as tree:
        container = Container(tree, program, docker_options, options)
        container.wait_for("up one end")
        tree.write("a", "two")
        container.wait_for("up two end")
        assert container.health() == 0
        status, _ = container.stop()
        assert status == 128 + 15, status
        return container.lines.rest()


def denial(name, words):
    def case():
        works_with(words)
    globals()["case_with_" + name.replace(" ", "_")] = case


for name, words in DENIALS.items():
    denial(name, words)


def case_with_all_of_that_at_once():
    works_with([word for words in DENIALS.values() for word in words]
               + ["--security-opt", "no-new-privileges", "--network", "none"])


# These need what Docker itself does not offer: a shell changes /proc before stakeout becomes PID 1.
def with_proc(change, options=""):
    inner = "echo up $(cat a) end; exec sleep 1000"
    start = f"{change}; exec stakeout {options} -- sh -c '{inner}'"
    with Tree(a="one") as tree:
        words = ["--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined"]
        words += ["--security-opt", "apparmor=unconfined", "--entrypoint", "/usr/bin/env"]
        container = Container(tree, start, words)
        container.wait_for("up one end")
        tree.write("a", "two")
        container.wait_for("up two end")
        status, _ = container.stop()
        assert status == 128 + 15, status


def case_without_proc():
    with_proc("umount -l /proc")


def case_with_proc_that_hides_what_is_another_users():
    with_proc("mount -o remount,hidepid=2 /proc", "--user 1000:1000")
