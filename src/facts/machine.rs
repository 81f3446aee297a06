//! Facts from Linux and the vendor's files, below a folder: `/` on a camera, the firmware's folder
//! on a PC.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{FileFact, Inquiry, Machine, Moment, Program, words};
use crate::base::hex;
use crate::card::file::drop_cache;
use crate::formats::sha256::Sha256;
use crate::image::redact::secrets::Secrets;
use crate::vendor::mortox::{Key, Mortox, SOCKET};

/// Bytes of one text that are read.
const TEXT: u64 = 0x1_0000;
/// Processes that are checked.
const PROCESSES: usize = 512;
/// Files that are listed, and bytes of all of them that are hashed: DATA unpacked has some 12 MiB.
const FILES: usize = 400;
const BYTES: u64 = 32 << 20;
/// Bytes of one file that are hashed at most.
const LARGEST: u64 = 8 << 20;
/// Bytes hashed at a time.
const PIECE: usize = 0x4000;
/// Where the vendor's programs are, and how deep.
const FOLDERS: [(&str, u32); 6] = [
    ("etc/init.d", 0),
    ("mnt/data/bin", 0),
    ("mnt/data/lib", 0),
    ("mnt/data/etc/perp", 2),
    ("mnt/data/scripts", 0),
    ("mstar_ko", 0),
];
/// Single files that tell how the system starts. No setting of an owner's is in them.
const SINGLE: [&str; 6] = [
    "linuxrc",
    "etc/inittab",
    "etc/fstab",
    "etc/mdev.conf",
    "mnt/data/etc/crontab",
    "mnt/data/etc/mortoxd.conf",
];
/// The live settings, and those of the works: their secrets must not be in the document.
const SETTINGS: [&str; 2] = ["mnt/data/.config.nvram", "mnt/data/.config.def"];
/// What sysfs tells about a watchdog.
const WATCHDOG: [&str; 6] = ["identity", "state", "status", "timeout", "nowayout", "bootstatus"];
/// A harmless key of mortoxd's: what the camera is doing, `normal` or `starting`.
const HARMLESS: Key = Key::DeviceStatus;
/// How long mortoxd has to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// A folder that holds a firmware's files.
#[derive(Clone, Debug)]
pub struct Root(pub PathBuf);

impl Root {
    fn at(&self, path: &str) -> PathBuf {
        self.0.join(path)
    }

    fn text(&self, path: &str) -> String {
        let mut bytes = Vec::new();
        let read =
            File::open(self.at(path)).and_then(|file| file.take(TEXT).read_to_end(&mut bytes));
        read.map(|_| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.at(folder)).into_iter().flatten().flatten();
        let mut names: Vec<String> =
            entries.take(FILES).filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }

    /// The secrets in the live settings.
    pub fn add_secrets(&self, secrets: &mut Secrets) {
        for path in SETTINGS {
            let mut bytes = Vec::new();
            let read =
                File::open(self.at(path)).and_then(|f| f.take(2 * TEXT).read_to_end(&mut bytes));
            if read.is_ok() {
                secrets.read_flsh(&bytes);
                secrets.read_text(&bytes);
            }
        }
    }

    /// The machine now, in short.
    pub fn moment(&self, after_seconds: u64) -> Moment {
        let vendor = self.names("mnt/data/bin");
        let programs = self.programs();
        let kind = fs::symlink_metadata(self.at("tmp/factory_mode")).map(|meta| meta.file_type());
        let memory = words::memory(&self.text("proc/meminfo"));
        let available = memory.iter().find(|one| one.name == "MemAvailable");
        let uptime = self.text("proc/uptime");
        Moment {
            after_seconds,
            uptime_seconds: uptime.split('.').next().and_then(|s| s.parse().ok()).unwrap_or(0),
            factory_mode: match kind {
                Err(_) => "absent",
                Ok(kind) if kind.is_dir() => "folder",
                Ok(_) => "file",
            }
            .to_owned(),
            supervisor: programs.iter().any(|program| words::is_supervisor(&program.name)),
            available_kib: available.map_or(0, |one| one.value),
            vendor_programs: programs
                .iter()
                .filter(|program| words::is_vendor_s(&program.name, &vendor))
                .count(),
        }
    }

    /// All of it.
    pub fn machine(&self) -> Machine {
        let vendor = self.names("mnt/data/bin");
        let mut files = Files { root: &self.0, found: Vec::new(), left: BYTES, left_out: 0 };
        for path in SINGLE {
            files.take(&self.at(path), true);
        }
        for (folder, depth) in FOLDERS {
            files.walk(&self.at(folder), depth);
        }
        Machine {
            kernel: self.text("proc/version").trim().to_owned(),
            command_line: words::command_line(&self.text("proc/cmdline")),
            memory: words::memory(&self.text("proc/meminfo")),
            mtd: words::mtd(&self.text("proc/mtd")),
            mounts: words::mounts(&self.text("proc/mounts")),
            file_systems: words::file_systems(&self.text("proc/filesystems")),
            modules: words::modules(&self.text("proc/modules")),
            programs: words::shown_programs(self.programs(), &vendor),
            sockets: words::listening_sockets(&self.text("proc/net/unix")),
            ports: words::listening_ports(&self.text("proc/net/tcp")),
            services: self.services(),
            watchdog: self.watchdog(),
            release: words::release(&self.text("mnt/data/etc/os-release")),
            files: files.found,
            files_left_out: files.left_out,
        }
    }

