BR2_cortex_a76=y
BR2_LINUX_KERNEL_DEFCONFIG="bcm2712"
# Pages of 4 KiB, as in Buildroot's own raspberrypi5: not every program
# supports 16 KiB.
BR2_LINUX_KERNEL_CONFIG_FRAGMENT_FILES="board/raspberrypi/linux-4k-page-size.fragment $(BR2_EXTERNAL_ROBOCAST_PATH)/../hw/boards/common/kernel.cfg"
BR2_LINUX_KERNEL_INTREE_DTS_NAME="broadcom/bcm2712-rpi-5-b broadcom/bcm2712d0-rpi-5-b"
# The Pi 5's camera pipeline
BR2_PACKAGE_LIBPISP=y
BR2_PACKAGE_LIBPISP_LIBCAMERA=y
BR2_PACKAGE_LIBCAMERA_PIPELINE_UVCVIDEO=y
