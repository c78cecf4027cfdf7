# app, playback, videoconvertscale, videorate, videotestsrc: none of them needs a library.
PACKAGECONFIG:robocast-os = "orc"
# L4T's plugins need GStreamer's GL library.
PACKAGECONFIG:append:robocast-os:tegra = " ${PACKAGECONFIG_GL}"
