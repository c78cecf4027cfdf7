SUMMARY = "What robocast needs on the box"
DESCRIPTION = "Everything that robocast's programs and units use, and nothing else."
HOMEPAGE = "https://github.com/robocast/robocast"
SECTION = "multimedia"

PACKAGE_ARCH = "${MACHINE_ARCH}"

inherit packagegroup features_check

REQUIRED_DISTRO_FEATURES = "rauc systemd"

PACKAGES = "\
    ${PN}-base \
    ${PN}-media \
    ${PN}-network \
    ${PN}-update \
"

# preinit runs before everything else, with these. A stick is FAT, which the kernel reads and writes (dosfstools
# is GPL-3.0, and is left out), or exFAT.
SUMMARY:${PN}-base = "preinit's tools, the stick's file systems, kernel modules"
RDEPENDS:${PN}-base = "\
    e2fsprogs-e2fsck \
    e2fsprogs-mke2fs \
    e2fsprogs-resize2fs \
    exfatprogs \
    kernel-modules \
    kmod \
    util-linux-findfs \
    util-linux-mkswap \
    util-linux-mount \
    util-linux-partx \
    util-linux-sfdisk \
    util-linux-umount \
    ${MACHINE_EXTRA_RDEPENDS} \
"
RDEPENDS:${PN}-base:append:rpi = " linux-firmware-rpidistro-bcm43455 linux-firmware-rpidistro-bcm43456"

# rtspsrc is the only element that receives network packets; every other source is our own code.
SUMMARY:${PN}-media = "GStreamer elements that robocast uses"
RDEPENDS:${PN}-media = "\
    gstreamer1.0 \
    gstreamer1.0-plugins-bad-openh264 \
    gstreamer1.0-plugins-bad-videoparsersbad \
    gstreamer1.0-plugins-base-app \
    gstreamer1.0-plugins-base-playback \
    gstreamer1.0-plugins-base-typefindfunctions \
    gstreamer1.0-plugins-base-videoconvertscale \
    gstreamer1.0-plugins-base-videorate \
    gstreamer1.0-plugins-base-videotestsrc \
    gstreamer1.0-plugins-good-isomp4 \
    gstreamer1.0-plugins-good-jpeg \
    gstreamer1.0-plugins-good-matroska \
    gstreamer1.0-plugins-good-rtp \
    gstreamer1.0-plugins-good-rtpmanager \
    gstreamer1.0-plugins-good-rtsp \
    gstreamer1.0-plugins-good-udp \
    gstreamer1.0-plugins-good-video4linux2 \
    ${@'gstreamer1.0-plugins-ugly-x264' if d.getVar('ROBOCAST_X264') == '1' else ''} \
"
RDEPENDS:${PN}-media:append:rpi = " libcamera libcamera-gst"
# Cameras on the CSI port, and NVIDIA's converter and decoder, are on every Jetson.
RDEPENDS:${PN}-media:append:tegra = " gstreamer1.0-plugins-nvarguscamerasrc gstreamer1.0-plugins-nvvidconv"
RDEPENDS:${PN}-media:append:tegra = " nvidia-kernel-oot-cameras tegra-argus-daemon"
# nvv4l2h264enc and nvv4l2decoder are one plugin. An Orin Nano has the decoder and no encoder; robocast finds this out by
# opening it, and the plugin is still needed for cameras whose video must be decoded.
RDEPENDS:${PN}-media:append:tegra = " gstreamer1.0-plugins-nvvideo4linux2"

SUMMARY:${PN}-network = "Wi-Fi, LTE, names, the firewall"
RDEPENDS:${PN}-network = "\
    ca-certificates \
    dbus \
    iproute2 \
    iw \
    modemmanager \
    networkmanager-daemon \
    networkmanager-nmcli \
    networkmanager-wifi \
    networkmanager-wwan \
    nftables \
    wireless-regdb-static \
    wpa-supplicant \
"

SUMMARY:${PN}-update = "RAUC, and the tools that set the boot chain's next slot"
RDEPENDS:${PN}-update = "\
    rauc \
    rauc-service \
    robocast-keyring \
"
RDEPENDS:${PN}-update:append:chain-u-boot = " libubootenv-bin"
RDEPENDS:${PN}-update:append:chain-nvbootctrl = " robocast-jetson tegra-redundant-boot"
