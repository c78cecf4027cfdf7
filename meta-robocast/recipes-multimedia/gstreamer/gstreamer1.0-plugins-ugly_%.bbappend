# Only built when x264 is enabled (ROBOCAST_X264).
PACKAGECONFIG:robocast-os = "orc x264"
