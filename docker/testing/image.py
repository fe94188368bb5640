"""The images: stakeout's own, from its Dockerfile, and one to try it in.

No registry is asked. What Rust image the Dockerfile names is made here: a Debian with this
machine's toolchain, and the crates that it has fetched.
"""

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile

from engine import docker, run

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# stakeout alone, and with a Debian around it.
STAKEOUT = "stakeout-test:scratch"
DEBIAN = "stakeout-test:debian"
# It has the crates of one Cargo.lock.
with open(os.path.join(ROOT, "Cargo.lock"), "rb") as lock:
    BUILDER = f"stakeout-test:builder-{hashlib.sha256(lock.read()).hexdigest()[:12]}"
BASE = "stakeout-test:base"

LIMIT = 8 << 20


def has(image):
    return docker("images", "-q", image).strip() != ""


def build():
    """Builds all of them; those without stakeout only if they are not there yet."""
    if not has(BUILDER) or not has(BASE):
        with tempfile.TemporaryDirectory(prefix="stakeout-base-") as place:
            import_debian(place)
    print("building the image from docker/Dockerfile", flush=True)
    docker("build", "-q", "-t", STAKEOUT, "--build-arg", f"BUILDER={BUILDER}",
           "-f", os.path.join(ROOT, "docker/Dockerfile"), ROOT)
    # As the README tells its users.
    text = f"FROM {BASE}\nCOPY --from={STAKEOUT} /stakeout /usr/local/bin/stakeout\n"
    text += 'ENV STAKEOUT_VERBOSE=1 STAKEOUT_INTERVAL=100ms\nWORKDIR /app\nENTRYPOINT ["stakeout"]\n'
    docker("build", "-q", "-t", DEBIAN, "-", input=text)


def import_debian(place):
    print("making a Debian with Rust", flush=True)
    base = os.path.join(place, "base")
    packages = "python3-minimal,gcc,libc6-dev,procps"
    run("debootstrap", "--variant=minbase", f"--include={packages}", "bookworm", base)
    import_directory(base, BASE)
    sysroot = run("rustc", "--print", "sysroot").strip()
    for part in ["bin", "lib"]:
        words = ["cp", "-a", os.path.join(sysroot, part) + "/.", os.path.join(base, "usr/local", part)]
        run(*words)
    run("cargo", "fetch", "--locked", cwd=ROOT)
    home = os.environ.get("CARGO_HOME") or os.path.expanduser("~/.cargo")
    shutil.copytree(os.path.join(home, "registry"), os.path.join(base, "cargo/registry"))
    import_directory(base, BUILDER, "ENV CARGO_HOME=/cargo", "ENV CARGO_NET_OFFLINE=true")


def import_directory(path, name, *changes):
    words = [word for change in changes for word in ["--change", change]]
    with subprocess.Popen(["tar", "-C", path, "-c", "."], stdout=subprocess.PIPE) as tar:
        run("docker", "import", *words, "-", name, stdin=tar.stdout)
    assert tar.returncode == 0, "tar failed"


def case_the_image_is_one_small_static_file():
    """It can be copied into any image, and there is nothing to update in it."""
    saved = subprocess.run(["docker", "save", STAKEOUT], stdout=subprocess.PIPE, check=True).stdout
    archive = tarfile.open(fileobj=io.BytesIO(saved))
    manifest = json.load(archive.extractfile("manifest.json"))
    [layer] = manifest[0]["Layers"]
    [file] = tarfile.open(fileobj=archive.extractfile(layer)).getmembers()
    assert (file.name, file.mode & 0o777) == ("stakeout", 0o755), (file.name, oct(file.mode))
    assert file.size <= LIMIT, f"{file.size} bytes"
    # Nothing else is there, so it would not run if it needed anything.
    assert docker("run", "--rm", STAKEOUT, "--version").startswith("stakeout ")
    return f"{file.size / (1 << 20):.1f} MiB"


def case_the_file_can_be_copied_out_into_a_volume():
    """What an init container does, for an image that cannot be built anew."""
    volume = "stakeout-test-tools"
    docker("volume", "create", volume)
    try:
        docker("run", "--rm", "-v", f"{volume}:/tools", STAKEOUT, "install", "/tools/stakeout")
        version = docker("run", "--rm", "-v", f"{volume}:/tools", "--entrypoint", "/tools/stakeout",
                         BASE, "--version")
        assert version.startswith("stakeout "), version
    finally:
        docker("volume", "rm", volume)
