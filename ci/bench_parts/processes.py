"""Starts and ends programs, and reads their cost from /proc."""

import ctypes
import os
import signal
import subprocess
import time
from dataclasses import dataclass

TICKS = os.sysconf("SC_CLK_TCK")
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


def die_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def start(command, log, env=None, output=None):
    """A program in its own session: Ctrl-C reaches only the benchmark, which then ends its programs."""
    with open(log, "ab") as errors:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output or errors, stderr=errors,
            env={**os.environ, **(env or {})}, start_new_session=True, preexec_fn=die_with_parent)


def end(programs, grace=5.0):
    """Asks all to end; kills those that do not."""
    for program in programs:
        if program.poll() is None:
            program.terminate()
    deadline = time.monotonic() + grace
    for program in programs:
        try:
            program.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(program.pid, signal.SIGKILL)
            program.wait()


def fields(pid):
    """/proc/PID/stat from its third field on, or None when the process is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return None


def tree(roots):
    """The processes `roots` and all their children."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (stat := fields(entry)):
            children.setdefault(int(stat[1]), []).append(int(entry))
    found, left = [], [root for root in roots if fields(root)]
    while left:
        pid = left.pop()
        found.append(pid)
        left.extend(children.get(pid, []))
    return found


def words(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().decode(errors="replace").split("\0")
    except OSError:
        return []


def cpu_clock(pid):
    """CPU seconds of a process with all its threads, those that ended too. The same sum as utime + stime in
    /proc/PID/stat, which counts in steps of 10 ms: too coarse for 1 % of a core over 15 s."""
    try:
        return time.clock_gettime((~pid << 3) | 2)  # MAKE_PROCESS_CPUCLOCK(pid, CPUCLOCK_SCHED)
    except OSError:
        return None


@dataclass
class Reading:
    """What a set of processes had used at one moment."""
    at: float
    pids: frozenset
    cpu: float         # seconds, including children that ended
    cpu_stat: float    # the same from /proc/PID/stat
    switches: int
    threads: int


def read(roots):
    cpu = cpu_stat = 0.0
    switches = threads = 0
    pids = set()
    at = time.monotonic()
    for pid in tree(roots):
        clock, stat = cpu_clock(pid), fields(pid)
        if clock is None or stat is None:
            continue
        pids.add(pid)
        ended_children = (int(stat[13]) + int(stat[14])) / TICKS
        cpu += clock + ended_children
        cpu_stat += (int(stat[11]) + int(stat[12])) / TICKS + ended_children
        for status in task_statuses(pid):
            threads += 1
            switches += sum(int(line.split()[1]) for line in status.splitlines() if "ctxt_switches" in line)
    return Reading(at, frozenset(pids), cpu, cpu_stat, switches, threads)


def task_statuses(pid):
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return
    for task in tasks:
        try:
            with open(f"/proc/{pid}/task/{task}/status", encoding="utf-8", errors="replace") as file:
                yield file.read()
        except OSError:
            continue


def pss_mb(pids):
    """Proportional set size: shared pages count once, split among all processes that map them, including the benchmark's
    own camera and reader."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as file:
            total += next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
    return total / 1024


def alone_mb(pids):
    """The memory that the processes would use with no other process to share with: private memory, and each shared
    file page once."""
    own, shared = 0, {}
    for pid in pids:
        with open(f"/proc/{pid}/smaps", encoding="utf-8", errors="replace") as file:
            key, rss = None, 0
            for line in file:
                parts = line.split()
                if not parts[0].endswith(":"):
                    key = (parts[3], parts[4], parts[2])  # device, inode, offset
                elif parts[0] == "Rss:":
                    rss = int(parts[1])
                elif parts[0] == "Anonymous:":
                    anonymous = int(parts[1])
                    own += anonymous
                    if key[1] == "0":
                        own += rss - anonymous
                    else:
                        shared[key] = max(shared.get(key, 0), rss - anonymous)
    return (own + sum(shared.values())) / 1024


def machine_busy():
    """Seconds of work of all cores so far, and seconds that the hypervisor took."""
    with open("/proc/stat", encoding="utf-8") as file:
        user, nice, system, _, _, irq, softirq, steal = (int(n) / TICKS for n in file.readline().split()[1:9])
    return user + nice + system + irq + softirq, steal
