//! The words of the system's own texts that are shown. Everything not known to be harmless is
//! left out: a command line, a mount or a name of a process may hold a password. Pure.

use super::{Number, Program};

/// Lines checked in one text.
const MANY: usize = 256;
/// What is shown in place of a value.
const HIDDEN: &str = "(not shown)";
/// Words of the command line whose values are shown: they are the vendor's own.
const COMMAND_LINE: [&str; 14] = [
    "console",
    "root",
    "rootfstype",
    "init",
    "mem",
    "LX_MEM",
    "mma_heap_name0",
    "mma_memblock_remove",
    "mtdparts",
    "cma",
    "loglevel",
    "maxcpus",
    "panic",
    "user_debug",
];
/// Options of a mount whose values are shown.
const OPTIONS: [&str; 14] = [
    "mode",
    "size",
    "nr_inodes",
    "fmask",
    "dmask",
    "umask",
    "codepage",
    "iocharset",
    "shortname",
    "errors",
    "gid",
    "uid",
    "ptmxmode",
    "data",
];
/// Types of mounts whose source is a place on somebody's network.
const NETWORK: [&str; 5] = ["cifs", "smb3", "nfs", "nfs4", "fuse.sshfs"];
/// Programs of the system, and of the supervisor.
const SYSTEM: [&str; 16] = [
    "init",
    "perpboot",
    "perpd",
    "perplog",
    "tinylog",
    "crond",
    "syslogd",
    "klogd",
    "telnetd",
    "udhcpc",
    "udhcpd",
    "hostapd",
    "wpa_supplicant",
    "wpa_cli",
    "dropbear",
    "mdev",
];
/// What the supervisor's programs are called.
const SUPERVISOR: [&str; 2] = ["perpboot", "perpd"];
/// Characters of a process's name that the kernel keeps.
const COMM: usize = 15;

/// Whether a text is a plain name, of at most 48 characters.
pub fn is_name(text: &str) -> bool {
    (1..=48).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

/// Whether a text is a plain path, of at most 108 characters: a socket's longest.
pub fn is_path(text: &str) -> bool {
    (1..=108).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/@:+".contains(&b))
}

/// `/proc/cmdline`, word by word.
pub fn command_line(text: &str) -> Vec<String> {
    let words = text.split_whitespace().take(MANY);
    words
        .map(|word| match word.split_once('=') {
            Some((name, value)) if COMMAND_LINE.contains(&name) => format!("{name}={value}"),
            Some((name, _)) if is_name(name) => format!("{name}={HIDDEN}"),
            None if is_name(word) && word.len() <= 12 => word.to_owned(),
            _ => HIDDEN.to_owned(),
        })
        .collect()
}

/// `/proc/meminfo`, in KiB.
pub fn memory(text: &str) -> Vec<Number> {
    let lines = text.lines().take(MANY).filter_map(|line| {
        let (name, rest) = line.split_once(':')?;
        let value = rest.split_whitespace().next()?.parse().ok()?;
        let name = name.replace(['(', ')'], "_");
        is_name(&name).then_some(Number { name, value })
    });
    lines.collect()
}

/// `/proc/mounts`: source, place, type, and the options that are harmless.
pub fn mounts(text: &str) -> Vec<String> {
    let lines = text.lines().take(MANY).filter_map(|line| {
        let mut words = line.split(' ');
        let (source, place, kind) = (words.next()?, words.next()?, words.next()?);
        let network = NETWORK.contains(&kind);
        let source = if network || !is_path(source) { HIDDEN } else { source };
        let place = if is_path(place) { place } else { HIDDEN };
        let kind = if is_name(kind) { kind } else { HIDDEN };
        let options: Vec<String> = words
            .next()
            .unwrap_or_default()
            .split(',')
            .map(|option| match option.split_once('=') {
                Some((name, value)) if OPTIONS.contains(&name) && is_name(value) && !network => {
                    format!("{name}={value}")
                }
                Some((name, _)) if is_name(name) => format!("{name}={HIDDEN}"),
                None if is_name(option) && option.len() <= 16 => option.to_owned(),
                _ => HIDDEN.to_owned(),
            })
            .collect();
        Some(format!("{source} {place} {kind} {}", options.join(",")))
    });
    lines.collect()
}

/// `/proc/mtd`: lines of the form that the kernel writes.
pub fn mtd(text: &str) -> Vec<String> {
    let plain = |line: &&str| {
        line.len() <= 80
            && line.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-:\" ".contains(&b))
    };
    text.lines().filter(plain).take(32).map(str::to_owned).collect()
}

