include $(sort $(wildcard $(BR2_EXTERNAL_ROBOCAST_PATH)/package/*/*.mk))

# Additions to Buildroot's own packages. Their rules exist
# already when this file is read, so additional dependencies are also stated as
# a rule.

# gst1-plugins-bad does not offer srt: every plugin that is not selected is off.
ifeq ($(BR2_PACKAGE_SRT)$(BR2_PACKAGE_GST1_PLUGINS_BAD),yy)
GST1_PLUGINS_BAD_CONF_OPTS += -Dsrt=enabled
GST1_PLUGINS_BAD_DEPENDENCIES += srt
$(GST1_PLUGINS_BAD_TARGET_CONFIGURE): | srt
gst1-plugins-bad-show-build-order: srt-show-build-order
endif

# libcamera has the Pi 5's pipeline, but its package does not offer it.
ifeq ($(BR2_PACKAGE_LIBPISP_LIBCAMERA),y)
LIBCAMERA_PIPELINES-y += rpi/pisp
LIBCAMERA_DEPENDENCIES += libpisp
$(LIBCAMERA_TARGET_CONFIGURE): | libpisp
libcamera-show-build-order: libpisp-show-build-order
endif

# Kconfig drops symbols of a fragment silently. So robocast's fragments
# are checked afterwards: a missing symbol stops the build.
ROBOCAST_DROPPED = $(BR2_EXTERNAL_ROBOCAST_PATH)/checks.py dropped
ROBOCAST_BOARDS = $(realpath $(BR2_EXTERNAL_ROBOCAST_PATH)/../hw/boards)

# The boot script is built into U-Boot, and differs between boards. One
# symbol is also there under its old name, which this U-Boot does not know.
define ROBOCAST_UBOOT_CONFIG
	$(ROBOCAST_BOARDS)/u-boot-config $(ROBOCAST_BOARD) \
		| grep -v '^CONFIG_SYS_REDUNDAND_ENVIRONMENT=' \
		> $(BUILD_DIR)/robocast-u-boot.cfg
endef
UBOOT_POST_PATCH_HOOKS += ROBOCAST_UBOOT_CONFIG

define ROBOCAST_UBOOT_CHECK
	$(ROBOCAST_DROPPED) $(BUILD_DIR)/robocast-u-boot.cfg $(UBOOT_DIR)/.config
endef
UBOOT_POST_CONFIGURE_HOOKS += ROBOCAST_UBOOT_CHECK

define ROBOCAST_LINUX_CHECK
	for part in $(ROBOCAST_BOARDS)/common/kernel.cfg $(wildcard $(ROBOCAST_BOARDS)/$(ROBOCAST_BOARD)/qemu.cfg); do \
		$(ROBOCAST_DROPPED) $$part $(LINUX_DIR)/.config || exit 1; \
	done
endef
LINUX_POST_CONFIGURE_HOOKS += ROBOCAST_LINUX_CHECK
