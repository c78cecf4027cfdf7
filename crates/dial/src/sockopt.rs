//! `getsockopt` into bytes: the one call that no safe crate offers for `TCP_INFO` and MPTCP's options
//! (docs/decisions/0017).
#![allow(unsafe_code)]

use nix::libc::{getsockopt, socklen_t};
use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// Reads a socket option into `buffer`, which the kernel may read first. Returns the bytes that the kernel wrote.
pub(crate) fn read<'a>(
    socket: &impl AsFd,
    level: i32,
    name: i32,
    buffer: &'a mut [u8],
) -> io::Result<&'a [u8]> {
    let mut length = socklen_t::try_from(buffer.len()).unwrap_or(socklen_t::MAX);
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: the descriptor is open as long as `socket` is borrowed; the kernel writes at most `length` bytes
    // to `buffer`, which is that long and borrowed mutably, and every byte is valid as a `u8`.
    let done = unsafe { getsockopt(fd, level, name, buffer.as_mut_ptr().cast(), &raw mut length) };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    let length = usize::try_from(length).unwrap_or(usize::MAX).min(buffer.len());
    Ok(&buffer[..length])
}
