# The library alone: its program would want ffmpeg, whose licence flags are not accepted.
PACKAGECONFIG:remove:robocast-os = "ffmpeg"
