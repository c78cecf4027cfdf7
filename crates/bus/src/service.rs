//! D-Bus faces.
