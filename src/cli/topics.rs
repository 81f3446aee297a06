//! The help texts.

/// What `mi360d` alone prints.
pub const OVERVIEW: &str = "\
mi360d: saves, verifies and flashes the firmware of Xiaomi Mi 360 cameras.

Usage: mi360d [--sim DIR] [--json] [-v] COMMAND

On the camera, or with --sim on a simulated one:
  run               run the daemon: save the identity, back up, serve the page
  map               draw the flash chip, its partitions and their state
  facts             show what this camera's firmware is, for support; no secrets
  backup            make a backup and print its id
  backups           list the backups on the card
  verify ID|DIR     read a whole backup again and check it
  plan FILE|ID|DIR  show what a flash would do; changes nothing
  flash FILE        write firmware and verify it
  restore ID|DIR    restore a backup
  resume            continue an interrupted flash
  passwd            set the page's password, from standard input
  rtsp              run the RTSP server

On a PC:
  demo [DIR]        run a simulated camera with its page
  sim create DIR    make a simulated camera
  inspect FILE      show what a file is, what is damaged, and what to do next
  recover FILE...   make one image from parts, several reads or a mangled dump
  assemble          make an image for a flash programmer, from a brick and a donor
  redact DUMP|DIR   make a copy without identity and secrets, safe to post
  programmer        read and write a chip clipped to this PC, with flashrom

  help COMMAND      show more about a command
  version           show the version

  --sim DIR         use the simulated camera in DIR
  --json            print one JSON document on standard output and nothing else
  -v                print more on standard error

Exit status: 0 done, 1 failed, 2 wrong usage, 3 refused and nothing changed,
4 damage found, 5 interrupted.
";

