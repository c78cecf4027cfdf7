"""The parts of ci/bench."""
