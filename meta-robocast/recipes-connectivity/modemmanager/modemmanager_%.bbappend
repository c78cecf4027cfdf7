# No bindings for another language.
PACKAGECONFIG:remove:robocast-os = "vala"
