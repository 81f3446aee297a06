//! The cross-build: a static binary for ARMv7 with musl, by the first of three
//! ways that works on this PC. Not here: what the binary must be (`elf`).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;

const TARGET: &str = "armv7-unknown-linux-musleabihf";
const LINKER: &str = "arm-linux-musleabihf-gcc";
/// Debian's cross linker and musl for it.
const LINKER_PACKAGES: [&str; 3] =
    ["gcc-arm-linux-gnueabihf", "libc6-dev-armhf-cross", "musl-dev:armhf"];
const DEBIAN_RUST: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];

/// A way to build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The standard library is built from rustup's `rust-src`: small.
    BuildStd,
    /// The same with Debian's own Rust.
    Debian,
    /// The target comes ready-made from rustup, with a library that was built for speed.
    Target,
}

impl Way {
    /// In the order in which they are tried.
    pub const ALL: [Way; 3] = [Way::BuildStd, Way::Debian, Way::Target];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Way::Target => "target",
            Way::BuildStd => "build-std",
            Way::Debian => "debian",
        }
    }

    fn meaning(self) -> &'static str {
        match self {
            Way::Target => "rustup's ready-made target",
            Way::BuildStd => "the standard library built from rust-src, linked with Debian's musl",
            Way::Debian => "Debian's rustc-web and rust-web-src, linked with Debian's musl",
        }
    }
}