/// The help for each command.
pub const TOPICS: &[(&str, &str)] = &[
    (
        "run",
        "\
mi360d run [--config FILE] [--listen ADDRESS:PORT]

Runs the daemon, as the boot hook does. First it saves FACTORY and CONFIG to the
card and verifies them. Then it serves its page and, at the same time, makes a
backup of the whole chip, unless a backup already contains it.

  --config FILE     settings; default: /mnt/sdcard/mi360d/config.toml
  --listen ADDRESS  default: 0.0.0.0:80, or port 8080 if 80 is in use

TERM and INT stop it cleanly.
",
    ),
    (
        "demo",
        "\
mi360d demo [DIR] [--listen ADDRESS:PORT]

Runs the daemon on a simulated camera on this PC, and prints the page's address
and setup code. It needs neither root nor other programs. DIR is created if it
does not exist; the default is mi360d-demo in the system's temporary folder.

  --listen ADDRESS  default: 127.0.0.1:8360
",
    ),
    (
        "sim",
        "\
mi360d sim create DIR [--model ipc009|ipc019] [--from DUMP]

Makes a simulated camera: DIR/flash.bin is its chip, DIR/camera.toml its map,
DIR/sdcard its card. The content comes from a full dump of 16 MiB, or is
synthetic: valid formats, and an identity that belongs to no camera.

MI360D_SIM_FAULTS makes the chip fail, for tests: cut@N, flip@OFFSET:BIT,
stuck@OFFSET, eio@OFFSET, wp@OFFSET, over-erase@OFFSET, lying-write@OFFSET,
separated by commas. MI360D_SIM_TRACE=FILE records each operation.
MI360D_SIM_PACE=1 makes it as slow as a real chip, 0.1 ten times as fast.
",
    ),
    (
        "map",
        "\
mi360d map

Reads the whole chip and draws it, one character for each 64 KiB: the first
letter of the partition for data, a dot for erased, a star for a difference from
the newest backup, an x for unreadable. Changes nothing.
",
    ),
    (
        "facts",
        "\
mi360d facts

Prints what this camera's firmware is, for support: kernel, memory,
partitions, mounts, modules, file names in U-Boot, which of the vendor's
programs and services run, and SHA-256 of its scripts and programs. It contains
no password, token, key or address, and changes nothing.

The daemon writes the same to mi360d/logs/facts.txt on the card, once for each
firmware. A simulated camera has only a chip; MI360D_FIRMWARE=DIR adds the
firmware's files in DIR.
",
    ),
    (
        "backup",
        "\
mi360d backup

Saves the identity, then the whole chip: read twice, written to the card, and
read back from the card. Prints the backup's id. If the chip has not changed, no
new backup is made: the existing one is read again and its id is printed. Exit
status 4 if part of the chip cannot be read; the rest is an incomplete backup.
",
    ),
    (
        "backups",
        "\
mi360d backups

Lists the backups on the card: the identity in each, what it can be used for,
and whether it is deleted when space is needed. `verify` reads one again.
",
    ),
    (
        "verify",
        "\
mi360d verify ID|DIR

Reads every byte of a backup from the card, not from memory. If a file is
damaged, prints its name and the offset: exit status 4. ID is a backup's name or
number; DIR is a folder with a backup, also on a PC.

An incomplete backup, of a chip that could not be read completely, is not
damaged if its files are intact: exit status 0, and the missing parts are listed
(with --json in `complete` and `gaps`).
",
    ),
    (
        "plan",
        "\
mi360d plan FILE|ID|DIR [--only NAMES] [--did DID]

Shows what flashing a file, or restoring a backup, would do to this camera: which
blocks stay, which are programmed, which are erased first; what prevents it; what
a power cut would do; and the phrase that confirms it. Changes nothing. Exit
status 3 if something prevents it.

  --only NAMES      only these partitions: --only KERNEL,ROOTFS
  --did DID         this camera's did, if FACTORY is blank and nothing else shows
                    whose identity a backup contains
",
    ),
    (
        "flash",
        "\
mi360d flash FILE [--only NAMES] [--confirm PHRASE] [--did DID]

Writes firmware: KERNEL, ROOTFS and DATA from a tf image or a full dump, or one
partition from its own file. A folder of partition files, or a tar of them, is
used like one file. Without the phrase it shows the plan, which contains the
phrase, and exits with status 3.

Before the first erase everything is checked, and what will be overwritten is
backed up and verified. Each block is read back; at the end each partition is
hashed from the chip. A camera restarts after success.

BOOT, CONFIG and FACTORY are written only from this camera's own backups
(`restore`), or if config.toml unlocks them. Another camera's identity is never
written. Exit status 3: refused, nothing changed; 4: the chip does not keep what
is written; 5: interrupted, `resume` continues.
",
    ),
    (
        "restore",
        "\
mi360d restore ID|DIR [--only NAMES] [--confirm PHRASE] [--did DID]

Flashes a backup: all of it, or the partitions in --only. ID is a backup's name
or number. From another camera's backup, only KERNEL, ROOTFS and DATA can be
written, and only if --only lists them.
",
    ),
    (
        "resume",
        "\
mi360d resume

Continues an interrupted flash; the daemon does this by itself when it starts. If
the image is gone, a backup with the same content is used, or else the backup
made before the flash. If there is nothing to do, the exit status is 0.
",
    ),
    (
        "inspect",
        "\
mi360d inspect FILE|DIR

Shows what a file or a folder of partition files is: a firmware image for the card
(tf_recovery.img, tf_update.img), a full dump of a chip, one partition, or
something else. Shows what in it is intact, what is lost, whether it contains a
camera's identity, and what to do next. Shows no secrets. Exit status 4 if
something is damaged.
",
    ),
    (
        "passwd",
        "\
mi360d passwd

Sets the page's password: one line from standard input, any characters. It is
valid at once and ends every session. The old password is not needed: access to
the card is enough. As long as no password is set, the page asks for the code in
mi360d/setup-code.txt on the card.
",
    ),
    (
        "assemble",
        "\
mi360d assemble --own SET_OR_DUMP --donor FILE_OR_SET --out CHIP.bin
                [--factory FILE] [--damaged-factory]

Makes the image of a whole chip for a flash programmer. BOOT, CONFIG and FACTORY
come from --own: a dump of this camera, dead or alive, or one of its backups.
KERNEL, ROOTFS and DATA come from --donor: a tf image, a dump of a camera of the
same model, or a backup. Shows where each part came from, and inspects the image.
Nothing is overwritten.

  --factory FILE     a cut-out FACTORY of this camera, instead of the one in --own
  --damaged-factory  accept an erased or damaged FACTORY as it is: the camera then
                     runs without the vendor's cloud

Refused with exit status 3: damaged parts; parts for another model, map or
processor; and firmware 4.0.9 or later on an older BOOT. The donor's FACTORY is
never used.
",
    ),
    (
        "recover",
        "\
mi360d recover FILE_OR_DIR... --out CHIP.bin [--factory FILE]

Makes one image of a whole chip from what you have: partition files, a folder or
a tar of them; two or more reads of one chip, merged by majority; a dump that is
swapped, shifted, rotated, doubled, sent as text, or logged by a console. Shows
what it did, where readings differ, and what is still missing. Nothing is
overwritten.

  --factory FILE    a cut-out FACTORY of this camera

Exit status 0: the image is whole, as far as checksums show; 4: it was written but
is not whole; 3: refused, because the files are from two cameras or contain
nothing of a camera.
",
    ),
    (
        "redact",
        "\
mi360d redact DUMP|DIR --out FILE

Makes a copy of a dump of the whole chip, or of a backup, that is safe to post:
FACTORY, CONFIG and DATA are erased. U-Boot's environment stays, its addresses
and serials replaced by zeros; its checksum is renewed only if it was right.
Bytes after the kernel and the root file system are blanked, and the rest is
searched for values of the identity and the settings. The copy is read back
before it gets its name. Nothing is overwritten.
",
    ),
    (
        "programmer",
        "\
mi360d programmer status
mi360d programmer read DIR
mi360d programmer write IMAGE [--confirm PHRASE] [--did DID]
                  each with [--programmer NAME] [--chip NAME]

Reads and writes the flash chip that is clipped to this PC. It uses flashrom:
install that first. Run this as root, with the camera's power off.

status  shows the chip and its write protection. Changes nothing.
read    reads the chip until two readings agree, at most four, and keeps it in
        the new folder DIR as a backup set. If all readings differ, they are
        kept in DIR, exit status 4; reseat the clip and run it again.
write   writes an image of the whole chip, as `assemble` and `recover` make it.
        First the chip is read and kept in IMAGE.before. Without the phrase the
        plan is shown, exit status 3. Only an image with this camera's own
        identity is written. The write protection is lifted and put back. Only
        what differs is written, and the chip is read back. If the clip slips,
        run the same command again: it continues.

  --programmer NAME  flashrom's name for it; default: ch341a_spi
  --chip NAME        flashrom's name for it, if several chips match
  --did DID          this camera's did, if the chip has no healthy identity
",
    ),
    (
        "rtsp",
        "\
mi360d rtsp --stream NAME=PATH ... [--listen ADDRESS:PORT]
            [--audio FOLDER] [--snapshot FOLDER] [--speaker FOLDER]
            [--sound g711|l16|off] [--firmware] [--password-file FILE]
            [--basic] [--viewers N]

Serves streams of H.264 or H.265 at rtsp://ADDRESS:8554/NAME. Damaged pictures are
never sent: viewers continue at the next key frame.

  --stream NAME=PATH    an Annex-B stream: a FIFO; a file, played in a loop; - for
                        standard input; scene: for a synthetic scene; or a folder
                        with the socket of the firmware's frames (control)
  --audio FOLDER        the microphone's sound, from such a folder
  --snapshot FOLDER     JPEG snapshots, from such a folder
  --speaker FOLDER      viewers' speech (ONVIF backchannel), to such a folder
  --sound FORM          g711: 8 kHz, which every client plays (default); l16:
                        16 kHz, uncompressed; off
  --firmware            use mainstream, substream, sound, snapshots and speaker of
                        the camera's firmware (/run, or below MI360D_FIRMWARE);
                        PATH is read only if its frames are not understood
  --listen ADDRESS      default: 0.0.0.0:8554, or 127.0.0.1:8554 without a password
  --password-file FILE  the password of the user admin is its first line; a change
                        is valid at once. Without it only this machine can watch
  --basic               also accept unencrypted passwords (Basic)
  --viewers N           most viewers at once; default: 10

TERM and INT stop it cleanly.
",
    ),
];

/// Whether there is help on this.
pub fn has(topic: &str) -> bool {
    TOPICS.iter().any(|(name, _)| *name == topic)
}
