"""The layer's view of the project's tree: the crate list, the boards, the users."""

BBIMPORTS = ["boards", "crates", "users"]
