//! The SSH server of the card: Debian's dropbear and OpenSSH's sftp-server, built
//! static for ARM with musl from Debian's sources, which are fetched by apt and
//! pinned by their hashes. No source of theirs is in this repository; what is ours
//! is `ssh/account.c`, linked in front of libc, and `ssh/localoptions.h`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

use crate::cross::{found, install, output};
use crate::{Result, elf, layout};

/// Where Debian keeps sources; the first that has a file gives it.
const MIRRORS: [&str; 3] = [
    "http://deb.debian.org/debian/pool/main",
    "http://deb.debian.org/debian-security/pool/updates/main",
    "http://snapshot.debian.org/archive/debian/20260601T000000Z/pool/main",
];
/// The compiler, and the name that its builds are for.
const HOST: &str = "arm-linux-musleabihf";
const NEEDED: [(&str, &str); 6] = [
    ("arm-linux-musleabihf-gcc", "musl-dev:armhf"),
    ("arm-linux-gnueabihf-gcc", "gcc-arm-linux-gnueabihf"),
    ("make", "make"),
    ("patch", "patch"),
    ("xz", "xz-utils"),
    ("bzip2", "bzip2"),
];
/// Small code for the camera's processor.
const CFLAGS: &str = "-Os -mthumb -march=armv7-a -mfpu=vfpv3-d16 -mfloat-abi=hard \
                      -ffunction-sections -fdata-sections";
const LDFLAGS: &str = "-static -Wl,--gc-sections";

/// A Debian source package: upstream's archive and Debian's changes to it.
struct Source {
    name: &'static str,
    folder: &'static str,
    archives: [(&'static str, &'static str); 2],
}

const DROPBEAR: Source = Source {
    name: "dropbear",
    folder: "d/dropbear",
    archives: [
        (
            "dropbear_2022.83.orig.tar.bz2",
            "bc5a121ffbc94b5171ad5ebe01be42746d50aa797c9549a4639894a16749443b",
        ),
        (
            "dropbear_2022.83-1+deb12u3.debian.tar.xz",
            "74fb171a630f450430b771b2f781c420a4542881ae75fd2f75ca04c53a3eea93",
        ),
    ],
};

const OPENSSH: Source = Source {
    name: "openssh",
    folder: "o/openssh",
    archives: [
        (
            "openssh_9.2p1.orig.tar.gz",
            "3f66dbf1655fb45f50e1c56da62ab01218c228807b21338d634ebcdf9d71cf46",
        ),
        (
            "openssh_9.2p1-2+deb12u10.debian.tar.xz",
            "65cbc8353a4197d0e543dd5330ca9798663256ea54b91a9c7c49116e7ea342ea",
        ),
    ],
};

