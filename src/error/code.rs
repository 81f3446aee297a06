//! The codes of all errors and notices: the one table that page, terminal,
//! OpenAPI document and texts use. Scripts rely on the names. The codes of findings are not here: each is
//! named where it is found ([`crate::image::Finding`]).

use std::fmt;

use serde::{Serialize, Serializer};

/// Makes the type and its table of the two lists.
macro_rules! codes {
    (page { $($page:ident $seen:literal,)* } terminal { $($terminal:ident $typed:literal,)* }) => {
        /// The kind of an error or a notice, by a stable name in kebab-case.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = concat!("`", $seen, "`.")] $page,)*
            $(#[doc = concat!("`", $typed, "`, in a terminal or the log only.")] $terminal,)*
            /// The code of the first finding that forbids it.
            Finding(&'static str),
        }

        impl Code {
            /// Codes that the page can show; it has a text for each in every language.
            pub const ON_PAGE: &[Code] = &[$(Code::$page,)*];
            /// Codes that only a terminal or the log shows.
            pub const IN_TERMINAL: &[Code] = &[$(Code::$terminal,)*];

            /// The stable name.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Code::$page => $seen,)*
                    $(Code::$terminal => $typed,)*
                    Code::Finding(name) => name,
                }
            }
        }
    };
}

