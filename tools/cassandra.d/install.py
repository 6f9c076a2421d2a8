"""What a node and the check client need, in .cache/cassandra of the checkout: the jars of the server, a Python
environment with the driver that is the tests' judge. Made by `tools/cassandra setup`, never by a test."""
import glob
import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
CACHE = HERE.parent.parent / ".cache" / "cassandra"
JARS = CACHE / "jars"
ARCHIVE = CACHE / "classes.jsa"
ENVIRONMENT = CACHE / "python"
DEBIAN_JAVA = "/usr/lib/jvm/java-17-openjdk-*/bin/java"
PYTHON = ENVIRONMENT / "bin" / "python"


class Missing(Exception):
    """Something that this cannot install; the text names the cure."""


class InstallFailed(Exception):
    """All that is needed is there, yet it did not work; the text says what was said."""


def _command_output(command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except OSError:
        return ""


def java():
    """Cassandra 5.0 runs on Java 11 or 17 only; ours is tested with 17."""
    home = os.environ.get("JAVA_HOME")
    for candidate in ([home + "/bin/java"] if home else []) + ["java", *sorted(glob.glob(DEBIAN_JAVA))]:
        path = shutil.which(candidate)
        if path and re.search(r'JAVA_VERSION="17\.', release_of(path)):
            return path
    raise Missing("no Java 17 found (JAVA_HOME, PATH, /usr/lib/jvm): install openjdk-17-jre-headless; Cassandra 5.0 runs "
                  "on no newer one")


def release_of(java_path):
    """The file beside every JDK that names its version: read in no time, where `java -version` takes a tenth of a second."""
    try:
        return (pathlib.Path(java_path).resolve().parent.parent / "release").read_text()
    except OSError:
        return ""


def class_path():
    return ":".join(map(str, sorted(JARS.glob("*.jar"))))


def agent():
    return next(JARS.glob("jamm-*.jar"))


def archive_flags(archive_to):
    """For a start from the archive of classes (archive.py), or for the run that makes it."""
    # The agent (jamm, which measures objects) changes none of the archived classes; the JVM cannot know that.
    allow = ["-XX:+UnlockDiagnosticVMOptions", "-XX:+AllowArchivingWithJavaAgent"]
    if archive_to:
        return [*allow, f"-XX:ArchiveClassesAtExit={archive_to}"]
    return [*allow, f"-XX:SharedArchiveFile={ARCHIVE}"] if ARCHIVE.exists() else []


def is_current(stamp, source):
    """A stamp holds the text of what it was made from."""
    return stamp.exists() and stamp.read_text() == source.read_text()


def require():
    if not is_current(CACHE / "jars.stamp", HERE / "pom.xml") or not PYTHON.exists():
        raise Missing("Cassandra is not installed (.cache/cassandra): run tools/cassandra setup")
    java()


def _run(command, what):
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", check=False)
    if done.returncode != 0:
        raise InstallFailed(f"{what} failed:\n" + "\n".join(done.stdout.splitlines()[-15:]))


def setup(say):
    """The jars and the check client; the archive of classes is made from these by archive.py."""
    java()
    CACHE.mkdir(parents=True, exist_ok=True)
    _setup_jars(say)
    _setup_environment(say)


def _setup_jars(say):
    stamp = CACHE / "jars.stamp"
    if is_current(stamp, HERE / "pom.xml"):
        say("jars: all there")
        return
    if not shutil.which("mvn"):
        raise Missing("no Maven on PATH, which fetches the jars of Cassandra: install maven")
    say("fetching the jars of Apache Cassandra with Maven (67 MB)")
    fresh = CACHE / "jars.new"
    shutil.rmtree(fresh, ignore_errors=True)
    _run(["mvn", "-q", "-B", "-f", HERE / "pom.xml", "dependency:copy-dependencies", "-DincludeScope=runtime",
          f"-DoutputDirectory={fresh}"], "fetching the jars")
    shutil.rmtree(JARS, ignore_errors=True)
    fresh.rename(JARS)
    stamp.write_text((HERE / "pom.xml").read_text())
    say(f"jars: {len(list(JARS.glob('*.jar')))} fetched")


def _setup_environment(say):
    stamp = CACHE / "python.stamp"
    if is_current(stamp, HERE / "requirements.txt") and PYTHON.exists():
        say("check client: all there")
        return
    say("making the Python environment of the check client")
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    if importlib.util.find_spec("ensurepip") is None:
        raise Missing("this Python cannot make environments (no ensurepip): install python3-venv")
    _run([sys.executable, "-m", "venv", ENVIRONMENT], "python3 -m venv")
    _run([PYTHON, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--only-binary", ":all:", "-r",
          HERE / "requirements.txt"], "installing the check client with pip")
    stamp.write_text((HERE / "requirements.txt").read_text())
    say("check client: installed")
