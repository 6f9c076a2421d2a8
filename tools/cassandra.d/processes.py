"""Processes that outlive the command that started them, known by id and start time, so that a signal never reaches a
stranger that got the same id later."""
import os
import signal
import subprocess
import time
from collections import namedtuple

Identity = namedtuple("Identity", "pid start_time")

# The shell writes its own line of /proc before it becomes the program: there is no moment at which the process runs and
# its file is missing, even when the command that starts it is killed.
_RECORD_AND_BECOME = 'read -r line </proc/$$/stat && printf "%s\\n" "$line" >"$0" && exec "$@"'


def start(command, pid_file, log_file, working_directory):
    pid_file.unlink(missing_ok=True)
    with open(log_file, "ab") as log:
        return subprocess.Popen(["/bin/sh", "-c", _RECORD_AND_BECOME, str(pid_file), *map(str, command)], stdout=log,
                                stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=working_directory,
                                start_new_session=True)


def _fields(stat_line):
    """The identity and the state letter in a line of /proc/PID/stat; the name in brackets may contain anything."""
    head, _, tail = stat_line.rpartition(")")
    fields = tail.split()
    return Identity(int(head.split()[0]), int(fields[19])), fields[0]


def identity_in(pid_file):
    """None when there is no such file, or a torn one."""
    try:
        return _fields(pid_file.read_text())[0]
    except (OSError, ValueError, IndexError):
        return None


def identity_of(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return _fields(file.read())[0]
    except (OSError, ValueError, IndexError):
        return None


def state_of(identity):
    """"running", "stopped" (SIGSTOP), or "gone"; what was killed and not yet reaped is gone."""
    if identity is None:
        return "gone"
    try:
        with open(f"/proc/{identity.pid}/stat", encoding="utf-8", errors="replace") as file:
            now, letter = _fields(file.read())
    except (OSError, ValueError, IndexError):
        return "gone"
    if now != identity or letter in "ZX":
        return "gone"
    return "stopped" if letter in "Tt" else "running"


def has_stopped(identity):
    """Whether SIGSTOP has reached every thread; also true when the process is gone."""
    if state_of(identity) == "gone":
        return True
    try:
        for task in os.listdir(f"/proc/{identity.pid}/task"):
            with open(f"/proc/{identity.pid}/task/{task}/stat", encoding="utf-8", errors="replace") as file:
                if _fields(file.read())[1] not in "Tt":
                    return False
    except OSError:
        return False  # a thread that has just ended: look again
    return True


def send(identity, number):
    """Whether the signal reached that very process."""
    if identity is None:
        return False
    try:
        descriptor = os.pidfd_open(identity.pid)
    except OSError:
        return False
    try:
        # The descriptor holds on to one process; only now is it sure that it is ours.
        if state_of(identity) == "gone":
            return False
        signal.pidfd_send_signal(descriptor, number)
        return True
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)


def wait_for(condition, seconds, pause=0.02):
    """The last answer of the condition, asked until it is true or the time is over."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer or time.monotonic() > deadline:
            return answer
        time.sleep(pause)


def end(identities, polite_seconds):
    """SIGTERM, then SIGKILL for those that are still there after `polite_seconds` (0: SIGKILL at once). True when all
    are gone."""
    def gone():
        return all(state_of(one) == "gone" for one in identities)

    if polite_seconds > 0:
        for one in identities:
            send(one, signal.SIGTERM)
            send(one, signal.SIGCONT)
        if wait_for(gone, polite_seconds):
            return True
    for one in identities:
        send(one, signal.SIGKILL)
    return wait_for(gone, 20)
