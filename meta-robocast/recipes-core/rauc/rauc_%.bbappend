# A slot is marked good by robocast, once frames flow, not by the boot having come to its end.
RRECOMMENDS:${PN}:remove:robocast-os = "${PN}-mark-good"
