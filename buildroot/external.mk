include $(sort $(wildcard $(BR2_EXTERNAL_ROBOCAST_PATH)/package/*/*.mk))

# Buildroot's packages that learn something of ours. Their rules are made
# already when this file is read, so what they wait for is said once more, as a
# rule.

# gst1-plugins-bad knows no srt: every plugin is off that is not asked for.
ifeq ($(BR2_PACKAGE_SRT)$(BR2_PACKAGE_GST1_PLUGINS_BAD),yy)
GST1_PLUGINS_BAD_CONF_OPTS += -Dsrt=enabled
GST1_PLUGINS_BAD_DEPENDENCIES += srt
$(GST1_PLUGINS_BAD_TARGET_CONFIGURE): | srt
gst1-plugins-bad-show-build-order: srt-show-build-order
endif

# libcamera has the pipeline of the Pi 5, its package does not offer it.
ifeq ($(BR2_PACKAGE_LIBPISP_LIBCAMERA),y)
LIBCAMERA_PIPELINES-y += rpi/pisp
LIBCAMERA_DEPENDENCIES += libpisp
$(LIBCAMERA_TARGET_CONFIGURE): | libpisp
libcamera-show-build-order: libpisp-show-build-order
endif

# What Kconfig drops of a fragment it drops without a word. The fragments of
# robocast are asked for after: what is missing stops the build.
ROBOCAST_DROPPED = $(BR2_EXTERNAL_ROBOCAST_PATH)/checks.py dropped
ROBOCAST_BOARDS = $(realpath $(BR2_EXTERNAL_ROBOCAST_PATH)/../hw/boards)

# The boot script is built into U-Boot, and differs from board to board. One
# symbol is there by its old name too, which this U-Boot does not know.
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
