# Cameras, and their JPEG; RTP and RTSP need nothing.
PACKAGECONFIG:robocast-os = "gudev jpeg orc v4l2"
