################################################################################
#
# libpisp
#
################################################################################

# The last release before libcamera 0.7.1
LIBPISP_VERSION = 1.5.0
LIBPISP_SITE = $(call github,raspberrypi,libpisp,v$(LIBPISP_VERSION))
LIBPISP_LICENSE = \
	BSD-2-Clause (library), \
	CC0-1.0 (meson build system), \
	GPL-2.0-only WITH Linux-syscall-note (linux kernel headers)
LIBPISP_LICENSE_FILES = \
	LICENSES/BSD-2-Clause.txt \
	LICENSES/CC0-1.0.txt \
	LICENSES/GPL-2.0-only.txt \
	LICENSES/Linux-syscall-note.txt
LIBPISP_INSTALL_STAGING = YES
LIBPISP_DEPENDENCIES = host-pkgconf json-for-modern-cpp
LIBPISP_CONF_OPTS = \
	-Dexamples=false \
	-Dgstreamer=disabled \
	-Dlogging=disabled \
	-Dwerror=false

# utils/version.py asks git for a commit, and would find that of the
# repository that the output folder is in.
LIBPISP_NINJA_ENV = GIT_DIR=/dev/null

# Names the interpreter by a path that not every machine has.
define LIBPISP_FIX_SHEBANG
	$(SED) '1s,^#!/usr/bin/python3$$,#!/usr/bin/env python3,' \
		$(@D)/utils/version.py
endef
LIBPISP_POST_PATCH_HOOKS += LIBPISP_FIX_SHEBANG

$(eval $(meson-package))
