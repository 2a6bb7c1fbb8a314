"""Runs one command so that nothing of it outlives the program that started it.

    supervise.py [--grace SECONDS] [--scratch FOLDER] -- COMMAND [ARGUMENT ...]

The starting program holds the other end of standard input. When that end closes, however the
program ended (`kill -9` included), or on SIGINT, SIGTERM or SIGHUP, the command's whole process
group is asked to end and, after the grace time, killed. `--scratch` names a folder that is made
before the command starts and removed after its last process has ended.

Exits with the command's own code, or with 128 + the signal that ended it. Standard library only,
because it also runs the commands that prepare the virtual environment.
"""

import argparse
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import time

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
# How long processes that were sent SIGKILL may take to disappear.
KILL_PATIENCE = 5.0


def linux_libc():
    """libc for `prctl`, which other systems do not have; there the pipe alone must do."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        return ctypes.CDLL(None, use_errno=True)
    except OSError:
        return None


def watch_signals():
    """From here on a signal no longer ends this program: it is a byte to read at this end of a pipe."""
    wakeup, wakeup_write = os.pipe()
    os.set_blocking(wakeup, False)
    os.set_blocking(wakeup_write, False)
    signal.set_wakeup_fd(wakeup_write, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    return wakeup


class Supervisor:
    def __init__(self, command, grace, wakeup):
        self.grace = grace
        self.wakeup = wakeup
        self.status = None
        libc = linux_libc()
        if libc is not None:
            # What leaves the group (a daemon that made a session of its own) becomes our child
            # when its parent ends, so that it is found and ended too.
            libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

        def before_exec():
            # The last resort, for a supervisor that is itself killed.
            if libc is not None:
                libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)

        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=before_exec,
        )

    def run(self):
        """Waits for the command or for a reason to stop it; the code to exit with."""
        watched = [0, self.wakeup]
        while True:
            self.reap()
            if self.status is not None:
                self.end_group()
                return self.status
            readable, _, _ = select.select(watched, [], [])
            if 0 in readable and not os.read(0, 4096):
                self.end_group()
                return 128 + signal.SIGTERM
            if self.wakeup in readable:
                for number in os.read(self.wakeup, 4096):
                    if number != signal.SIGCHLD:
                        self.end_group()
                        return 128 + number

    def reap(self):
        """Collects every child that has ended, adopted ones too; whether any is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self.process.pid:
                code = os.waitstatus_to_exitcode(status)
                self.status = code if code >= 0 else 128 - code

    def end_group(self):
        self.signal_all(signal.SIGTERM)
        if self.gone_within(self.grace):
            return
        deadline = time.monotonic() + KILL_PATIENCE
        while time.monotonic() < deadline:
            self.signal_all(signal.SIGKILL)
            if self.gone_within(0.1):
                return

    def gone_within(self, seconds):
        deadline = time.monotonic() + seconds
        while True:
            left = self.reap()
            if not left and not self.group_exists():
                return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.01)

    def group_exists(self):
        try:
            os.killpg(self.process.pid, 0)
            return True
        except ProcessLookupError:
            return False
        except PermissionError:
            return True

    def signal_all(self, number):
        try:
            os.killpg(self.process.pid, number)
        except (ProcessLookupError, PermissionError):
            pass
        for pid in adopted_children():
            try:
                os.kill(pid, number)
            except (ProcessLookupError, PermissionError):
                pass


def adopted_children():
    own = os.getpid()
    try:
        with open(f"/proc/{own}/task/{own}/children", encoding="ascii") as children:
            return [int(pid) for pid in children.read().split()]
    except (OSError, ValueError):
        return []


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--grace", type=float, default=2.0)
    parser.add_argument("--scratch")
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args()

    # Before the folder is made, or a signal in between would leave it behind.
    wakeup = watch_signals()
    if arguments.scratch:
        os.makedirs(arguments.scratch, exist_ok=True)
    try:
        try:
            supervisor = Supervisor(arguments.command, arguments.grace, wakeup)
        except OSError as error:
            print(f"cannot start {arguments.command[0]}: {error}", file=sys.stderr)
            return 127
        return supervisor.run()
    finally:
        if arguments.scratch:
            shutil.rmtree(arguments.scratch, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
