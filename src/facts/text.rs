//! The document as text. Pure.

use std::fmt::Write as _;

use super::FirmwareFacts;

/// Starts the line that names the firmware.
pub const FIRMWARE: &str = "firmware: ";

/// The text.
pub fn of(facts: &FirmwareFacts) -> String {
    let mut text = String::new();
    let mut line = |words: std::fmt::Arguments<'_>| {
        // A String takes everything.
        let _ = writeln!(text, "{words}");
    };
    line(format_args!("mi360d facts, format {}, program {}", facts.format, facts.program));
    line(format_args!("{FIRMWARE}{}", facts.firmware));
    line(format_args!("model: {}", facts.model));
    line(format_args!("No password, token, key or address of this camera is in this file."));
    if facts.simulated {
        line(format_args!("This is a simulated camera on a PC."));
    }
    for moment in &facts.start {
        line(format_args!(
            "start: after {} s (uptime {} s): factory_mode {}, supervisor {}, {} vendor programs, {} KiB \
             available",
            moment.after_seconds,
            moment.uptime_seconds,
            moment.factory_mode,
            if moment.supervisor { "runs" } else { "is not running" },
            moment.vendor_programs,
            moment.available_kib
        ));
    }
    let flash = &facts.flash;
    line(format_args!("\n[flash]"));
    if let Some(size) = flash.size {
        line(format_args!("size: {size:#x}"));
    }
    for part in &flash.partitions {
        let offset = part.offset.map_or_else(|| "?".to_owned(), |at| format!("{at:#08x}"));
        line(format_args!(
            "{}: offset {offset}, size {:#x}, erase {:#x}, protection {}",
            part.name, part.size, part.erase_size, part.protection
        ));
    }
    for (name, value) in [
        ("kernel image", &flash.kernel_image),
        ("U-Boot", &flash.uboot),
        ("U-Boot problem", &flash.uboot_problem),
    ] {
        if let Some(value) = value {
            line(format_args!("{name}: {value}"));
        }
    }
    line(format_args!("files named in U-Boot: {}", list(&flash.uboot_files)));
    line(format_args!("names in U-Boot's environment: {}", list(&flash.environment)));
    let Some(machine) = &facts.machine else {
        line(format_args!("\nThere is no firmware here, only a chip."));
        return text;
    };
    line(format_args!("\n[kernel]\n{}", machine.kernel));
    line(format_args!("command line: {}", machine.command_line.join(" ")));
    line(format_args!("file systems: {}", list(&machine.file_systems)));
    for (title, lines) in
        [("mtd", &machine.mtd), ("mounts", &machine.mounts), ("release", &machine.release)]
    {
        line(format_args!("\n[{title}]"));
        lines.iter().for_each(|one| line(format_args!("{one}")));
    }
    for (title, numbers) in [("memory, KiB", &machine.memory), ("modules", &machine.modules)] {
        line(format_args!("\n[{title}]"));
        numbers.iter().for_each(|one| line(format_args!("{} {}", one.name, one.value)));
    }
    line(format_args!("\n[programs] name, KiB, oom_score_adj"));
    for program in &machine.programs {
        line(format_args!("{} {} {}", program.name, program.resident_kib, program.oom_score_adj));
    }
    line(format_args!("\n[listening]"));
    machine.sockets.iter().for_each(|one| line(format_args!("{one}")));
    machine.ports.iter().for_each(|one| line(format_args!("tcp {one}")));
    for (title, answers) in [("services", &machine.services), ("watchdog", &machine.watchdog)] {
        line(format_args!("\n[{title}]"));
        answers.iter().for_each(|one| line(format_args!("{}: {}", one.name, one.answer)));
    }
    line(format_args!("\n[files] SHA-256, bytes, path"));
    for file in &machine.files {
        line(format_args!("{} {} {}", file.sha256, file.size, file.path));
    }
    if machine.files_left_out > 0 {
        line(format_args!("and {} more", machine.files_left_out));
    }
    text
}

fn list(words: &[String]) -> String {
    if words.is_empty() { "none".to_owned() } else { words.join(" ") }
}

/// The firmware that a text is about.
pub fn firmware_of(text: &str) -> Option<&str> {
    let found = text.lines().take(4).find_map(|line| line.strip_prefix(FIRMWARE))?.trim();
    (found.len() == 8 && found.bytes().all(|b| b.is_ascii_hexdigit())).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_says_which_firmware_it_is_about() {
        let facts = FirmwareFacts { firmware: "0a1b2c3d".to_owned(), ..FirmwareFacts::default() };
        assert_eq!(firmware_of(&of(&facts)), Some("0a1b2c3d"));
        for other in ["", "firmware: \n", "firmware: ../../../../x\n", "firmware: 0a1b2c3d4\n"] {
            assert_eq!(firmware_of(other), None, "{other:?}");
        }
    }
}
