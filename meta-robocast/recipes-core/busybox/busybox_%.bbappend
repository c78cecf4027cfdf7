# Commands of preinit and of the boot backends that OpenEmbedded's configuration leaves out.
FILESEXTRAPATHS:prepend:robocast-os := "${THISDIR}/files:"
SRC_URI:append:robocast-os = " file://robocast.cfg"
