//! The parts of a file against this camera, one by one: processor, model,
//! identity, version; and what nothing proves.

use super::{Slice, Slices, Target, UNCHECKED, UNPROVABLE, UNSIGNED};
use crate::chip::Role;
use crate::formats::tf;
use crate::formats::uimage::Family;
use crate::formats::version::Version;
use crate::identity::{Identity, Judgement};
use crate::image::finding::Finding;
use crate::image::genuine;
use crate::image::inspect::{FileKind, Model};
use crate::image::marks::KERNEL_LOAD;

/// Draws the conclusions.
pub(super) fn conclude(out: &mut Slices, target: &Target<'_>) {
    let identity = identity(out);
    if let Some(model) = identity.as_ref().and_then(Identity::model) {
        out.model = Some(Model { id: model, certain: true, how: "FACTORY says so".to_owned() });
    }
    let mut found = Vec::new();
    for slice in &out.slices {
        found.extend(family(slice, target));
        // A set is what a camera like this one had.
        if out.kind != FileKind::Set {
            found.extend(load_address(slice, target));
            found.extend(bootable(slice));
        }
        found.extend(one_way(slice, out.version, target));
        found.extend(unprovable(slice, out.kind));
    }
    found.extend(model(out, target));
    found.extend(foreign(out, identity.as_ref(), target));
    found.extend(signature(out));
    // What the image says itself counts more than its owner's table.
    let own = out.slices.iter().filter_map(|s| s.version).max();
    let is_published = out.sha256.is_some_and(|sha256| genuine::known(&sha256).is_some());
    out.version = own.filter(|_| !is_published).or(out.version);
    if out.version.is_none() && out.slices.iter().any(|s| !s.role.is_protected()) {
        found.push(
            Finding::warning("version-unknown", "The file does not say its firmware version.")
                .hint(
                    "Make sure that it is older than 4.0.9: after that version the camera accepts \
                     no older image from a card, and this program cannot start on it.",
                ),
        );
    }
    out.add_all(found);
}

/// The identity in the file, as far as it is one.
fn identity(out: &Slices) -> Option<Identity> {
    out.by_role(Role::Factory)?.content.facts.identity.as_ref()?.identity.clone()
}

/// The processor that a kernel, or a boot loader, is for.
fn family(slice: &Slice, target: &Target<'_>) -> Option<Finding> {
    let uimage = slice.content.facts.uimage.as_ref()?;
    if uimage.family == Family::Other {
        return None; // reported with the content
    }
    let Some(own) = target.family.filter(|f| *f != Family::Other) else {
        return Some(
            Finding::warning(
                "family-unknown",
                "This camera's processor is unknown, so the kernel cannot be compared with it.",
            )
            .of(&slice.name)
            .hint("Check what is printed on the processor: MSC313 is I3, SSC323 is I6."),
        );
    };
    (own != uimage.family).then(|| {
        Finding::blocker(
            "wrong-family",
            format!(
                "It is for processors of the family {}, but this camera's is {}.",
                uimage.family_name(),
                if own == Family::I3 { "I3" } else { "I6" }
            ),
        )
        .of(&slice.name)
        .at(slice.offset + 32)
        .hint("It is for another model and would not start here. Find the image for your model.")
    })
}

/// A kernel that is loaded to another address is for another processor,
/// whatever its name says.
fn load_address(slice: &Slice, target: &Target<'_>) -> Option<Finding> {
    let uimage = slice.content.facts.uimage.as_ref().filter(|_| slice.role == Role::Kernel)?;
    let own = target.kernel_load.unwrap_or(KERNEL_LOAD);
    (uimage.load != own).then(|| {
        Finding::blocker(
            "wrong-load-address",
            format!(
                "The kernel is loaded to {:#010x}, but this camera's to {own:#010x}: it is for \
                 another processor.",
                uimage.load
            ),
        )
        .of(&slice.name)
        .at(slice.offset + 16)
        .hint("It would not start here. Find the image for this camera's model.")
    })
}

/// What this camera's kernel can mount and start.
fn bootable(slice: &Slice) -> Option<Finding> {
    let squashfs = slice.content.facts.squashfs.filter(|_| slice.role == Role::Rootfs)?;
    if squashfs.compression != "xz" {
        return Some(
            Finding::blocker(
                "wrong-compression",
                format!(
                    "The root file system is compressed with {}, but this camera's kernel reads \
                     only xz.",
                    squashfs.compression
                ),
            )
            .of(&slice.name)
            .at(slice.offset + 20)
            .hint("The camera would not start with it. Compress it with xz: mksquashfs -comp xz."),
        );
    }
    (squashfs.linuxrc == Some(false)).then(|| {
        Finding::blocker("no-linuxrc", "The root file system has no /linuxrc.")
            .of(&slice.name)
            .hint(
                "U-Boot starts the kernel with init=/linuxrc, so the camera would not start. It \
                 is not the root file system of this camera.",
            )
    })
}

