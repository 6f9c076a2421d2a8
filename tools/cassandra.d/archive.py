"""An archive of the classes that a node loads, which the JVM maps instead of reading a hundred jars: a start takes a
quarter less. A node without it works as well, so a JVM that cannot make one is no failure."""
import os

import install
from cluster import CQL_PORT, Cluster

_STAMP = install.CACHE / "classes.stamp"


def _source():
    """What the archive depends on: the jars and the JVM."""
    java = install.java()
    return (install.HERE / "pom.xml").read_text() + os.path.realpath(java) + "\n" + install.release_of(java)


def setup(say):
    source = _source()
    if _STAMP.exists() and _STAMP.read_text() == source:
        say("class archive: there")
        return
    say("running a node once to archive its classes")
    install.ARCHIVE.unlink(missing_ok=True)
    fresh = install.ARCHIVE.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    cluster = Cluster.create(None, 1, {"port": CQL_PORT, "auth": False, "tls": False, "client_auth": False, "heap": 512,
                                       "node_certificate": "node", "full_speed": False, "archive_to": str(fresh)})
    try:
        cluster.start()
        for statement in ("CREATE KEYSPACE warm WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
                          "CREATE TABLE warm.rows (id int PRIMARY KEY, text text)",
                          "INSERT INTO warm.rows (id, text) VALUES (1, 'one') IF NOT EXISTS",
                          "SELECT * FROM warm.rows"):
            cluster.node(1).ask(statement, timeout=30)
        cluster.stop()
    except BaseException:
        cluster.stop(polite=False)
        raise
    finally:
        cluster.remove()
    if fresh.exists():
        fresh.replace(install.ARCHIVE)
        say(f"class archive: made ({install.ARCHIVE.stat().st_size >> 20} MB)")
    else:
        say("class archive: this JVM made none; nodes start a little slower")
    _STAMP.write_text(source)


