################################################################################
#
# srt
#
################################################################################

SRT_VERSION = 1.5.5
SRT_SITE = $(call github,Haivision,srt,v$(SRT_VERSION))
SRT_LICENSE = MPL-2.0
SRT_LICENSE_FILES = LICENSE
SRT_CPE_ID_VENDOR = haivision
SRT_CPE_ID_PRODUCT = secure_reliable_transport
SRT_INSTALL_STAGING = YES
SRT_DEPENDENCIES = host-pkgconf openssl
SRT_CONF_OPTS = \
	-DENABLE_APPS=OFF \
	-DENABLE_UNITTESTS=OFF \
	-DENABLE_ENCRYPTION=ON \
	-DUSE_ENCLIB=openssl

# Only one of the two libraries, the one that the rest of the image uses.
ifeq ($(BR2_STATIC_LIBS),y)
SRT_CONF_OPTS += -DENABLE_SHARED=OFF -DENABLE_STATIC=ON
else ifeq ($(BR2_SHARED_LIBS),y)
SRT_CONF_OPTS += -DENABLE_SHARED=ON -DENABLE_STATIC=OFF
else
SRT_CONF_OPTS += -DENABLE_SHARED=ON -DENABLE_STATIC=ON
endif

$(eval $(cmake-package))
