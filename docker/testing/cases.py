"""stakeout as PID 1: it notices what is edited on the host, stops in time, and leaves nothing."""

import os
import subprocess
import tempfile

from container import Container, Tree
from engine import eventually, run


def case_an_edit_on_the_host_restarts_the_program():
    with Tree(a="one") as tree:
        container = Container(tree, 'echo "up $(cat a) as $$"; exec sleep 1000')
        container.wait_for("up one as")
        assert container.execute("cat", "/proc/1/comm").strip() == "stakeout"
        assert container.health() == 0
        tree.write("a", "two")
        container.wait_for("modified a", "up two as")
        # A file that was made before is noticed as well.
        tree.write("b", "new")
        container.wait_for("created b", "up two as")
        assert container.stop()[0] == 128 + 15


def case_docker_stop_ends_a_program_that_listens_within_2_s():
    with Tree() as tree:
        program = 'trap "echo leaving; exit 7" TERM; echo up 1; while :; do sleep 0.05; done'
        container = Container(tree, program)
        container.wait_for("up 1")
        status, took = container.stop()
        assert status == 7, status
        assert "leaving" in container.lines.rest()
        assert took < 2, f"{took:.1f} s"
        return f"in {took:.2f} s"


def case_docker_stop_ends_one_that_ignores_it_before_docker_kills_all():
    with Tree() as tree:
        container = Container(tree, 'trap "" TERM; echo up 1; while :; do sleep 0.05; done')
        container.wait_for("up 1")
        status, took = container.stop()
        # By our hand, not Docker's: there was time to say so, and nothing was left behind.
        assert "killing it" in container.lines.rest()
        assert status == 128 + 9, status
        assert took < 10, f"{took:.1f} s"
        return f"in {took:.1f} s"


def case_no_zombie_is_left_by_500_restarts():
    """Each program leaves a daemon, and an orphan that ends at once."""
    with Tree(a="0") as tree:
        program = '(setsid sleep 1000 &); (true &); echo "up $(cat a) end"; exec sleep 1000'
        container = Container(tree, program, options=["--interval", "20ms", "--debounce", "10ms"])
        container.wait_for("up 0 end")
        for number in range(1, 501):
            tree.write("a", str(number))
            container.wait_for(f"up {number} end")
        # stakeout, its keeper, the program and its daemon, and the ps that is asked.
        processes = container.execute("ps", "-e", "-o", "stat=,comm=").splitlines()
        assert not [line for line in processes if line.startswith("Z")], processes
        assert len(processes) <= 6, processes
        status, _ = container.stop()
        assert status == 128 + 15, status


def case_a_share_without_events_that_is_edited_from_behind():
    """A FUSE mount, as Docker Desktop's volumes are: the container hears of nothing."""
    with Tree(a="one") as behind, tempfile.TemporaryDirectory(prefix="stakeout-share-") as share:
        run("bindfs", "-o", "allow_other", behind.path, share)
        try:
            front = Tree()
            os.rmdir(front.path)
            front.path = share
            container = Container(front, 'echo "up $(cat a) end"; exec sleep 1000')
            container.wait_for("is on a share", "up one end")
            for text in ["two", "six"]:
                behind.write("a", text)
                container.wait_for(f"up {text} end")
            container.stop()
        finally:
            eventually("an unmounted share", lambda: not os.path.ismount(share) or unmounted(share))


def unmounted(path):
    return subprocess.run(["umount", path], capture_output=True).returncode == 0
