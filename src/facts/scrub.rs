//! The last check of the document: whatever was gathered, no value of FACTORY, CONFIG or the live
//! settings that belongs to one owner stays in it, and no network address of a device. Pure.

use super::{
    FileFact, FirmwareFacts, Flash, Inquiry, Machine, Moment, Number, PartitionFacts, Program,
};
use crate::image::redact::secrets::Secrets;

/// What takes the place of a device's address.
const ADDRESS: &str = "xx:xx:xx:xx:xx:xx";

/// The document without them. Hashes stay: a short secret may be in their digits by chance, and
/// that reveals nothing. Each field is named here, so that a new one cannot be forgotten.
pub fn clean(facts: &FirmwareFacts, secrets: &Secrets) -> FirmwareFacts {
    let mut facts = facts.clone();
    let one = &mut |text: &mut String| *text = clean_text(text, secrets);
    let FirmwareFacts {
        format: _,
        program,
        firmware: _,
        model,
        simulated: _,
        start,
        machine,
        flash,
    } = &mut facts;
    [program, model].into_iter().for_each(&mut *one);
    for moment in start {
        let Moment {
            after_seconds: _,
            uptime_seconds: _,
            factory_mode,
            supervisor: _,
            available_kib: _,
            vendor_programs: _,
        } = moment;
        one(factory_mode);
    }
    if let Some(machine) = machine {
        of_machine(machine, one);
    }
    let Flash { size: _, partitions, kernel_image, uboot, uboot_files, uboot_problem, environment } =
        flash;
    for part in partitions {
        let PartitionFacts { name, offset: _, size: _, erase_size: _, protection } = part;
        [name, protection].into_iter().for_each(&mut *one);
    }
    [kernel_image, uboot, uboot_problem].into_iter().flatten().for_each(&mut *one);
    [uboot_files, environment].into_iter().flatten().for_each(&mut *one);
    facts
}

fn of_machine(machine: &mut Machine, one: &mut dyn FnMut(&mut String)) {
    let Machine {
        kernel,
        command_line,
        memory,
        mtd,
        mounts,
        file_systems,
        modules,
        programs,
        sockets,
        ports: _,
        services,
        watchdog,
        release,
        files,
        files_left_out: _,
    } = machine;
    one(kernel);
    let lines = [command_line, mtd, mounts, file_systems, sockets, release];
    lines.into_iter().flatten().for_each(&mut *one);
    for Number { name, value: _ } in [memory, modules].into_iter().flatten() {
        one(name);
    }
    for Program { name, resident_kib: _, oom_score_adj: _ } in programs {
        one(name);
    }
    for Inquiry { name, answer } in [services, watchdog].into_iter().flatten() {
        one(name);
        one(answer);
    }
    for FileFact { path, size: _, sha256: _ } in files {
        one(path);
    }
}

fn clean_text(text: &str, secrets: &Secrets) -> String {
    let mut bytes = text.as_bytes().to_vec();
    secrets.blank(&mut bytes);
    while let Some(at) = bytes.windows(ADDRESS.len()).position(is_address) {
        bytes[at..at + ADDRESS.len()].copy_from_slice(ADDRESS.as_bytes());
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Six pairs of hex digits with colons between them.
fn is_address(window: &[u8]) -> bool {
    window.iter().enumerate().all(|(i, byte)| match i % 3 {
        2 => *byte == b':',
        _ => byte.is_ascii_hexdigit(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_goes_from_every_text_but_a_hash() {
        let mut secrets = Secrets::default();
        secrets.read_text(b"miio_passwd=geheim42\0");
        let hash = "geheim42geheim42".to_owned();
        let facts = FirmwareFacts {
            model: "chuangmi.camera.ipc019".to_owned(),
            machine: Some(Machine {
                kernel: "Linux geheim42 at 7c:49:EB:00:00:01".to_owned(),
                mounts: vec!["/dev/geheim42 / x".to_owned()],
                files: vec![FileFact {
                    path: "/bin/geheim42".into(),
                    size: 1,
                    sha256: hash.clone(),
                }],
                ..Machine::default()
            }),
            ..FirmwareFacts::default()
        };
        let clean = clean(&facts, &secrets);
        let machine = clean.machine.unwrap();
        assert_eq!(machine.kernel, "Linux xxxxxxxx at xx:xx:xx:xx:xx:xx");
        assert_eq!(machine.mounts, ["/dev/xxxxxxxx / x"]);
        assert_eq!(machine.files[0].path, "/bin/xxxxxxxx");
        assert_eq!(machine.files[0].sha256, hash);
        assert_eq!(clean.model, "chuangmi.camera.ipc019");
    }
}
