"""One board, one world around it. Tests that need a state of their own flash the board anew."""

import os
import pathlib

import pytest
from board import FIGURES, SETTINGS, Board, World


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return pathlib.Path(os.environ.get("RIG_OUT") or tmp_path_factory.mktemp("rig"))


@pytest.fixture(scope="session")
def world(folder):
    with World(folder / "world") as world:
        world.dhcp()
        world.server()
        world.go2()
        yield world


@pytest.fixture(scope="session")
def the_board(target, world, folder):
    board = Board(target, world, folder / "board")
    yield board
    board.cut()


@pytest.fixture(scope="module")
def streaming_board(the_board):
    """A box with settings, booted from a fresh disk; for tests that only look."""
    the_board.cut()
    the_board.flash(SETTINGS)
    the_board.boot()
    the_board.recording = the_board.streaming(240)
    yield the_board
    the_board.cut()


@pytest.fixture
def board(the_board):
    """A box that is switched off, its disk as flashed; for tests that break it."""
    the_board.cut()
    the_board.flash(SETTINGS)
    yield the_board
    the_board.cut()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.when == "call" and report.failed:
        boards = [value for value in item.funcargs.values() if isinstance(value, Board)]
        report.longrepr = f"{report.longreprtext}\n{boards[0].last_words()}" if boards else report.longrepr
    return report


def pytest_runtest_logreport(report):
    """Says why at once: a run takes long, and somebody may be watching."""
    if report.failed:
        print(f"\n{report.longreprtext}", flush=True)


def pytest_terminal_summary(terminalreporter):
    if FIGURES:
        terminalreporter.section("figures")
        for figure in FIGURES:
            terminalreporter.line(figure)
