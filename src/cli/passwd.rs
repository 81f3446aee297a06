//! `passwd`.

use std::io::{self, Read as _};

use serde_json::json;
use thiserror::Error;

use super::args::Args;
use super::out::print;
use crate::access::login;
use crate::card::Card;
use crate::error::{Code, Exit, Explain};

/// Bytes read: more than the longest password, so that a longer one is refused and not cut.
const LIMIT: u64 = 4096;

/// Standard input gave no password.
#[derive(Debug, Error)]
enum InputError {
    #[error("standard input cannot be read")]
    Read(#[source] io::Error),
    #[error("the password is not UTF-8")]
    NotText,
}

impl Explain for InputError {
    fn code(&self) -> Code {
        Code::Input
    }

    fn hint(&self) -> String {
        "Send the password as one line: printf '%s\\n' ... | mi360d passwd".to_owned()
    }

    fn exit(&self) -> Exit {
        Exit::Usage
    }
}

pub fn passwd(args: &Args) -> super::failure::Result {
    let mut bytes = Vec::new();
    io::stdin().take(LIMIT).read_to_end(&mut bytes).map_err(InputError::Read)?;
    let text = String::from_utf8(bytes).map_err(|_| InputError::NotText)?;
    // The line's end is the terminal's, and nothing else is.
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let password = line.strip_suffix('\r').unwrap_or(line);
    let card = match &args.sim {
        Some(dir) => Card::folder(&dir.join("sdcard")),
        None => Card::of_camera(),
    };
    login::set_password(&card, password)?;
    print(args, &json!({ "password": "set" }), || "The password is set.\n".to_owned())?;
    Ok(Exit::Done)
}
