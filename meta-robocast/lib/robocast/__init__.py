"""What the layer reads from the project's tree: the crate list, the boards, the users."""

BBIMPORTS = ["boards", "crates", "users"]
