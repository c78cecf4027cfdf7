# QEMU's virt machine, with the kernel of Buildroot's own qemu_aarch64_virt and
# its checksums: ci/check-buildroot compares.
BR2_cortex_a57=y
BR2_GLOBAL_PATCH_DIR="board/qemu/patches"
BR2_LINUX_KERNEL_CUSTOM_VERSION=y
BR2_LINUX_KERNEL_CUSTOM_VERSION_VALUE="6.18.7"
BR2_LINUX_KERNEL_USE_CUSTOM_CONFIG=y
BR2_LINUX_KERNEL_CUSTOM_CONFIG_FILE="board/qemu/aarch64-virt/linux.config"
BR2_LINUX_KERNEL_CONFIG_FRAGMENT_FILES="$(BR2_EXTERNAL_ROBOCAST_PATH)/../hw/boards/common/kernel.cfg $(BR2_EXTERNAL_ROBOCAST_PATH)/../hw/boards/qemuarm64/qemu.cfg"
BR2_PACKAGE_LIBCAMERA_PIPELINE_VIMC=y
