# Only built when x264 was asked for (ROBOCAST_X264).
PACKAGECONFIG:robocast-os = "orc x264"
