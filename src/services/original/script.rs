//! Changes in the original's run scripts before they run: no FIFO and no
//! copy of a program on JFFS2, no blank passwords. Nothing else is changed. Pure.

use super::super::World;

/// Where the original keeps its FIFOs, in JFFS2.
const FIFOS: &str = "/mnt/data/etc/framegrabber";
/// Where it copies its programs at each start, in JFFS2.
const COPIES: &str = "/mnt/data/bin";
/// Where its hacks lie.
const HACKS: &str = "/mnt/sdcard";

/// The script as it is run.
///
/// # Errors
/// Why it cannot be run here.
pub fn rewrite(text: &str, hack: &str, world: &World) -> Result<String, String> {
    let (card, run) = (world.card.display().to_string(), world.run.display().to_string());
    // They are in a script, so they must be plain words; on a camera they are.
    let plain = |path: &str| {
        path.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'.' | b'-' | b'_'))
    };
    if !plain(&card) || !plain(&run) || !plain(&world.model) {
        return Err("the card's folder has a name that cannot be used in a script".into());
    }
    let copied: Vec<&str> = text.lines().filter_map(copied_here).collect();
    let mut out = String::new();
    for line in text.lines() {
        if copied_here(line).is_some() {
            continue;
        }
        let mut line = line.trim_end_matches('\r').to_owned();
        for name in &copied {
            line = line.replace(&format!("{COPIES}/{name}"), &format!("./{name}"));
        }
        line = line.replace(FIFOS, &format!("{run}/original-fifos"));
        // The wrapper of that name copies the model's program to JFFS2: past it.
        line = line.replace("./framegrabber ", &format!("./{}/framegrabber ", world.model));
        if hack == "motor-control" {
            // Its files `event` and `status` go to where it starts: to memory, not to the card.
            line = line
                .replace("./motord", &format!("{HACKS}/hacks/motor-control/bin/motord"))
                .replace("cd /mnt/sdcard/hacks/motor-control/bin", &format!("cd {run}/{hack}"));
        }
        if line.contains("dropbear") {
            line = without_blank_passwords(&line);
        }
        out.push_str(&line.replace(HACKS, &card));
        out.push('\n');
    }
    Ok(out)
}

/// The program that a line copies to JFFS2.
fn copied_here(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    if words.next()? != "cp" {
        return None;
    }
    let mut rest = words.filter(|word| !word.starts_with('-'));
    let (from, to) = (rest.next()?, rest.next()?);
    let to = to.trim_end_matches('/');
    (to == COPIES || to.starts_with(&format!("{COPIES}/"))).then(|| from.rsplit('/').next())?
}

/// A line without dropbear's `-B`, alone or among other letters.
fn without_blank_passwords(line: &str) -> String {
    let words = line.split(' ').filter_map(|word| {
        let letters = word.strip_prefix('-');
        let cluster = letters.is_some_and(|l| {
            !l.is_empty() && l.bytes().all(|b| b.is_ascii_alphabetic()) && l.contains('B')
        });
        if !cluster {
            return Some(word.to_owned());
        }
        let kept = word.replace('B', "");
        (kept != "-").then_some(kept)
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::super::super::Pace;
    use super::*;

    fn rewritten(text: &str, hack: &str) -> String {
        let world = World {
            card: "/card".into(),
            config: "/card/c".into(),
            run: "/run/h".into(),
            program: "/p".into(),
            model: "ipc009".into(),
            time_zone: "UTC0".into(),
            pace: Pace::default(),
        };
        rewrite(text, hack, &world).unwrap()
    }

    #[test]
    fn no_fifo_and_no_program_goes_to_jffs2() {
        let text = "#!/bin/sh\nD=/mnt/data/etc/framegrabber/\nmkdir -p $D\nmkfifo ${D}main\n\
                    cd /mnt/sdcard/hacks/x/bin\ncp -f server /mnt/data/bin\n\
                    exec /mnt/data/bin/server -m ${D}main\n";
        assert_eq!(
            rewritten(text, "x"),
            "#!/bin/sh\nD=/run/h/original-fifos/\nmkdir -p $D\nmkfifo ${D}main\n\
             cd /card/hacks/x/bin\nexec ./server -m ${D}main\n"
        );
        let grabber = "cd /mnt/sdcard/hacks/framegrabber/bin\nexec ./framegrabber -f $P -c 0";
        assert!(rewritten(grabber, "x").contains("exec ./ipc009/framegrabber -f $P -c 0"));
        let motord =
            rewritten("cd /mnt/sdcard/hacks/motor-control/bin\nexec ./motord", "motor-control");
        assert_eq!(motord, "cd /run/h/motor-control\nexec /card/hacks/motor-control/bin/motord\n");
    }

    #[test]
    fn blank_passwords_are_never_allowed() {
        for (line, wanted) in [
            ("exec ./dropbear -FERB", "exec ./dropbear -FER"),
            ("exec ./dropbear -F -B -E", "exec ./dropbear -F -E"),
            ("exec ./dropbear -B", "exec ./dropbear"),
            ("exec ./dropbear -p 2222 -BRF", "exec ./dropbear -p 2222 -RF"),
        ] {
            assert_eq!(rewritten(line, "ssh-server"), format!("{wanted}\n"));
        }
        assert_eq!(rewritten("echo -B", "x"), "echo -B\n");
    }
}
