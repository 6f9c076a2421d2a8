"""Waits for the end of the process that a cluster belongs to, and then ends the cluster, so that an aborted test run leaves
nothing behind. Started by `tools/cassandra start --owner PID`, in a session of its own.

usage: watcher.py DIRECTORY PID START_TIME
"""
import os
import select
import sys

import processes
from cluster import Cluster, Failed

LOOK_MILLISECONDS = 1000  # how often it looks whether there still is a cluster


def owner_is_gone(owner, directory):
    """Waits. False when the cluster was removed before."""
    try:
        descriptor = os.pidfd_open(owner.pid)
    except ProcessLookupError:
        return True
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    # Opened first, then compared: the descriptor is the owner's, not that of a later process with its id.
    while processes.state_of(owner) != "gone" and not poll.poll(LOOK_MILLISECONDS):
        if not os.path.exists(directory + "/state.json"):
            return False
    return True


def main():
    directory = sys.argv[1]
    if not owner_is_gone(processes.Identity(int(sys.argv[2]), int(sys.argv[3])), directory):
        return
    cluster = Cluster(directory)
    # First without the lock: a command of the owner may hold it, waiting for a node that is to be ended now.
    cluster.stop(polite=False)
    with cluster.changing():
        cluster.stop(polite=False)
        if cluster.options["own_directory"]:
            cluster.remove()


if __name__ == "__main__":
    try:
        main()
    except Failed as error:
        print(error, file=sys.stderr)
        sys.exit(1)
