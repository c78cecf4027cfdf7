################################################################################
#
# robocast
#
################################################################################

ROBOCAST_SITE = $(realpath $(BR2_EXTERNAL_ROBOCAST_PATH)/..)
ROBOCAST_SITE_METHOD = local
ROBOCAST_VERSION = $(shell sed -n 's/^version = "\(.*\)"$$/\1/p' $(ROBOCAST_SITE)/Cargo.toml)
ROBOCAST_LICENSE = MIT or Apache-2.0
ROBOCAST_LICENSE_FILES = LICENSE LICENSE-APACHE LICENSE-MIT
ROBOCAST_DEPENDENCIES = host-pkgconf gstreamer1 gst1-plugins-base libglib2

# Builds for the host machine are big, and not needed here. The output
# folder may be in the repository too.
ROBOCAST_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS = --exclude=/target --exclude=/output

ROBOCAST_BOARD = $(call qstrip,$(BR2_PACKAGE_ROBOCAST_BOARD))

# Cargo.toml says how a release is built; Buildroot's own options would win.
ROBOCAST_CARGO_ENV = \
	CARGO_PROFILE_RELEASE_CODEGEN_UNITS=4 \
	CARGO_PROFILE_RELEASE_LTO=thin
ROBOCAST_CARGO_BUILD_OPTS = --package robocast --bins

# Buildroot fetches a package's crates when it downloads the package, but a
# local one is not downloaded. So the same is done here, into the same cache in
# the download folder: only what it lacks is fetched, and Cargo.lock has the
# checksums.
define ROBOCAST_CONFIGURE_CMDS
	mkdir -p $(@D)/.cargo $(BR_CARGO_HOME)
	cd $(@D) && \
	$(TARGET_MAKE_ENV) $(PKG_COMMON_CARGO_ENV) \
		flock $(BR_CARGO_HOME)/.br-lock \
		cargo vendor --locked --versioned-dirs VENDOR \
			> .cargo/config.toml
endef

# The project's one install step: executables, units, configuration, board.
define ROBOCAST_INSTALL_TARGET_CMDS
	$(TARGET_MAKE_ENV) $(MAKE) -C $(@D) install \
		DESTDIR=$(TARGET_DIR) \
		PREFIX=/usr \
		BUILD=$(@D)/target/$(RUSTC_TARGET_NAME)/$(if $(BR2_ENABLE_DEBUG),debug,release) \
		BOARD=$(ROBOCAST_BOARD)
endef

# As in hw/rootfs/usr/lib/sysusers.d/robocast.conf: /etc is read-only on
# the box, so users are created with the image.
define ROBOCAST_USERS
	robocast-camera -1 robocast-camera -1 * - - robocast,video,render robocast: cameras
	robocast-push -1 robocast-push -1 * - - robocast robocast: pushes
endef

ifeq ($(BR2_PACKAGE_ROBOCAST)$(BR_BUILDING),yy)
ifeq ($(wildcard $(ROBOCAST_SITE)/hw/boards/$(or $(ROBOCAST_BOARD),none)/board.conf),)
$(error BR2_PACKAGE_ROBOCAST_BOARD is "$(ROBOCAST_BOARD)", and there is no hw/boards/$(ROBOCAST_BOARD)/board.conf)
endif
endif

$(eval $(cargo-package))