/// `/proc/modules`: names, and sizes in bytes.
pub fn modules(text: &str) -> Vec<Number> {
    let lines = text.lines().take(MANY).filter_map(|line| {
        let mut words = line.split_whitespace();
        let name = words.next().filter(|name| is_name(name))?;
        Some(Number { name: name.to_owned(), value: words.next()?.parse().ok()? })
    });
    lines.collect()
}

/// `/proc/filesystems`: names.
pub fn file_systems(text: &str) -> Vec<String> {
    let names = text.lines().take(MANY).filter_map(|line| line.split_whitespace().last());
    names.filter(|name| is_name(name)).map(str::to_owned).collect()
}

/// `/proc/net/unix`: the sockets on which somebody listens, those with a name.
pub fn listening_sockets(text: &str) -> Vec<String> {
    let mut found: Vec<String> = text
        .lines()
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let flags = u32::from_str_radix(words.get(3)?, 16).ok()?;
            // __SO_ACCEPTCON
            (flags & 0x1_0000 != 0).then_some(*words.get(7)?)
        })
        .filter(|path| is_path(path))
        .map(|path| path.trim_end_matches('@').to_owned())
        .collect();
    found.sort();
    found.dedup();
    found.truncate(MANY);
    found
}

/// `/proc/net/tcp`: the ports on which somebody listens.
pub fn listening_ports(text: &str) -> Vec<u16> {
    let mut ports: Vec<u16> = text
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let local = words.nth(1)?;
            // TCP_LISTEN
            (words.nth(1)? == "0A").then_some(())?;
            u16::from_str_radix(local.rsplit(':').next()?, 16).ok()
        })
        .collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

/// The vendor's version file: the lines that name the system and its version.
pub fn release(text: &str) -> Vec<String> {
    let shown = |line: &&str| {
        let name = line.split_once('=').map_or("", |(name, _)| name);
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"=\"._-+:/ ()".contains(&b);
        line.len() <= 120
            && is_name(name)
            && (name.contains("NAME") || name.contains("VERSION") || name.contains("ID"))
            && line.bytes().all(plain)
    };
    text.lines().filter(shown).take(16).map(str::to_owned).collect()
}

/// Those of the programs that are the vendor's or the system's own, by name.
pub fn shown_programs(mut all: Vec<Program>, vendor: &[String]) -> Vec<Program> {
    all.retain(|program| {
        SYSTEM.contains(&program.name.as_str()) || is_vendor_s(&program.name, vendor)
    });
    all.sort_by(|one, two| one.name.cmp(&two.name));
    all.truncate(MANY);
    all
}

/// Whether a process is one of these programs: the kernel cuts long names off.
pub fn is_vendor_s(name: &str, vendor: &[String]) -> bool {
    vendor.iter().any(|file| file == name || (name.len() == COMM && file.starts_with(name)))
}

