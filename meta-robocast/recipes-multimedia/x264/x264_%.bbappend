# Only the library: the program would need ffmpeg, whose licence flags are not accepted.
PACKAGECONFIG:remove:robocast-os = "ffmpeg"
