//! A card with hacks, looked after in this process, at a pace for tests.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mi360d::services::{Pace, ServiceState, ServiceView, Services, World};

/// A folder that plays a card.
pub struct Card {
    pub dir: tempfile::TempDir,
}

impl Card {
    pub fn new() -> Card {
        let card = Card { dir: tempfile::tempdir().unwrap() };
        fs::create_dir_all(card.path("mi360d")).unwrap();
        card
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("card").join(name)
    }

    pub fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// A hack that is switched on, whose program is a script.
    pub fn script(&self, id: &str, script: &str, more: &str) {
        self.write(&format!("hacks/{id}/run.sh"), &format!("#!/bin/sh\n{script}\n"));
        let text = format!("id = \"{id}\"\nexec = [\"./run.sh\"]\nenabled = true\n{more}");
        self.write(&format!("hacks/{id}/hack.toml"), &text);
    }

    pub fn world(&self) -> World {
        World {
            card: self.dir.path().join("card"),
            config: self.path("mi360d/config.toml"),
            run: self.dir.path().join("memory/run"),
            program: PathBuf::from("/bin/true"),
            model: "ipc009".into(),
            time_zone: "CET-1CEST,M3.5.0,M10.5.0/3".into(),
            pace: Pace {
                first: Duration::from_millis(1),
                most: Duration::from_millis(20),
                good_after: Duration::from_secs(60),
                stop_most: Duration::from_secs(1),
                look: Duration::from_millis(1),
                look_at_card: Duration::from_millis(50),
            },
        }
    }

    /// The run folder of a hack.
    pub fn run(&self, id: &str) -> PathBuf {
        self.world().run.join(id)
    }

    pub fn start(&self) -> Running {
        self.start_in(self.world())
    }

    pub fn start_in(&self, world: World) -> Running {
        fs::create_dir_all(self.dir.path().join("memory")).unwrap();
        Running { services: Services::start(world).unwrap() }
    }
}

/// Services that are ended with the value.
pub struct Running {
    pub services: Services,
}

impl Running {
    /// Waits until a hack is as wanted; the view of that moment.
    pub fn wait(&self, id: &str, what: &str, is: impl Fn(&ServiceView) -> bool) -> ServiceView {
        wait(
            || self.services.get(id).ok().filter(&is),
            || format!("{id} is never {what}: {:#?}", self.services.get(id)),
        )
    }

    pub fn state(&self, id: &str, state: ServiceState) -> ServiceView {
        self.wait(id, &format!("{state:?}"), |view| view.state == state)
    }

    pub fn lines(&self, id: &str) -> Vec<String> {
        self.services.log(id).unwrap().programs.remove(0).lines
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.services.stop();
    }
}

/// Waits for something, with a deadline that no loaded machine misses.
pub fn wait<T>(mut condition: impl FnMut() -> Option<T>, what: impl Fn() -> String) -> T {
    let deadline = Instant::now() + Duration::from_secs(240);
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < deadline, "{}", what());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether a process is there, and no zombie.
pub fn lives(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit_once(')').unwrap().1.starts_with(" Z"))
}

/// A file's text, once it has a line.
pub fn text_of(path: &Path) -> String {
    wait(
        || fs::read_to_string(path).ok().filter(|text| text.ends_with('\n')),
        || format!("{} is never written", path.display()),
    )
}
