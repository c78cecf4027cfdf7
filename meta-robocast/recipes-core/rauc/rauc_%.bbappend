# robocast marks a slot good once frames flow; reaching the end of the boot is not enough.
RRECOMMENDS:${PN}:remove:robocast-os = "${PN}-mark-good"
