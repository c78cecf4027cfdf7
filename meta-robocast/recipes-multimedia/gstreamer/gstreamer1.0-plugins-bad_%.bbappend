# H.264 in software, for boards without an encoder; of the rest, only the parsers are used, which need nothing.
PACKAGECONFIG:robocast-os = "openh264 orc"
