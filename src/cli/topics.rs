//! The help texts.

/// What `mi360d` alone prints.
pub const OVERVIEW: &str = "\
mi360d: saves, proves and flashes the firmware of Xiaomi Mi 360 cameras.

Usage: mi360d [--sim DIR] [--json] [-v] COMMAND

On the camera, or with --sim on a simulated one:
  run               the daemon: saves the identity, backs up, serves the page
  map               draws the flash chip: what lies where, and how it is
  facts             what this camera's firmware is, for those who help; no secret
  backup            one backup now; prints its id
  backups           the backups on the card, and what each is good for
  verify ID|DIR     reads a backup again, all of it
  plan FILE|ID|DIR  what flashing it would do; changes nothing
  flash FILE        writes firmware, block by block, and proves it
  restore ID|DIR    the same from a backup
  resume            goes on with an interrupted flash
  passwd            sets the page's password, from standard input
  rtsp              the RTSP server

On a PC:
  demo [DIR]        a whole simulated camera with its page, in one command
  sim create DIR    makes a simulated camera
  inspect FILE      what a file is, what in it is alive, and what to do next
  recover FILE...   one image out of parts, several reads or a mangled dump
  assemble          an image for a programmer, out of a brick and a donor
  redact DUMP|DIR   a copy without identity and secrets, safe to post
  programmer        reads and writes a chip clipped to this PC, through flashrom

  help COMMAND      more about a command
  version           the version

  --sim DIR         acts on the simulated camera in DIR
  --json            one JSON document on standard output, nothing else there
  -v                tells more on standard error

Exit status: 0 done, 1 failed, 2 wrong use, 3 refused and nothing changed,
4 damage found, 5 interrupted.
";