codes! {
    page {
        AlreadySetUp "already-set-up",
        BackupBroken "backup-broken",
        BackupDamaged "backup-damaged",
        BackupIncomplete "backup-incomplete",
        BackupProtected "backup-protected",
        BadBody "bad-body",
        BadJson "bad-json",
        BadQuery "bad-query",
        BadRequest "bad-request",
        BlockNotKept "block-not-kept",
        BlockStuck "block-stuck",
        Blocked "blocked",
        BodyTooLarge "body-too-large",
        Busy "busy",
        CameraOff "camera-off",
        CardClaimed "card-claimed",
        CardError "card-error",
        CardFull "card-full",
        CardGone "card-gone",
        CardLies "card-lies",
        CardMissing "card-missing",
        CardReadOnly "card-read-only",
        ChipErase "chip-erase",
        ChipProgram "chip-program",
        ChipProtect "chip-protect",
        ChipRange "chip-range",
        ChipRead "chip-read",
        ChipUnsettled "chip-unsettled",
        ClockRefused "clock-refused",
        ClockSimulated "clock-simulated",
        Config "config",
        ControlAbsent "control-absent",
        ControlTooSoon "control-too-soon",
        ControlUnconfirmed "control-unconfirmed",
        ControlUnknownValue "control-unknown-value",
        ControlValue "control-value",
        ControlsOff "controls-off",
        Csrf "csrf",
        DataBusy "data-busy",
        EmptyPassword "empty-password",
        ExpectationFailed "expectation-failed",
        FirmwareAway "firmware-away",
        FlashInterrupted "flash-interrupted",
        ForeignHost "foreign-host",
        ForeignOrigin "foreign-origin",
        Framegrabber "framegrabber",
        HackToml "hack-toml",
        HeadTooLarge "head-too-large",
        HttpVersion "http-version",
        IdentityBlank "identity-blank",
        IdentityDamaged "identity-damaged",
        IdentityMissing "identity-missing",
        IdentityNotOnCard "identity-not-on-card",
        IdentityNotSaved "identity-not-saved",
        IdentityUnreadable "identity-unreadable",
        ImageChanged "image-changed",
        ImageGone "image-gone",
        ImageInUse "image-in-use",
        ImageTooLarge "image-too-large",
        ImageUnreadable "image-unreadable",
        Internal "internal",
        Interrupted "interrupted",
        JournalDamaged "journal-damaged",
        Leak "leak",
        LengthNeeded "length-needed",
        LittleMemory "little-memory",
        LoginNeeded "login-needed",
        LongPassword "long-password",
        MethodNotAllowed "method-not-allowed",
        NeighbourLost "neighbour-lost",
        NoAnswer "no-answer",
        NoPage "no-page",
        NoPartition "no-partition",
        NoPosition "no-position",
        NoRandom "no-random",
        NoRelease "no-release",
        NoSet "no-set",
        NoSetupCode "no-setup-code",
        NoSuchBackup "no-such-backup",
        NoSuchControl "no-such-control",
        NoSuchFile "no-such-file",
        NoSuchImage "no-such-image",
        NoSuchJob "no-such-job",
        NoSuchPlan "no-such-plan",
        NoSuchPreset "no-such-preset",
        NoSuchService "no-such-service",
        NoSuchSound "no-such-sound",
        NoSuchStream "no-such-stream",
        NoSuchToken "no-such-token",
        NoThread "no-thread",
        NoTicket "no-ticket",
        NotADump "not-a-dump",
        NotASet "not-a-set",
        NotASound "not-a-sound",
        NotByToken "not-by-token",
        NotConfirmed "not-confirmed",
        NotFound "not-found",
        NotInImage "not-in-image",
        NotProven "not-proven",
        NotYet "not-yet",
        NothingToDo "nothing-to-do",
        NothingToResume "nothing-to-resume",
        NumbersUsedUp "numbers-used-up",
        OriginalHack "original-hack",
        OtherCamera "other-camera",
        OtherImage "other-image",
        OtherWriter "other-writer",
        PhraseNeeded "phrase-needed",
        PlanBlocked "plan-blocked",
        PresetName "preset-name",
        ProtectedPartition "protected-partition",
        PtzRange "ptz-range",
        ReleaseDamaged "release-damaged",
        ReleaseForged "release-forged",
        ReleaseOtherMachine "release-other-machine",
        RequestTimeout "request-timeout",
        ResumeLimit "resume-limit",
        RtspNoJpeg "rtsp-no-jpeg",
        RtspNoPicture "rtsp-no-picture",
        RtspNoSound "rtsp-no-sound",
        RtspNoSpeaker "rtsp-no-speaker",
        RtspNotRunning "rtsp-not-running",
        SafeMode "safe-mode",
        ServerRestarting "server-restarting",
        ServiceUnavailable "service-unavailable",
        ServicesOff "services-off",
        Setting "setting",
        SettingsFile "settings-file",
        SetupNeeded "setup-needed",
        ShortPassword "short-password",
        Simulated "simulated",
        SoundTooLong "sound-too-long",
        SpeakerBusy "speaker-busy",
        SshKey "ssh-key",
        TimeZone "time-zone",
        TokenName "token-name",
        TooManyImages "too-many-images",
        TooManyLogins "too-many-logins",
        TooManyPresets "too-many-presets",
        TooManyTokens "too-many-tokens",
        TooManyTries "too-many-tries",
        TransferEncoding "transfer-encoding",
        UnknownMap "unknown-map",
        UnknownPartition "unknown-partition",
        Unreadable "unreadable",
        UpdateFailed "update-failed",
        UploadBrokeOff "upload-broke-off",
        UploadBusy "upload-busy",
        Watchdog "watchdog",
        WriteProtected "write-protected",
        WrongCode "wrong-code",
        WrongPassword "wrong-password",
        WrongPhrase "wrong-phrase",
    }
    terminal {
        BackendListen "backend-listen",
        BackendThread "backend-thread",
        BadDump "bad-dump",
        BadFault "bad-fault",
        BadOutput "bad-output",
        BadSimulatedCamera "bad-simulated-camera",
        ChipProtected "chip-protected",
        File "file",
        FileExists "file-exists",
        Flashrom "flashrom",
        GateListener "gate-listener",
        GateThread "gate-thread",
        GateWake "gate-wake",
        Input "input",
        Listen "listen",
        NoChip "no-chip",
        NoFlashMap "no-flash-map",
        NoFlashrom "no-flashrom",
        NoIdentity "no-identity",
        NoMap "no-map",
        NoProgrammer "no-programmer",
        NotVerified "not-verified",
        NothingFound "nothing-found",
        NothingWritten "nothing-written",
        OnlyOnPc "only-on-pc",
        Output "output",
        PowerCut "power-cut",
        ProgrammerRead "programmer-read",
        ReadingsDiffer "readings-differ",
        Refused "refused",
        RtspListen "rtsp-listen",
        RtspNoPassword "rtsp-no-password",
        RtspPassword "rtsp-password",
        RtspPasswordEmpty "rtsp-password-empty",
        RtspStart "rtsp-start",
        RtspStreams "rtsp-streams",
        SeveralChips "several-chips",
        SimulatedCameraExists "simulated-camera-exists",
        TooLong "too-long",
        TwoChips "two-chips",
        TwoIdentities "two-identities",
        TwoMaps "two-maps",
        UnknownModel "unknown-model",
        Usage "usage",
        WebDoor "web-door",
        WrongSize "wrong-size",
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}

impl PartialEq<&str> for Code {
    fn eq(&self, name: &&str) -> bool {
        self.name() == *name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_is_there_once_and_in_kebab_case() {
        let all: Vec<&str> =
            Code::ON_PAGE.iter().chain(Code::IN_TERMINAL).map(|c| c.name()).collect();
        for (i, name) in all.iter().enumerate() {
            let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            assert!(!name.is_empty() && name.bytes().all(good), "{name}");
            assert!(!all[i + 1..].contains(name), "{name} twice");
        }
    }
}
