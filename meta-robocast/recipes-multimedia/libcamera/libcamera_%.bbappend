# libcamerasrc.
PACKAGECONFIG:append:robocast-os = " gst"