/// Whether a process is the supervisor.
pub fn is_supervisor(name: &str) -> bool {
    SUPERVISOR.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_shows_what_is_the_vendor_s_and_hides_the_rest() {
        let cases = [
            ("console=ttyS0,115200 ro init=/linuxrc", "console=ttyS0,115200 ro init=/linuxrc"),
            ("wifi_pass=geheim", "wifi_pass=(not shown)"),
            ("LX_MEM=0x3fe0000 5f3c9a-secret-token-of-somebody", "LX_MEM=0x3fe0000 (not shown)"),
            ("a b=c=d", "a b=(not shown)"),
            ("ü=1", "(not shown)"),
        ];
        for (text, wanted) in cases {
            assert_eq!(command_line(text).join(" "), wanted);
        }
    }

    #[test]
    fn mounts_show_no_share_and_no_password() {
        let text = "/dev/root / squashfs ro,relatime 0 0\n\
                    //nas.home/videos /mnt/nas cifs rw,username=ann,password=geheim,uid=0 0 0\n\
                    tmpfs /tmp tmpfs rw,mode=1777,token=geheim 0 0\n\
                    /dev/mmcblk0p1 /mnt/sdcard vfat rw,codepage=437,errors=remount-ro 0 0\n";
        let wanted = [
            "/dev/root / squashfs ro,relatime",
            "(not shown) /mnt/nas cifs rw,username=(not shown),password=(not shown),uid=(not shown)",
            "tmpfs /tmp tmpfs rw,mode=1777,token=(not shown)",
            "/dev/mmcblk0p1 /mnt/sdcard vfat rw,codepage=437,errors=remount-ro",
        ];
        assert_eq!(mounts(text), wanted);
    }

    #[test]
    fn only_who_listens_is_listed() {
        let unix = "Num       RefCount Protocol Flags    Type St Inode Path\n\
            0: 00000002 00000000 00010000 0001 01  1 /tmp/mortox.socket\n\
            0: 00000002 00000000 00010000 0005 01  2 /run/video_mainstream/control\n\
            0: 00000003 00000000 00000000 0001 03  3 /tmp/mortox.socket\n\
            0: 00000002 00000000 00010000 0001 01  4 @miio_IPCsock@@@@@@@@@@@@@@@@\n\
            0: 00000002 00000000 00010000 0001 01  5\n";
        let wanted = ["/run/video_mainstream/control", "/tmp/mortox.socket", "@miio_IPCsock"];
        assert_eq!(listening_sockets(unix), wanted);
        let tcp = "  sl  local_address rem_address   st tx_queue\n\
            0: 00000000:0017 00000000:0000 0A 00000000:00000000\n\
            1: 0100007F:D430 00000000:0000 0A 00000000:00000000\n\
            2: 0F02000A:0050 0202000A:C350 01 00000000:00000000\n";
        assert_eq!(listening_ports(tcp), [23, 54320]);
    }

    #[test]
    fn a_process_is_shown_only_if_it_is_the_firmware_s() {
        let vendor = ["mortoxd".to_owned(), "network_governor.sh".to_owned()];
        let program = |name: &str| Program { name: name.into(), ..Program::default() };
        let all = ["mortoxd", "my-token-5f3c", "perpd", "network_governo", "network_gov"];
        let shown = shown_programs(all.map(program).to_vec(), &vendor);
        let names: Vec<&str> = shown.iter().map(|program| program.name.as_str()).collect();
        assert_eq!(names, ["mortoxd", "network_governo", "perpd"]);
    }

    #[test]
    fn nothing_odd_in_the_other_texts_is_shown() {
        assert_eq!(
            mtd("dev:    size   erasesize  name\nmtd0: 00050000 00010000 \"BOOT\"\n\u{1b}[2J\n")
                .len(),
            2
        );
        let release_text =
            "NAME=mijia\nVERSION_ID=3.5.1_0052\nTOKEN_KEY=geheim\nPRETTY_NAME=\"x\u{7}\"\n";
        assert_eq!(release(release_text), ["NAME=mijia", "VERSION_ID=3.5.1_0052"]);
        assert_eq!(
            memory("MemTotal:  39364 kB\nActive(anon): 12 kB\nodd\n")[1].name,
            "Active_anon_"
        );
        assert_eq!(modules("fat 73728 1 vfat, Live 0xbf0\nodd\n").len(), 1);
        assert_eq!(file_systems("nodev\tsysfs\n\tvfat\n"), ["sysfs", "vfat"]);
    }
}