/// What the card gets: path in `hacks/ssh-server/`, and the built file.
type Built = [(&'static str, PathBuf); 4];

/// Builds both programs, or takes those that were built from the same sources
/// with the same recipe.
pub fn build(repo: &Path) -> Result<Vec<layout::Entry>> {
    let place = repo.join("target/ssh");
    let out = place.join("out");
    let stamp = stamp(repo)?;
    let mark = out.join("stamp");
    let files: Built = [
        ("dropbearmulti", out.join("dropbearmulti")),
        ("sftp-server", out.join("sftp-server")),
        ("LICENSE.dropbear", out.join("LICENSE.dropbear")),
        ("LICENSE.openssh", out.join("LICENSE.openssh")),
    ];
    if fs::read_to_string(&mark).is_ok_and(|had| had == stamp) {
        println!("ssh: built already from these sources");
    } else {
        let missing: Vec<&str> =
            NEEDED.iter().filter(|(program, _)| !found(program)).map(|(_, p)| *p).collect();
        if !missing.is_empty() {
            install(&missing)?;
        }
        fs::create_dir_all(&out).map_err(|e| format!("{}: {e}", out.display()))?;
        dropbear(repo, &place, &out)?;
        sftp_server(&place, &out)?;
        fs::write(&mark, stamp).map_err(|e| format!("{}: {e}", mark.display()))?;
    }
    let mut entries = Vec::new();
    for (name, file) in files {
        let bytes = layout::read(&file)?;
        if !name.starts_with("LICENSE") {
            elf::judge(&bytes)
                .map_err(|faults| format!("{name} is not for the camera: {faults}"))?;
        }
        entries.push(layout::Entry { path: format!("hacks/ssh-server/{name}"), bytes });
    }
    Ok(entries)
}

/// What the programs depend on: sources, recipe, compiler.
fn stamp(repo: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    let folder = repo.join("src/bin/sdcard");
    for file in ["ssh.rs", "ssh/account.c", "ssh/localoptions.h"] {
        hash.update(layout::read(&folder.join(file))?);
    }
    let compiler = format!("{HOST}-gcc");
    if found(&compiler) {
        hash.update(output(Command::new(compiler).arg("--version"))?);
    }
    let digest = hash.finalize();
    Ok(digest.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}")))
}

fn dropbear(repo: &Path, place: &Path, out: &Path) -> Result<()> {
    let tree = unpack(&DROPBEAR, place)?;
    let ours = repo.join("src/bin/sdcard/ssh");
    copy(&ours.join("localoptions.h"), &tree.join("localoptions.h"))?;
    copy(&ours.join("account.c"), &tree.join("account.c"))?;
    let log = place.join("dropbear.log");
    let mut configure = Command::new("./configure");
    configure.args([
        "--disable-zlib",
        "--disable-syslog",
        "--disable-shadow",
        "--disable-lastlog",
        "--disable-utmp",
        "--disable-utmpx",
        "--disable-wtmp",
        "--disable-wtmpx",
        "--disable-pututline",
        "--disable-pututxline",
        "--enable-bundled-libtom",
        "--enable-static",
        // Debian's musl has none; account.c does.
        "ac_cv_func_crypt=yes",
    ]);
    step(toolchain(&mut configure), &tree, &log)?;
    step(Command::new("make").arg("default_options_guard.h"), &tree, &log)?;
    let mut compile = Command::new(format!("{HOST}-gcc"));
    compile.args(CFLAGS.split_whitespace()).args(["-Wall", "-I.", "-Ilibtomcrypt/src/headers"]);
    step(compile.args(["-c", "-o", "account.o", "account.c"]), &tree, &log)?;
    let mut make = Command::new("make");
    make.args([&jobs(), "MULTI=1", "STATIC=1", "PROGRAMS=dropbear dropbearkey"]);
    step(make.arg("LIBS=account.o libtomcrypt/libtomcrypt.a"), &tree, &log)?;
    strip(&tree.join("dropbearmulti"), &out.join("dropbearmulti"), &log)?;
    copy(&tree.join("LICENSE"), &out.join("LICENSE.dropbear"))
}

fn sftp_server(place: &Path, out: &Path) -> Result<()> {
    let tree = unpack(&OPENSSH, place)?;
    let log = place.join("openssh.log");
    // Debian's patches touch configure.ac; what they change there is not for sftp-server.
    for made in ["aclocal.m4", "config.h.in", "configure"] {
        step(Command::new("touch").arg(made), &tree, &log)?;
    }
    let mut configure = Command::new("./configure");
    configure.args([
        "--without-openssl",
        "--without-zlib",
        "--without-hardening",
        "--disable-strip",
    ]);
    step(toolchain(&mut configure), &tree, &log)?;
    step(Command::new("make").args([&jobs(), "sftp-server"]), &tree, &log)?;
    strip(&tree.join("sftp-server"), &out.join("sftp-server"), &log)?;
    copy(&tree.join("LICENCE"), &out.join("LICENSE.openssh"))
}

/// The environment of every `configure`; what the caller set for other builds is left out.
fn toolchain(configure: &mut Command) -> &mut Command {
    for name in ["CC", "CFLAGS", "CPPFLAGS", "LDFLAGS", "LIBS"] {
        configure.env_remove(name);
    }
    configure.arg(format!("--host={HOST}")).arg(format!("CC={HOST}-gcc"));
    configure.arg(format!("CFLAGS={CFLAGS}")).arg(format!("LDFLAGS={LDFLAGS}"))
}

fn jobs() -> String {
    format!("-j{}", std::thread::available_parallelism().map_or(1, usize::from))
}

/// Fetches a package, proves it, unpacks it, and applies Debian's patches in their order.
fn unpack(source: &Source, place: &Path) -> Result<PathBuf> {
    let downloads = place.join("sources");
    fs::create_dir_all(&downloads).map_err(|e| format!("{}: {e}", downloads.display()))?;
    let tree = place.join(source.name);
    if tree.exists() {
        fs::remove_dir_all(&tree).map_err(|e| format!("{}: {e}", tree.display()))?;
    }
    fs::create_dir_all(&tree).map_err(|e| format!("{}: {e}", tree.display()))?;
    let log = place.join(format!("{}.log", source.name));
    let _ = fs::remove_file(&log);
    for (i, (name, hash)) in source.archives.iter().enumerate() {
        let archive = fetch(source, name, hash, &downloads)?;
        let mut tar = Command::new("tar");
        tar.arg("-xf").arg(&archive);
        // Upstream's archive has a folder of its own, Debian's begins with debian/.
        if i == 0 {
            tar.arg("--strip-components=1");
        }
        step(&mut tar, &tree, &log)?;
    }
    let patches = tree.join("debian/patches");
    let series = patches.join("series");
    let text = fs::read_to_string(&series).map_err(|e| format!("{}: {e}", series.display()))?;
    for line in text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
        let name = line.split_whitespace().next().unwrap_or(line);
        let mut patch = Command::new("patch");
        step(patch.args(["-s", "-p1", "-i"]).arg(patches.join(name)), &tree, &log)?;
    }
    Ok(tree)
}

/// One file of the mirror, through apt, which knows this PC's proxies; kept for the next time.
fn fetch(source: &Source, name: &str, hash: &str, downloads: &Path) -> Result<PathBuf> {
    let path = downloads.join(name);
    let proven = |path: &Path| {
        fs::read(path).is_ok_and(|bytes| {
            let digest = Sha256::digest(&bytes);
            digest.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}")) == hash
        })
    };
    if proven(&path) {
        return Ok(path);
    }
    let mut reasons = Vec::new();
    for mirror in MIRRORS {
        let _ = fs::remove_file(&path);
        let url = format!("{mirror}/{}/{name}", source.folder);
        let mut helper = Command::new("/usr/lib/apt/apt-helper");
        helper.args(["-o", "APT::Sandbox::User=root", "download-file", &url]).arg(&path);
        match output(helper.arg(format!("SHA256:{hash}"))) {
            Ok(_) if proven(&path) => return Ok(path),
            Ok(_) => reasons.push(format!("{url}: another hash than {hash}")),
            Err(reason) => reasons.push(format!("{url}: {reason}")),
        }
    }
    Err(format!(
        "{name} is not to be had; put it into {} yourself\n  {}",
        downloads.display(),
        reasons.join("\n  ")
    ))
}

/// Runs one step of a build; what it prints goes to the log, whose end is shown where it fails.
fn step(command: &mut Command, folder: &Path, log: &Path) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let open = || fs::File::options().create(true).append(true).open(log);
    let failed = |e: std::io::Error| format!("{name}: {e}");
    let (out, err) = (open().map_err(failed)?, open().map_err(failed)?);
    let status = command.current_dir(folder).stdout(out).stderr(err).status().map_err(failed)?;
    if status.success() {
        return Ok(());
    }
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let end = lines[lines.len().saturating_sub(12)..].join("\n  ");
    Err(format!("{name} ended with {status}; {}:\n  {end}", log.display()))
}

fn strip(from: &Path, to: &Path, log: &Path) -> Result<()> {
    let mut strip = Command::new("arm-linux-gnueabihf-strip");
    let folder = from.parent().unwrap_or(from);
    step(strip.arg("-o").arg(to).arg(from), folder, log)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).map(drop).map_err(|e| format!("{}: {e}", from.display()))
}
