# app, playback, videoconvertscale, videorate, videotestsrc: nothing of it needs a library.
PACKAGECONFIG:robocast-os = "orc"
# L4T's plugins want GStreamer's GL library.
PACKAGECONFIG:append:robocast-os:tegra = " ${PACKAGECONFIG_GL}"
