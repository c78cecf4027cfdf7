require robocast-kernel.inc
