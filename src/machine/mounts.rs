//! The mount of DATA: finding, mounting and unmounting it, with a time limit for each kernel call.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::chip::Role;
use crate::chip::mtd::parse_proc_mtd;

/// Where the stock firmware mounts DATA.
pub const MOUNT_POINT: &str = "/mnt/data";
/// How long the kernel may take to mount or unmount it.
const KERNEL: Duration = Duration::from_secs(60);

/// The device number of what is mounted on DATA's place; `None` where nothing is.
pub fn mounted() -> Option<u64> {
    let here = fs::metadata(MOUNT_POINT).ok()?.dev();
    let above = fs::metadata(Path::new(MOUNT_POINT).join("..")).ok()?.dev();
    (here != above).then_some(here)
}

/// What the kernel's list of mounts may call DATA's partition.
pub fn sources() -> Vec<String> {
    let list = fs::read_to_string("/proc/mtd").unwrap_or_default();
    let data = Role::Data.name();
    let number =
        parse_proc_mtd(&list).into_iter().find(|raw| raw.name == data).map(|raw| raw.index);
    let mut names = vec![format!("mtd:{data}")];
    if let Some(n) = number {
        names.extend([format!("/dev/mtdblock{n}"), format!("/dev/mtd{n}"), format!("mtd{n}")]);
    }
    names
}

/// Another place than its own where one of these sources is mounted.
pub fn elsewhere(mounts: &str, sources: &[String]) -> Option<String> {
    mounts.lines().find_map(|line| {
        let mut words = line.split(' ');
        let (source, point) = (words.next()?, words.next()?);
        (sources.iter().any(|s| s == source) && point != MOUNT_POINT).then(|| point.to_owned())
    })
}

/// How DATA is mounted, as the kernel lists it; `None` where it is not.
pub fn mount_line() -> Option<Mounted> {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    mounted_by(&mounts)
}

fn mounted_by(mounts: &str) -> Option<Mounted> {
    // The last one is the one that is seen.
    mounts.lines().rev().find_map(|line| {
        let mut words = line.split(' ');
        let (source, point, kind) = (words.next()?, words.next()?, words.next()?);
        (point == MOUNT_POINT).then(|| Mounted { source: source.to_owned(), kind: kind.to_owned() })
    })
}

/// A mount of DATA that can be made again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mounted {
    source: String,
    kind: String,
}

impl Mounted {
    /// Mounts it again, or makes it writable again.
    pub fn again(&self) -> std::io::Result<()> {
        if mounted().is_some() {
            return mounted_in_time(None, None, MsFlags::MS_REMOUNT | MsFlags::MS_RELATIME);
        }
        let (source, kind) = (self.source.clone(), self.kind.clone());
        mounted_in_time(Some(source), Some(kind), MsFlags::MS_RELATIME)
    }
}

/// Unmounts it; whether that succeeded.
pub fn unmount() -> bool {
    in_time(KERNEL, || umount2(MOUNT_POINT, MntFlags::empty())).is_ok()
}

/// Mounts it, or changes how it is mounted.
///
/// # Errors
/// The kernel's own, or `TimedOut`.
pub fn mounted_in_time(
    source: Option<String>,
    kind: Option<String>,
    flags: MsFlags,
) -> std::io::Result<()> {
    in_time(KERNEL, move || {
        mount(source.as_deref(), MOUNT_POINT, kind.as_deref(), flags, None::<&str>)
    })
}

/// A call that may never come back: a kernel that fails in it ends the thread that made it, and
/// says nothing. (6.1 does so where JFFS2 meets a summary that it wrote wrongly itself.)
///
/// # Errors
/// Its own, or `TimedOut`.
fn in_time(
    patience: Duration,
    call: impl FnOnce() -> nix::Result<()> + Send + 'static,
) -> std::io::Result<()> {
    let (done, ended) = std::sync::mpsc::channel();
    std::thread::Builder::new().name("mount".to_owned()).stack_size(64 << 10).spawn(move || {
        let _ = done.send(call());
    })?;
    if let Ok(answer) = ended.recv_timeout(patience) {
        return Ok(answer?);
    }
    let what = "the kernel did not return from it";
    Err(std::io::Error::new(std::io::ErrorKind::TimedOut, what))
}

/// Whether something is mounted on DATA's place.
pub fn is_mounted() -> bool {
    mounted().is_some()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_mount_that_never_comes_back_does_not_hold_a_flash_up() {
        let (never, waits) = std::sync::mpsc::channel::<()>();
        let begun = Instant::now();
        let hangs = in_time(Duration::from_millis(100), move || {
            let _ = waits.recv();
            Ok(())
        });
        assert_eq!(hangs.unwrap_err().kind(), std::io::ErrorKind::TimedOut);
        assert!(begun.elapsed() < Duration::from_secs(60));
        drop(never);
        in_time(Duration::from_secs(60), || Ok(())).unwrap();
        let refused = in_time(Duration::from_secs(60), || Err(nix::errno::Errno::EBUSY));
        assert_eq!(refused.unwrap_err().raw_os_error(), Some(nix::errno::Errno::EBUSY as i32));
    }

    #[test]
    fn how_data_was_mounted_is_read_from_the_kernels_list() {
        let list = "rootfs / squashfs ro 0 0\n/dev/mtdblock3 /mnt/data jffs2 rw,relatime 0 0\n";
        let found = mounted_by(list).unwrap();
        assert_eq!((found.source.as_str(), found.kind.as_str()), ("/dev/mtdblock3", "jffs2"));
        assert_eq!(mounted_by("tmpfs /tmp tmpfs rw 0 0\nbroken"), None);
    }

    #[test]
    fn a_second_place_of_data_is_seen_whatever_it_is_mounted_by() {
        let sources = ["mtd:DATA", "/dev/mtdblock3", "mtd3"].map(str::to_owned);
        let own = "rootfs / squashfs ro 0 0\n/dev/mtdblock3 /mnt/data jffs2 rw 0 0\n";
        assert_eq!(elsewhere(own, &sources), None);
        for source in &sources {
            let both = format!("{own}{source} /tmp/x jffs2 rw 0 0\n");
            assert_eq!(elsewhere(&both, &sources).as_deref(), Some("/tmp/x"));
        }
    }
}
