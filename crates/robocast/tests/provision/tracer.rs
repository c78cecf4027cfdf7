//! Runs a program up to its n-th system call that may write, and does something to it there.

use nix::libc;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// Calls that write, or open a file for writing.
const WRITING: &[libc::c_long] = &[
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_pwrite64,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_syncfs,
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_unlinkat,
    libc::SYS_mkdirat,
    libc::SYS_ftruncate,
    libc::SYS_fchmod,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_ioctl,
    libc::SYS_close,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_rename,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_unlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_mkdir,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_rmdir,
];

/// How a run ended.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// The tracer itself, before the n-th call.
    Itself(i32),
    /// The tracer itself, after that call is done.
    Later(i32),
    /// Killed.
    Killed,
}

/// Whether the call at which a process stopped begins, and writes.
#[allow(unsafe_code)]
fn writes(pid: Pid) -> bool {
    let info = ptrace::syscall_info(pid).unwrap();
    // SAFETY: at the beginning of a call, and only there, the kernel fills in `entry`.
    info.op == libc::PTRACE_SYSCALL_INFO_ENTRY
        && WRITING.contains(&libc::c_long::try_from(unsafe { info.u.entry.nr }).unwrap())
}

/// Runs a program. Right before its `nth` call that writes (from 0 on), `there` is called; false kills the program there.
#[allow(unsafe_code, clippy::zombie_processes)] // `waitpid` waits for it
pub fn run(mut command: Command, nth: usize, there: &dyn Fn() -> bool) -> End {
    // SAFETY: one system call between fork and exec, which is async-signal-safe.
    unsafe {
        command.pre_exec(|| Ok(ptrace::traceme()?));
    }
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    assert!(matches!(waitpid(pid, None).unwrap(), WaitStatus::Stopped(_, Signal::SIGTRAP)));
    ptrace::setoptions(pid, Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_EXITKILL).unwrap();
    let mut seen = 0;
    let mut done = false;
    let mut signal = None;
    let mut resume = true;
    loop {
        if resume {
            // Once it is done, the program runs freely, except for signals.
            let resumed =
                if done { ptrace::cont(pid, signal.take()) } else { ptrace::syscall(pid, signal.take()) };
            resumed.unwrap();
        }
        match waitpid(pid, None).unwrap() {
            WaitStatus::Exited(_, code) if done => return End::Later(code),
            WaitStatus::Exited(_, code) => return End::Itself(code),
            WaitStatus::Signaled(_, Signal::SIGKILL, _) => return End::Killed,
            WaitStatus::PtraceSyscall(_) if writes(pid) => {
                if seen == nth {
                    done = true;
                    // A killed process need not be resumed.
                    resume = there();
                    if !resume {
                        kill(pid, Signal::SIGKILL).unwrap();
                    }
                }
                seen += 1;
            }
            WaitStatus::PtraceSyscall(_) => {}
            WaitStatus::Stopped(_, other) => signal = Some(other),
            other => panic!("{other:?}"),
        }
    }
}
