"""The virtual board as QEMU's command line. For the tests and for `make board`."""

from machine import Machine, mac

# QEMU's machine, processor, memory.
MACHINE = ("virt,gic-version=3", "max,pauth-impdef=on", "512M")


class Qemu(Machine):
    NAME = "virtual"

    def arguments(self):
        words = [
            "-smp", "2", "-no-user-config", "-rtc", f"base={self.clock or 'utc'}",
            "-object", "rng-random,filename=/dev/urandom,id=rng", "-device", "virtio-rng-pci,rng=rng",
            "-drive", f"if=none,id=disk,format=raw,file={self.disk},cache=writeback", "-device", "virtio-blk-pci,drive=disk,serial=emmc",
            "-device", "i6300esb", "-action", "watchdog=reset",
            "-device", "qemu-xhci,id=usb", "-nic", "none",
        ]
        for number, side in enumerate(self.cards):
            words += ["-netdev", f"tap,id=n{number},ifname={self.world.tap(side)},script=no,downscript=no",
                      "-device", f"virtio-net-pci,netdev=n{number},mac={mac(number)},romfile="]
        for number, stick in enumerate(self.sticks):
            words += ["-drive", f"if=none,id=stick{number},format=raw,file={stick}", "-device", f"usb-storage,drive=stick{number},removable=on"]
        return words + self.extra
