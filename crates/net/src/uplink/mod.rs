//! The uplinks: NetworkManager keeps them, we say which there are and which one carries the streams.
