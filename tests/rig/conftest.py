"""One board, one world around it. Tests that need a fresh state flash the board again.

A test states what it needs besides power, disk, cards and sticks with labgrid's mark, `lg_feature`; on a board whose
environment file does not name that feature the test is skipped, and counted at the end:
boot-chain (firmware or U-Boot), kernel (one of its own), wifi-radio, v4l2, fat, device-mapper, watchdog, cgroup-limits.
"""

import collections
import os
import pathlib

import pytest
from board import FIGURES, SETTINGS, Board, World, board_of
from labgrid.pytestplugin.hooks import LABGRID_ENV_KEY


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    out = pathlib.Path(os.environ.get("RIG_OUT") or tmp_path_factory.mktemp("rig"))
    # Each of several parallel workers has its own world and board.
    folder = out / os.environ.get("PYTEST_XDIST_WORKER", "main")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def world(folder):
    with World(folder / "world") as world:
        world.dhcp()
        world.server()
        world.go2()
        yield world


@pytest.fixture(scope="session")
def the_board(target, world, folder):
    board = board_of(target, world, folder / "board")
    yield board
    board.cut()


@pytest.fixture(scope="module")
def streaming_board(the_board):
    """A box with settings, booted from a fresh disk; for tests that change nothing."""
    the_board.cut()
    the_board.flash(SETTINGS)
    the_board.boot()
    the_board.recording = the_board.streaming(240)
    yield the_board
    the_board.cut()


@pytest.fixture
def board(the_board):
    """A box that is switched off, freshly flashed; for tests that break it."""
    the_board.cut()
    the_board.flash(SETTINGS)
    yield the_board
    the_board.cut()


def lent():
    """The features that this machine's kernel provides for a board without its own."""
    if "\tvfat" in pathlib.Path("/proc/filesystems").read_text():
        yield "fat"
    controllers = pathlib.Path("/sys/fs/cgroup/cgroup.controllers")
    if controllers.exists() and {"memory", "pids"} <= set(controllers.read_text().split()):
        yield "cgroup-limits"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config):
    data = config.stash[LABGRID_ENV_KEY].config.data
    if not data["targets"]["main"].get("drivers"):
        data["targets"]["main"]["features"] += list(lent())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    report.user_properties += [("figure", words) for words in FIGURES]
    FIGURES.clear()
    if report.when == "call" and report.failed:
        boards = [value for value in item.funcargs.values() if isinstance(value, Board)]
        report.longrepr = f"{report.longreprtext}\n{boards[0].last_words()}" if boards else report.longrepr
    return report


def pytest_runtest_logreport(report):
    """Prints the reason at once: a run takes long, and somebody may be watching."""
    if report.failed:
        print(f"\n{report.longreprtext}", flush=True)


def pytest_terminal_summary(terminalreporter):
    reports = [report for reports in terminalreporter.stats.values() for report in reports if hasattr(report, "user_properties")]
    figures = [words for report in reports for name, words in report.user_properties if name == "figure"]
    if figures:
        terminalreporter.section("figures")
        for words in dict.fromkeys(figures):
            terminalreporter.line(words)
    lacks = collections.Counter(report.longrepr[2].removeprefix("Skipped: ") for report in terminalreporter.stats.get("skipped", []))
    if lacks:
        terminalreporter.section("not on this board")
        for why, tests in sorted(lacks.items()):
            terminalreporter.line(f"{tests} {'test' if tests == 1 else 'tests'}: {why}")
