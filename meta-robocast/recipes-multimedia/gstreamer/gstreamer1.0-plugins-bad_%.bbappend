# Software H.264, for boards without an encoder; otherwise only the parsers are used, which need no library.
PACKAGECONFIG:robocast-os = "openh264 orc"
