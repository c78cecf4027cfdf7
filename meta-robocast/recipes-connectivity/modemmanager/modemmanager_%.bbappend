# No bindings for other languages.
PACKAGECONFIG:remove:robocast-os = "vala"
