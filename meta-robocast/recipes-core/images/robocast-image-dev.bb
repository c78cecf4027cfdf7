require robocast-image.bb

SUMMARY = "The root of the robocast box, for developers"
DESCRIPTION = "robocast-image with SSH, a root without a password, and tools to look around. Never for a robot."

IMAGE_FEATURES += "allow-empty-password allow-root-login empty-root-password ssh-server-openssh tools-debug"
IMAGE_INSTALL += "\
    gstreamer1.0 \
    i2c-tools \
    iproute2-ss \
    iproute2-tc \
    strace \
    tcpdump \
    v4l-utils \
"

# The debugger is GPL-3.0; this image is only for developers.
INCOMPATIBLE_LICENSE = ""

python () {
    if d.getVar("ROBOCAST_RELEASE") == "1":
        raise bb.parse.SkipRecipe("a release (ROBOCAST_RELEASE) has no image with an open root")
}