/// Builds a binary that is good for the camera, and says which way it took. With `only`, no
/// other is tried.
pub fn build(
    repo: &Path,
    only: Option<Way>,
    judge: &dyn Fn(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let mut reasons = Vec::new();
    let mut compiled = false;
    for way in Way::ALL {
        if only.is_some_and(|only| only != way) {
            continue;
        }
        let tried = prepare(repo, way, !compiled).and_then(|tools| {
            compiled = true;
            let binary = cargo(repo, way, &tools)?;
            judge(&binary).map(|()| binary)
        });
        match tried {
            Ok(binary) => {
                println!("built: way '{}', {}", way.name(), way.meaning());
                return Ok(binary);
            }
            Err(reason) => {
                println!("way '{}' does not work here: {reason}", way.name());
                reasons.push(format!("{}: {reason}", way.name()));
            }
        }
    }
    Err(format!("no way to build for {TARGET} works here\n  {}", reasons.join("\n  ")))
}

/// What a way builds with.
struct Tools {
    cargo: &'static str,
    rustc: Option<&'static str>,
    linker: &'static str,
    flags: Vec<String>,
}

/// Brings what a way needs. Debian's Rust is installed only where no other way
/// got as far as the compiler: an error in the program is no reason for it.
fn prepare(repo: &Path, way: Way, may_install_rust: bool) -> Result<Tools> {
    let mut tools = Tools { cargo: "cargo", rustc: None, linker: LINKER, flags: Vec::new() };
    match way {
        Way::Target => {
            ready_target()?;
            if !found(LINKER) {
                tools.linker = "rust-lld";
            }
        }
        Way::BuildStd => {
            rust_src()?;
            tools.flags = debian_musl(repo)?;
        }
        Way::Debian => {
            let there = ["/usr/bin/cargo", "/usr/bin/rustc", "/usr/lib/rustlib/src"];
            if !there.iter().all(|path| Path::new(path).exists()) {
                if !may_install_rust {
                    return Err(format!("not installed: {}", DEBIAN_RUST.join(" ")));
                }
                install(&DEBIAN_RUST)?;
            }
            tools.flags = debian_musl(repo)?;
            (tools.cargo, tools.rustc) = ("/usr/bin/cargo", Some("/usr/bin/rustc"));
        }
    }
    Ok(tools)
}

/// The flags that link with Debian's start files and libc.
fn debian_musl(repo: &Path) -> Result<Vec<String>> {
    if !found(LINKER) || !found("arm-linux-gnueabihf-gcc") {
        install(&LINKER_PACKAGES)?;
    }
    // std asks for libunwind; gcc's unwinder does the same work.
    let shim = repo.join("target/cross/lib");
    fs::create_dir_all(&shim).map_err(|e| format!("{}: {e}", shim.display()))?;
    let unwind = shim.join("libunwind.a");
    fs::write(&unwind, "INPUT(-lgcc_eh)\n").map_err(|e| format!("{}: {e}", unwind.display()))?;
    let mut flags = vec!["-Clink-self-contained=no".into(), format!("-Lnative={}", shim.display())];
    flags.extend(folding()?);
    Ok(flags)
}

/// The flags for lld where Rust came with it: it keeps one of several functions whose code is the
/// same, which GNU's linker cannot do. No code compares addresses of functions.
fn folding() -> Result<Vec<String>> {
    let lib = output(Command::new("rustc").args(["--print", "target-libdir"]))?;
    let Some(lld) = Path::new(lib.trim()).parent().map(|host| host.join("bin/gcc-ld")) else {
        return Ok(Vec::new());
    };
    if !lld.join("ld.lld").exists() {
        return Ok(Vec::new());
    }
    // lld looks for libgcc_eh only in the folders it is given.
    let mut gcc = Command::new("arm-linux-gnueabihf-gcc");
    let unwinder = output(gcc.arg("-print-file-name=libgcc_eh.a"))?;
    let Some(place) = Path::new(unwinder.trim()).parent() else { return Ok(Vec::new()) };
    Ok(vec![
        "-Clink-arg=-fuse-ld=lld".into(),
        format!("-Clink-arg=-B{}", lld.display()),
        format!("-Clink-arg=-L{}", place.display()),
        "-Clink-arg=-Wl,--no-dynamic-linker,--icf=all,-O2,--no-rosegment,-z,norelro".into(),
    ])
}

/// Runs cargo in a target directory of its own, so that builds for the PC stay
/// as they are. What the caller set for other builds is left out.
fn cargo(repo: &Path, way: Way, tools: &Tools) -> Result<PathBuf> {
    let place = repo.join("target/cross").join(way.name());
    // Thumb-2 takes a quarter less room than ARM code, and the Cortex-A7 runs it as fast.
    let mut flags = vec!["-Ctarget-feature=+crt-static,+thumb-mode", "-Crelocation-model=static"];
    // The same few instructions in many places become a function; none in the hashes. Its callers
    // unwind as before: docs/weight.md.
    flags.push("-Cllvm-args=-enable-machine-outliner=always");
    // SHA-512 in loops instead of 80 rounds written out.
    flags.extend(["--cfg", "sha2_backend_soft=\"compact\""]);
    flags.extend(tools.flags.iter().map(String::as_str));
    let mut command = Command::new(tools.cargo);
    command.current_dir(repo).args(["build", "--release", "--locked", "--bin", "mi360d"]);
    // What only a PC can do is not carried in the camera's memory.
    command.arg("--no-default-features");
    command.args(["--config", "profile.release.package.miniz_oxide.opt-level=\"z\""]);
    command.args(["--target", TARGET, "--target-dir"]).arg(&place);
    if way != Way::Target {
        // Without std's `backtrace`: a stripped binary has no names to show.
        command.arg("-Zbuild-std=std,panic_unwind").env("RUSTC_BOOTSTRAP", "1");
        command.arg("-Zbuild-std-features=panic-unwind,optimize_for_size");
        // Where a panic was in the source fills 50 KB, and its message says what it was about.
        flags.push("-Zlocation-detail=none");
        // What derives Debug shows its name only: that is for tests, not for owners.
        flags.push("-Zfmt-debug=shallow");
    }
    for name in ["RUSTFLAGS", "CARGO_TARGET_DIR", "CARGO_BUILD_TARGET"] {
        command.env_remove(name);
    }
    if let Some(rustc) = tools.rustc {
        command.env("RUSTC", rustc);
    }
    let variable = TARGET.to_uppercase().replace('-', "_");
    command.env(format!("CARGO_TARGET_{variable}_LINKER"), tools.linker);
    // Each flag apart: a path may hold a space.
    command.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
    run(&mut command)?;
    Ok(place.join(TARGET).join("release/mi360d"))
}

/// The target's standard library is there, or comes from rustup.
fn ready_target() -> Result<()> {
    let sysroot = output(Command::new("rustc").args(["--print", "sysroot"]))?;
    let library = Path::new(sysroot.trim()).join("lib/rustlib").join(TARGET).join("lib");
    if library.exists() {
        return Ok(());
    }
    if !found("rustup") {
        return Err(format!("no rustup, and no {}", library.display()));
    }
    output(Command::new("rustup").args(["target", "add", TARGET])).map(drop)
}

/// The standard library's source is there, or comes from rustup, which may need
/// a second try.
fn rust_src() -> Result<()> {
    let sysroot = output(Command::new("rustc").args(["--print", "sysroot"]))?;
    if Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/std").exists() {
        return Ok(());
    }
    if !found("rustup") {
        return Err("no rustup to bring rust-src".into());
    }
    let add = || output(Command::new("rustup").args(["component", "add", "rust-src"]));
    add().or_else(|_| add()).map(drop)
}

/// Installs Debian packages as root; otherwise the error says the command.
pub fn install(packages: &[&str]) -> Result<()> {
    let command = format!(
        "dpkg --add-architecture armhf && apt-get update; apt-get install -y --no-install-recommends {}",
        packages.join(" ")
    );
    let root = output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    if !root || !found("apt-get") {
        return Err(format!("missing packages; as root: {command}"));
    }
    println!("installing: {}", packages.join(" "));
    // One of several sources may fail to update while the packages are to be had.
    output(Command::new("sh").args(["-c", &command]))
        .map(drop)
        .map_err(|e| format!("{e}\nas root: {command}"))
}

/// Whether a program is on the PATH.
pub fn found(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|folder| folder.join(program).exists())
    })
}

/// Runs a command that may talk to the terminal.
fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.status().map_err(|e| format!("{name}: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("{name} ended with {status}")) }
}

/// Runs a command quietly; what it printed comes back, or the line that says why not.
pub fn output(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let done = command.output().map_err(|e| format!("{name}: {e}"))?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    let line = said.lines().find(|line| line.contains("error") || line.starts_with("E:"));
    let line = line.or_else(|| said.lines().rfind(|line| !line.trim().is_empty()));
    Err(format!("{name}: {}", line.unwrap_or("failed without a word").trim()))
}
