//! The robot's side: a network namespace that holds the robot's interface and no way out.
