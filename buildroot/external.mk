include $(sort $(wildcard $(BR2_EXTERNAL_ROBOCAST_PATH)/package/*/*.mk))

# Buildroot's packages that learn something of ours. Their rules are made
# already when this file is read, so what they wait for is said once more, as a
# rule.

# gst1-plugins-bad knows no srt: every plugin is off that is not asked for.
ifeq ($(BR2_PACKAGE_SRT)$(BR2_PACKAGE_GST1_PLUGINS_BAD),yy)
GST1_PLUGINS_BAD_CONF_OPTS += -Dsrt=enabled
GST1_PLUGINS_BAD_DEPENDENCIES += srt
$(GST1_PLUGINS_BAD_TARGET_CONFIGURE): | srt
endif

# libcamera has the pipeline of the Pi 5, its package does not offer it.
ifeq ($(BR2_PACKAGE_LIBPISP_LIBCAMERA),y)
LIBCAMERA_PIPELINES-y += rpi/pisp
LIBCAMERA_DEPENDENCIES += libpisp
$(LIBCAMERA_TARGET_CONFIGURE): | libpisp
endif
