//! Loop devices: an image, or a part of one, as a block device. It disappears when nobody holds it any more, also when
//! this process is killed.

#![allow(unsafe_code)] // The requests of the loop driver have no safe form in any library here.

use nix::errno::Errno;
use nix::libc::{c_int, c_ulong};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::path::{Path, PathBuf};

const CONFIGURE: c_ulong = 0x4C0A;
const GET_FREE: c_ulong = 0x4C82;
const READ_ONLY: u32 = 1;
const AUTOCLEAR: u32 = 4;
/// How often another program may snatch the free device from under us.
const TRIES: usize = 32;

nix::ioctl_none_bad!(get_free, GET_FREE);
nix::ioctl_write_ptr_bad!(configure, CONFIGURE, Config);

/// `struct loop_config` of `linux/loop.h`.
#[repr(C)]
struct Config {
    fd: u32,
    block_size: u32,
    info: Info,
    reserved: [u64; 8],
}

/// `struct loop_info64` of `linux/loop.h`.
#[repr(C)]
struct Info {
    device: u64,
    inode: u64,
    rdevice: u64,
    offset: u64,
    size_limit: u64,
    number: u32,
    encrypt_type: u32,
    encrypt_key_size: u32,
    flags: u32,
    file_name: [u8; 64],
    crypt_name: [u8; 64],
    encrypt_key: [u8; 32],
    init: [u64; 2],
}

/// An attached loop device; detached when dropped and no longer mounted.
#[derive(Debug)]
pub struct Loop {
    path: PathBuf,
    _held: File,
}

impl Loop {
    /// Where the device is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Attaches `length` bytes of `backing` from `offset` on, 0 for all of it. Read-only when `backing` was opened
    /// read-only.
    ///
    /// # Errors
    /// The kernel has no loop devices, or refuses.
    pub fn attach(backing: &File, writable: bool, offset: u64, length: u64) -> io::Result<Self> {
        let control = OpenOptions::new().read(true).write(true).open("/dev/loop-control")?;
        for _ in 0..TRIES {
            // SAFETY: the request takes no argument.
            let number = unsafe { get_free(control.as_raw_fd()) }?;
            let path = PathBuf::from(format!("/dev/loop{number}"));
            let held = OpenOptions::new().read(true).write(writable).open(&path)?;
            match set(held.as_raw_fd(), backing.as_raw_fd(), writable, offset, length) {
                Ok(_) => return Ok(Self { path, _held: held }),
                Err(Errno::EBUSY) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(io::ErrorKind::ResourceBusy.into())
    }
}

fn set(device: RawFd, backing: RawFd, writable: bool, offset: u64, length: u64) -> nix::Result<c_int> {
    let flags = AUTOCLEAR | if writable { 0 } else { READ_ONLY };
    let info = Info {
        device: 0,
        inode: 0,
        rdevice: 0,
        offset,
        size_limit: length,
        number: 0,
        encrypt_type: 0,
        encrypt_key_size: 0,
        flags,
        file_name: [0; 64],
        crypt_name: [0; 64],
        encrypt_key: [0; 32],
        init: [0; 2],
    };
    let fd = u32::try_from(backing).map_err(|_| Errno::EBADF)?;
    let config = Config { fd, block_size: 0, info, reserved: [0; 8] };
    // SAFETY: `config` has the layout of the kernel's structure and outlives the call; both descriptors are open.
    unsafe { configure(device, &config) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_structures_are_as_long_as_the_kernels() {
        assert_eq!((size_of::<Info>(), size_of::<Config>()), (232, 304));
    }
}
