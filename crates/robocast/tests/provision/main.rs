//! `robocast provision` as root, with real sticks: images with file systems and partition tables, and folders.
//!
//! | file | owns |
//! |---|---|
//! | `owners_box` | a box: its folders, its old settings, and what must hold after every stick |
//! | `sticks` | makes sticks with mkfs, mtools and sfdisk |
//! | `corpus_*` | the sticks: names, contents, signatures, kinds of files, media, trouble of the box |
//! | `tracer` | runs the program up to its n-th system call that writes |
//! | `cuts` | the power fails or the stick is pulled, at every write |
//!
//! Where the kernel has no FAT, sticks with FAT are only checked to be refused cleanly; the tests print this.

#![cfg(target_os = "linux")]
// A harness fails by panicking, with its observations.
#![allow(clippy::unwrap_used)]

mod corpus_contents;
mod corpus_damage;
mod corpus_kinds;
mod corpus_media;
mod corpus_names;
mod corpus_owner;
mod cuts;
mod owners_box;
mod sticks;
mod tracer;
