SUMMARY = "Takes a robot's video and pushes it to media servers"
DESCRIPTION = "The programs of the robocast box with their units, rules and settings: the whole install tree."
HOMEPAGE = "https://github.com/robocast/robocast"
BUGTRACKER = "https://github.com/robocast/robocast/issues"
SECTION = "multimedia"
LICENSE = "MIT | Apache-2.0"
LIC_FILES_CHKSUM = "\
    file://LICENSE-MIT;md5=24cc1b380b60fde0803621da5ab28255 \
    file://LICENSE-APACHE;md5=3b83ef96387f14655fc854ddc3c6bd57 \
"
DEPENDS = "glib-2.0 gstreamer1.0 gstreamer1.0-plugins-base"
PV = "${@robocast.boards.version(d)}"

# The sources are those of the tree that contains this layer, unchanged: no second commit to keep in sync.
FILESEXTRAPATHS:prepend := "${ROBOCAST_TREE}:"
SRC_URI = "\
    file://Cargo.lock;subdir=${BP} \
    file://Cargo.toml;subdir=${BP} \
    file://LICENSE-APACHE;subdir=${BP} \
    file://LICENSE-MIT;subdir=${BP} \
    file://Makefile;subdir=${BP} \
    file://crates;subdir=${BP} \
    file://hw/boards;subdir=${BP} \
    file://hw/install;subdir=${BP} \
    file://hw/rootfs;subdir=${BP} \
    file://tests;subdir=${BP} \
"

inherit cargo features_check pkgconfig robocast_crates useradd

REQUIRED_DISTRO_FEATURES = "rauc systemd"
# With one board's facts rendered into it, the tree is machine-specific.
PACKAGE_ARCH = "${MACHINE_ARCH}"

# The workspace names the newest Rust it is tested with; the release's own (1.94) compiles it.
CARGO_BUILD_FLAGS += "--package robocast --ignore-rust-version"
# Symbols go to the -dbg package; they are not dropped.
export CARGO_PROFILE_RELEASE_STRIP = "none"

USERADD_PACKAGES = "${PN}"
GROUPADD_PARAM:${PN} = "${@robocast.users.groups(d.getVar('ROBOCAST_TREE'))}"
USERADD_PARAM:${PN} = "${@robocast.users.users(d.getVar('ROBOCAST_TREE'))}"

do_install() {
    oe_runmake install DESTDIR=${D} PREFIX=${prefix} BUILD=${B}/target/${CARGO_TARGET_SUBDIR} BOARD=${ROBOCAST_BOARD}
}

FILES:${PN} += "${nonarch_libdir} ${datadir}"

RDEPENDS:${PN} = "\
    packagegroup-robocast-base \
    packagegroup-robocast-media \
    packagegroup-robocast-network \
    packagegroup-robocast-update \
"
