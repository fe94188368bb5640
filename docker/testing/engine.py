"""A Docker engine: the one that runs, or one of our own for as long as the tests take."""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time

# However slow the machine: what has not happened after this long will not happen.
DEADLINE = 60

# All our containers have it, so that no other is touched.
LABEL = "stakeout-test"

PACKAGES = {
    "dockerd": "docker.io",
    "docker": "docker.io",
    "docker-compose": "docker-compose",
    "debootstrap": "debootstrap",
    "bindfs": "bindfs",
}


def run(*words, check=True, **options):
    """Runs a command and gives its standard output."""
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(words)}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def docker(*words, **options):
    # The builder that needs no plugin.
    environment = {**os.environ, "DOCKER_BUILDKIT": "0"}
    return run("docker", *words, env=environment, **options)


def eventually(what, condition):
    """Waits until the condition holds; gives what it gave."""
    until = time.monotonic() + DEADLINE
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > until:
            raise AssertionError(f"it never came to {what}")
        time.sleep(0.02)


def remove_containers():
    ids = docker("ps", "-aq", "--filter", f"label={LABEL}").split()
    if ids:
        docker("rm", "-f", *ids)


def install():
    missing = sorted({package for tool, package in PACKAGES.items() if not shutil.which(tool)})
    if missing:
        options = ["-y", "-qq", "--no-install-recommends"]
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        run("apt-get", "update", "-qq")
        run("apt-get", "install", *options, *missing, env=quiet)


@contextlib.contextmanager
def running():
    """Starts an engine unless there is one; stops only what it has started."""
    install()
    answers = lambda: subprocess.run(["docker", "version"], capture_output=True).returncode == 0
    if answers():
        yield
        return
    place = tempfile.mkdtemp(prefix="stakeout-dockerd-")
    log = open(os.path.join(place, "log"), "w")
    words = ["dockerd", "--storage-driver", "overlay2", "--data-root", f"{place}/data"]
    words += ["--exec-root", f"{place}/exec", "-p", f"{place}/pid"]
    daemon = subprocess.Popen(words, stdout=log, stderr=log)
    try:
        try:
            eventually("a Docker engine", lambda: answers() or daemon.poll() is not None)
            assert daemon.poll() is None, "dockerd ended"
        except AssertionError:
            print(open(log.name).read()[-4000:])
            raise
        yield
        remove_containers()
    finally:
        daemon.terminate()
        daemon.wait()
        shutil.rmtree(place, ignore_errors=True)
