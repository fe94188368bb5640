"""The examples: each comes up from its own files, is edited, and is checked as CI would do it."""

import os
import shutil
import subprocess
import tempfile
import urllib.request

from engine import eventually, run
from image import BUILDER, ROOT, STAKEOUT, has, import_directory

LANGUAGES = "stakeout-test:languages"

# The image that each is built on, and the file that is edited.
EXAMPLES = {
    "Python": (LANGUAGES, "app.py"),
    "Node": (LANGUAGES, "server.js"),
    "Go": (LANGUAGES, "main.go"),
    "Rust": (BUILDER, "src/main.rs"),
}


def build():
    """Makes the image with the languages, if it is not there yet."""
    if has(LANGUAGES):
        return
    print("making a Debian with Python, Node and Go", flush=True)
    with tempfile.TemporaryDirectory(prefix="stakeout-languages-") as place:
        packages = "python3,nodejs,golang-go"
        base = os.path.join(place, "base")
        run("debootstrap", "--variant=minbase", f"--include={packages}", "bookworm", base)
        import_directory(base, LANGUAGES)


class Project:
    """A copy of an example, and what docker-compose makes of it."""

    def __init__(self, language):
        self.language = language
        base, self.file = EXAMPLES[language]
        name = language.lower()
        self.path = tempfile.mkdtemp(prefix="stakeout-example-")
        shutil.copytree(f"{ROOT}/docker/examples/{name}", self.path, dirs_exist_ok=True)
        os.chmod(self.path, 0o755)
        self.environment = {
            **os.environ,
            "BASE": base,
            "STAKEOUT": STAKEOUT,
            "PORT": "0",
            "COMPOSE_PROJECT_NAME": f"stakeout-test-{name}",
            "DOCKER_BUILDKIT": "0",
        }

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.compose("down", "-v", "--rmi", "local", "-t", "5")
        shutil.rmtree(self.path, ignore_errors=True)

    def compose(self, *words):
        return run("docker-compose", *words, cwd=self.path, env=self.environment)

    def edit(self, old, new):
        path = os.path.join(self.path, self.file)
        with open(path) as file:
            text = file.read()
        assert old in text
        with open(path, "w") as file:
            file.write(text.replace(old, new))

    def answer(self):
        """What the web server answers; nothing while it does not."""
        address = self.compose("port", "web", "8000").strip().replace("0.0.0.0", "127.0.0.1")
        try:
            return urllib.request.urlopen(f"http://{address}", timeout=10).read().decode().strip()
        except OSError:
            return None

    def check(self):
        """The status that CI would see, and what was written."""
        words = ["-f", "compose.yaml", "-f", "compose.ci.yaml", "run", "--rm", "-T", "web"]
        done = subprocess.run(["docker-compose", *words], cwd=self.path, env=self.environment,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return done.returncode, done.stdout


def example(language):
    def case():
        build()
        with Project(language) as project:
            project.compose("up", "-d", "--build")
            eventually("an answer", lambda: project.answer() == f"hello from {language}")
            project.edit("hello", "goodbye")
            eventually("another answer", lambda: project.answer() == f"goodbye from {language}")
            is_healthy(project, "web")
            if language == "Python":
                the_worker_has_waited(project)
    globals()[f"case_the_{language}_example_is_edited"] = case

    def ci():
        build()
        with Project(language) as project:
            project.compose("build")
            status, output = project.check()
            assert status == 0 and "smoke test passed, 1 check" in output, (status, output)
            project.edit("hello from", "nothing of")
            status, output = project.check()
            assert status not in (0, 124, 125) and "smoke test FAILED" in output, (status, output)
    globals()[f"case_the_{language}_example_in_CI"] = ci


def is_healthy(project, service):
    container = project.compose("ps", "-q", service).strip()
    health = ["docker", "inspect", "-f", "{{.State.Health.Status}}", container]
    eventually(f"{service} being healthy", lambda: run(*health).strip() == "healthy")


def the_worker_has_waited(project):
    """It began when the web server was healthy, and sees what was edited."""
    said = lambda: project.compose("logs", "--no-color", "worker")
    eventually("what the worker says", lambda: "goodbye from Python" in said())
    assert "Traceback" not in said(), said()
    is_healthy(project, "worker")


for language in EXAMPLES:
    example(language)