/// The help for each command.
pub const TOPICS: &[(&str, &str)] = &[
    (
        "run",
        "\
mi360d run [--config FILE] [--listen ADDRESS:PORT]

The daemon, as the boot hook starts it. First it saves FACTORY and CONFIG to
the card and proves them. Then it serves its page, and beside that reads the
whole chip and makes a backup, unless one holds it already.

  --config FILE     settings; /mnt/sdcard/mi360d/config.toml by default
  --listen ADDRESS  0.0.0.0:80 by default, or port 8080 where 80 is taken

Ends in good order on TERM and INT.
",
    ),
    (
        "demo",
        "\
mi360d demo [DIR] [--listen ADDRESS:PORT]

The daemon on a simulated camera on this PC; prints the page's address and the
setup code with which its password is set. Needs no root and nothing installed. DIR is made if it is not there; without it, it is mi360d-demo in
the system's temporary folder.

  --listen ADDRESS  127.0.0.1:8360 by default
",
    ),
    (
        "sim",
        "\
mi360d sim create DIR [--model ipc009|ipc019] [--from DUMP]

Makes a simulated camera: DIR/flash.bin is its chip, DIR/camera.toml its map,
DIR/sdcard its card. From a full dump of 16 MiB, or a synthetic one whose every
format is valid and whose identity belongs to nobody.

MI360D_SIM_FAULTS makes the chip fail, for tests: cut@N, flip@OFFSET:BIT,
stuck@OFFSET, eio@OFFSET, wp@OFFSET, over-erase@OFFSET, lying-write@OFFSET,
with commas between them. MI360D_SIM_TRACE=FILE notes each operation of it.
MI360D_SIM_PACE=1 makes it as slow as a real one, 0.1 ten times as fast.
",
    ),
    (
        "map",
        "\
mi360d map

Reads the whole chip and draws it, one letter for each 64 KiB: the first
letter of the partition where there is data, a dot where it is erased, a star
where it differs from the newest backup, an x where it cannot be read.
Changes nothing.
",
    ),
    (
        "facts",
        "\
mi360d facts

Prints what this camera's firmware is, for those who help you: kernel, memory,
partitions, mounts, modules, file names in U-Boot, which of the vendor's
programs and services run, and SHA-256 of its scripts and programs. It contains
no password, token, key or address, and changes nothing.

The daemon writes the same to mi360d/logs/facts.txt on the card, once for each
firmware. A simulated camera has only a chip to tell of; MI360D_FIRMWARE=DIR
adds the firmware's files in DIR.
",
    ),
    (
        "backup",
        "\
mi360d backup

Saves the identity, then the whole chip: read twice, written to the card, and
read again from the card. Prints the backup's id; on an unchanged chip that of
the backup which already holds it, after reading that again. Exit status 4 where
a part of the chip cannot be read: the rest is kept as an incomplete backup.
",
    ),
    (
        "backups",
        "\
mi360d backups

Lists the backups on the card: which identity each holds, what it is good for,
and whether it may go when newer ones come. `verify` reads one again.
",
    ),
    (
        "verify",
        "\
mi360d verify ID|DIR

Reads every byte of a backup, from the card and not from memory, and names the
damaged file and offset, if there is one: exit status 4. ID is a backup's name
or number; DIR a folder with a backup, on any PC.

An incomplete backup, of a chip that could not be read whole, is not damaged
where its files hold: exit status 0, and what is missing in it is named. With
--json that is `complete` and `gaps`.
",
    ),
    (
        "plan",
        "\
mi360d plan FILE|ID|DIR [--only NAMES] [--did DID]

Says what flashing a file, or restoring a backup, would do to this camera:
which blocks stay, which are programmed, which are erased first; what speaks
against it; what a power cut in the middle would cost; and the phrase that
agrees to it. Changes nothing. Exit status 3 if something forbids it.

  --only NAMES      these partitions only: --only KERNEL,ROOTFS
  --did DID         this camera's did, where FACTORY is blank and nothing else
                    tells whose identity a backup holds
",
    ),
    (
        "flash",
        "\
mi360d flash FILE [--only NAMES] [--confirm PHRASE] [--did DID]

Writes firmware: KERNEL, ROOTFS and DATA of a tf image or a full dump, or the
partition that the file is. A folder of partition files, or a tar of them, is
taken like one file. Without the phrase it shows the plan and exits with
status 3; the plan gives the phrase.

Before the first erase everything is checked, and what will be overwritten is
saved as a backup and proven. Each block is read back; at the end each partition
is hashed from the chip. A camera restarts after success.

BOOT, CONFIG and FACTORY are written only from this camera's own backups
(`restore`), or where config.toml unlocks them. Another camera's identity is
never written. Exit status 3 refused and nothing changed, 4 the chip does not
keep what is written, 5 interrupted: `resume` goes on.
",
    ),
    (
        "restore",
        "\
mi360d restore ID|DIR [--only NAMES] [--confirm PHRASE] [--did DID]

The same as `flash`, from a backup set: all of it, or the named partitions. ID
is a backup's name or number. A backup of another camera is refused, but for
its KERNEL, ROOTFS and DATA where --only names them.
",
    ),
    (
        "resume",
        "\
mi360d resume

Goes on with a flash that was interrupted; the daemon does that by itself at
its start. Where the image is gone, a backup that holds the same takes its
place, or the one that was made before the flash. Nothing to do is success.
",
    ),
    (
        "inspect",
        "\
mi360d inspect FILE|DIR

Says what a file is, or a folder of partition files: a firmware image for the card (tf_recovery.img,
tf_update.img), a full dump of a chip, one partition, or something else; what
of it is alive, what is gone, whether a camera's identity is in it, and what to
do next. Shows no secrets. Exit status 4 if something is damaged.
",
    ),
    (
        "passwd",
        "\
mi360d passwd

Sets the page's password: one line from standard input, any characters. It
counts at once, and ends every session. Needs no old password: who can run this
owns the card. Without a password the page asks for the code that is in
mi360d/setup-code.txt on the card.
",
    ),
    (
        "assemble",
        "\
mi360d assemble --own SET_OR_DUMP --donor FILE_OR_SET --out CHIP.bin
                [--factory FILE] [--damaged-factory]

Makes the image of a whole chip for a flash programmer. BOOT, CONFIG and
FACTORY are taken from `own`: a dump of this very camera, dead or alive, or one
of its backups. KERNEL, ROOTFS and DATA are taken from `donor`: a tf image, a
dump of a camera of the same model, or a backup. Says what it took from where,
and inspects what it wrote. Nothing is overwritten.

  --factory FILE     a cut-out FACTORY of this camera, in place of the own one
  --damaged-factory  takes a FACTORY that is erased or damaged as it is: the
                     camera then runs without the vendor's cloud

Refused, exit status 3, are parts that are damaged, for another model, map or
processor, and firmware 4.0.9 or later on an older BOOT. A donor's FACTORY is
never taken.
",
    ),
    (
        "recover",
        "\
mi360d recover FILE_OR_DIR... --out CHIP.bin [--factory FILE]

Makes one image of a whole chip out of what you have: partition files, a folder
or a tar of them; two or more reads of one chip, merged by majority; a dump that
is swapped, shifted, rotated, doubled, sent as text, or logged by a console.
Says all that it did, where readings differ, and what is still missing. Nothing
is overwritten.

  --factory FILE    a cut-out FACTORY of this camera

Exit status 0: the image is whole, as far as checksums reach; 4: it was written,
and is not whole; 3: refused, because files of two cameras were named, or nothing
of a camera is in them.
",
    ),
    (
        "redact",
        "\
mi360d redact DUMP|DIR --out FILE

Makes a copy of a dump of the whole chip, or of a backup, that is safe to post:
FACTORY, CONFIG and DATA are erased. U-Boot's environment stays, its addresses
and serials replaced by zeros; its checksum is renewed only if it was right.
What stands behind the kernel and the root file system is blanked, and what is
known of the identity and the settings is looked for in all the rest. The copy
is read again before it gets its name. Nothing is overwritten.
",
    ),
    (
        "programmer",
        "\
mi360d programmer status
mi360d programmer read DIR
mi360d programmer write IMAGE [--confirm PHRASE] [--did DID]
                  each with [--programmer NAME] [--chip NAME]

Reads and writes the flash chip that is clipped to this PC. flashrom does the
work: install it first. Run this as root, with the camera's power off.

status  names the chip and its write protection. Changes nothing.
read    reads the chip until two readings agree, at most four, and keeps it in
        the new folder DIR as a backup set. If all readings differ, they are
        kept in DIR, exit status 4; reseat the clip and run it again.
write   writes an image of the whole chip, as `assemble` and `recover` make it.
        First the chip is read and kept in IMAGE.before. Without the phrase the
        plan is shown, exit status 3. Only an image with this camera's own
        identity is written. The write protection is lifted and put back. Only
        what differs is written, and the chip is read back. If the clip slips,
        run the same command again: it continues.

  --programmer NAME  as flashrom calls it; ch341a_spi by default
  --chip NAME        where several chips fit, as flashrom calls it
  --did DID          this camera's did, where the chip has no healthy identity
",
    ),
    (
        "rtsp",
        "\
mi360d rtsp --stream NAME=PATH ... [--listen ADDRESS:PORT]
            [--audio FOLDER] [--snapshot FOLDER] [--speaker FOLDER]
            [--sound g711|l16|off] [--firmware] [--password-file FILE]
            [--basic] [--viewers N]

Serves streams of H.264 or H.265 to rtsp://ADDRESS:8554/NAME. A picture that
was damaged on its way here is never shown: viewers go on at the next key frame.

  --stream NAME=PATH    an Annex-B stream: a FIFO, read for ever; a file, played
                        again and again; - for standard input; scene: for a
                        made-up scene; or a folder with the socket of the
                        firmware's own frames (control)
  --audio FOLDER        the microphone's sound, from such a folder
  --snapshot FOLDER     JPEG snapshots, from such a folder
  --speaker FOLDER      what viewers say (ONVIF's backchannel), to such a folder
  --sound FORM          g711: 8 kHz, which every client plays (default); l16:
                        16 kHz, uncompressed; off
  --firmware            take mainstream, substream, sound, snapshots and speaker
                        from the camera's own firmware (/run, or below MI360D_FIRMWARE);
                        PATH is read only where its frames are not understood
  --listen ADDRESS      0.0.0.0:8554 by default, 127.0.0.1:8554 without a password
  --password-file FILE  its first line is the password of the user admin; a
                        change counts at once. Without it only this machine
                        may watch
  --basic               let viewers send the password readable, too
  --viewers N           at once; 10 by default

Ends in good order on TERM and INT.
",
    ),
];

/// Whether there is help on this.
pub fn has(topic: &str) -> bool {
    TOPICS.iter().any(|(name, _)| *name == topic)
}