/// The door that closes behind 4.0.9.
fn one_way(slice: &Slice, of_file: Option<Version>, target: &Target<'_>) -> Option<Finding> {
    let version = slice.version.max(of_file).filter(|v| v.is_one_way())?;
    if slice.role == Role::Factory || target.firmware.is_some_and(Version::is_one_way) {
        return None;
    }
    Some(
        Finding::blocker(
            "one-way",
            format!(
                "It contains version {version}. From 4.0.9 on, the stock system replaces the boot \
                 loader and its keys at its first start: after that the camera never accepts an \
                 older image from a card, and this program cannot start."
            ),
        )
        .of(&slice.name)
        .hint("Use an image older than 4.0.9."),
    )
}

/// What no checksum covers.
fn unprovable(slice: &Slice, kind: FileKind) -> Option<Finding> {
    if kind == FileKind::Set {
        return None;
    }
    let finding = match slice.role {
        Role::Rootfs => {
            let squashfs = slice.content.facts.squashfs?;
            let bare = squashfs.bytes_without_checksum.unwrap_or(squashfs.bytes_used);
            let reason = format!(
                "No checksum covers the superblock, the lists of tables and {bare} more bytes of \
                 the root file system: a wrong byte there cannot be detected."
            );
            let hint = "Compare the file's SHA-256 with one that you trust.";
            // Owners and groups are a few bytes that are stored as they are.
            let is_small = bare < squashfs.bytes_used / 100;
            let finding: fn(&'static str, String) -> Finding =
                if is_small { Finding::note } else { Finding::warning };
            finding(UNPROVABLE, reason).hint(hint)
        }
        Role::Data => {
            let reason = "No checksum covers replaced nodes and padding of the JFFS2: a wrong \
                byte there cannot be detected, and does no harm.";
            let replaced = slice.content.facts.jffs2.is_some_and(|s| s.obsolete + s.torn > 0);
            if replaced {
                Finding::warning(UNPROVABLE, reason)
            } else {
                Finding::note(UNPROVABLE, reason)
            }
        }
        Role::Boot => Finding::warning(
            UNPROVABLE,
            "Only a sum of words covers the first loaders, and no checksum covers the keys \
             between them and U-Boot: two wrong bytes that cancel each other cannot be detected, \
             and the camera would not start.",
        )
        .hint("Leave BOOT as it is."),
        _ => return None,
    };
    Some(finding.of(&slice.name))
}

/// The model that the file is from, against this camera's.
fn model(out: &Slices, target: &Target<'_>) -> Option<Finding> {
    let theirs = out.model.as_ref().filter(|m| m.certain);
    match (theirs, target.model) {
        (Some(theirs), Some(own)) if theirs.id != own => Some(
            Finding::blocker(
                "wrong-model",
                format!("It is from a camera of the model {}, but this one is {own}.", theirs.id),
            )
            .hint(
                "A camera does not start with another model's firmware. Find the image for your \
                model.",
            ),
        ),
        (Some(_), Some(_)) => None,
        _ if out.slices.iter().all(|s| s.role.is_protected()) => None,
        (_, Some(own)) => Some(
            Finding::warning("model-unknown", "The file does not say which model it is for.")
                .hint(format!("Make sure that it is for {own}.")),
        ),
        (_, None) => Some(
            Finding::warning("model-unknown", "This camera's model is unknown.")
                .hint("Make sure that the file is for the model printed on the camera."),
        ),
    }
}

/// Another camera's identity, and another camera's settings.
fn foreign(out: &Slices, theirs: Option<&Identity>, target: &Target<'_>) -> Vec<Finding> {
    let (Some(theirs), Some(factory)) = (theirs, out.by_role(Role::Factory)) else {
        return Vec::new();
    };
    let live = target.identity.and_then(|j: &Judgement| j.identity.as_ref());
    if live.is_some_and(|own| own.same_as(theirs)) {
        return Vec::new();
    }
    let (code, whose) = match live {
        Some(_) => ("foreign-identity", "It contains the identity of another camera."),
        None => (
            "unproven-identity",
            "It contains an identity, and this camera's own is damaged \
            or blank.",
        ),
    };
    let mut found = vec![
        Finding::warning(code, whose)
            .at(factory.offset)
            .hint("FACTORY is used from it only if it is verified to be this camera's own."),
    ];
    if live.is_some() {
        let settings = out.slices.iter().filter(|s| matches!(s.role, Role::Data | Role::Config));
        found.extend(settings.map(|s| {
            Finding::warning(
                "foreign-settings",
                format!(
                    "{} belongs to another camera: it contains that camera's WiFi and tokens.",
                    s.name
                ),
            )
            .of(&s.name)
            .hint("A tf image has a clean DATA.")
        }));
    }
    found
}

/// What is to be said about the vendor's signature.
fn signature(out: &Slices) -> Option<Finding> {
    let is_signed = match out.trailer {
        Some(note) => note.is_signed,
        // The file ends where its signature should be.
        None if out.kind == FileKind::TfImage && !out.slices.is_empty() => false,
        None => return None,
    };
    Some(if is_signed {
        Finding::warning(
            UNCHECKED,
            "It has a signature, which was not checked against a key and is not written.",
        )
        .at(tf::BODY)
        .hint("The boot loader checks it when it reads the image from a card.")
    } else {
        Finding::warning(UNSIGNED, "It has no signature.").at(tf::BODY).hint(
            "The boot loader would not accept it from a card, so it cannot rescue the camera. It \
             can be flashed from here if its parts are intact.",
        )
    })
}