    fn programs(&self) -> Vec<Program> {
        let entries = fs::read_dir(self.at("proc")).into_iter().flatten().flatten();
        let ids = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let ids = ids.filter(|name| name.bytes().all(|b| b.is_ascii_digit())).take(PROCESSES);
        ids.filter_map(|id| {
            let status = self.text(&format!("proc/{id}/status"));
            let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
            let resident = field("VmRSS:").and_then(|rest| rest.split_whitespace().next());
            Some(Program {
                name: field("Name:")?.trim().to_owned(),
                resident_kib: resident.and_then(|kib| kib.parse().ok()).unwrap_or(0),
                oom_score_adj: self
                    .text(&format!("proc/{id}/oom_score_adj"))
                    .trim()
                    .parse()
                    .unwrap_or(0),
            })
        })
        .collect()
    }

    /// What exists, and what mortoxd answers. The sockets of pictures are not connected to: a client that
    /// closes one of these too early harms the vendor's program.
    fn services(&self) -> Vec<Inquiry> {
        let answer = |name: String, answer: &str| Inquiry { name, answer: answer.to_owned() };
        let mut found = vec![answer("mortoxd".to_owned(), self.ask_mortoxd())];
        for name in self.names("run").into_iter().filter(|name| words::is_name(name)) {
            let control = self.at(&format!("run/{name}/control"));
            if fs::symlink_metadata(&control).is_ok_and(|meta| meta.file_type().is_socket()) {
                found.push(answer(format!("/run/{name}/control"), "is there"));
            }
        }
        found
    }

    fn ask_mortoxd(&self) -> &'static str {
        let path = self.at(SOCKET.trim_start_matches('/'));
        if !path.exists() {
            return "is not there";
        }
        let asked = Mortox::connect(&path).and_then(|mut mortox| mortox.get(HARMLESS, PATIENCE));
        match asked {
            Ok(Some(_)) => "answers",
            Ok(None) => "accepts a connection but does not answer",
            Err(e) if e.kind() == io::ErrorKind::InvalidData => "answers in another protocol",
            Err(_) => "accepts no connection",
        }
    }

    /// What sysfs tells; the device is not opened, for that would start it.
    fn watchdog(&self) -> Vec<Inquiry> {
        let folder = "sys/class/watchdog/watchdog0";
        let device = self.at("dev/watchdog");
        let there =
            fs::symlink_metadata(device).is_ok_and(|meta| meta.file_type().is_char_device());
        let mut found = vec![Inquiry {
            name: "/dev/watchdog".to_owned(),
            answer: if there { "is there" } else { "is not there" }.to_owned(),
        }];
        for name in WATCHDOG {
            let text = self.text(&format!("{folder}/{name}"));
            let value = text.trim();
            if !value.is_empty()
                && value.len() <= 48
                && value.bytes().all(|b| (0x20..0x7F).contains(&b))
            {
                found.push(Inquiry { name: name.to_owned(), answer: value.to_owned() });
            }
        }
        let holders = self.holders("/dev/watchdog");
        if !holders.is_empty() {
            found.push(Inquiry { name: "held by".to_owned(), answer: holders.join(" ") });
        }
        found
    }

    /// The programs that have a device open, by name.
    fn holders(&self, device: &str) -> Vec<String> {
        let entries = fs::read_dir(self.at("proc")).into_iter().flatten().flatten().take(PROCESSES);
        let mut names: Vec<String> = entries
            .filter(|entry| {
                let open = fs::read_dir(entry.path().join("fd")).into_iter().flatten().flatten();
                open.take(PROCESSES)
                    .filter_map(|one| fs::read_link(one.path()).ok())
                    .any(|target| target.to_str().is_some_and(|t| t.starts_with(device)))
            })
            .filter_map(|entry| fs::read_to_string(entry.path().join("comm")).ok())
            .map(|name| name.trim().to_owned())
            .filter(|name| words::is_name(name))
            .collect();
        names.sort();
        names.dedup();
        names
    }
}

/// Files, hashed as they are found.
struct Files<'a> {
    root: &'a Path,
    found: Vec<FileFact>,
    left: u64,
    left_out: usize,
}

impl Files<'_> {
    fn walk(&mut self, folder: &Path, depth: u32) {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut paths: Vec<PathBuf> = entries.take(FILES).map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            match fs::symlink_metadata(&path) {
                Ok(meta) if meta.is_dir() && depth > 0 => self.walk(&path, depth - 1),
                Ok(meta) if meta.is_file() => self.take(&path, false),
                _ => {}
            }
        }
    }

    /// Takes a file in: a program or a script, and nothing else unless it is named by us. A file of
    /// settings may hold a short password, and its hash would tell it.
    fn take(&mut self, path: &Path, named: bool) {
        let shown =
            path.strip_prefix(self.root).ok().and_then(Path::to_str).map(|p| format!("/{p}"));
        let Some(shown) = shown.filter(|path| words::is_path(path)) else { return };
        let Ok(mut file) = File::open(path) else { return };
        let size = match file.metadata() {
            Ok(meta) if meta.is_file() => meta.len(),
            _ => return,
        };
        let mut first = [0; 4];
        let there = file.read(&mut first).unwrap_or(0);
        let is_program = first.starts_with(b"\x7fELF") || first.get(..2) == Some(b"#!");
        if !named && !is_program {
            return;
        }
        if self.found.len() >= FILES || size > LARGEST || size > self.left {
            self.left_out += 1;
            return;
        }
        self.left -= size;
        let mut hash = Sha256::new();
        hash.update(first.get(..there).unwrap_or_default());
        let mut piece = vec![0; PIECE];
        let mut rest = (&mut file).take(LARGEST);
        loop {
            match rest.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => hash.update(piece.get(..count).unwrap_or_default()),
                Err(_) => return,
            }
        }
        // The camera has little memory: what was read for this alone is not kept.
        drop_cache(&file);
        self.found.push(FileFact { path: shown, size, sha256: hex(&hash.finalize()) });
    }
}
