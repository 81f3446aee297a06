//! The list of a release's files, and its maker's signature: minisign's own format,
//! so that `minisign -Vm release.txt` checks it as well.

use std::fs;
use std::io::{Cursor, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use mi360d::update;
use minisign::{KeyPair, PublicKey, SecretKey, SecretKeyBox};
use sha2::{Digest, Sha256};

use crate::Result;
use crate::layout::{self, Entry};

/// Where the public key lies, from the repository's root.
const PUBLIC: &str = "src/update/release.pub";

/// The list of all files, as one more file.
pub fn listing(entries: &[Entry]) -> Entry {
    let mut text = format!("mi360d {}\n", env!("CARGO_PKG_VERSION"));
    for entry in entries {
        let hash: String =
            Sha256::digest(&entry.bytes).iter().map(|b| format!("{b:02x}")).collect();
        text.push_str(&format!("{hash}  {}\n", entry.path));
    }
    Entry { path: update::LISTING.into(), bytes: text.into_bytes() }
}

/// Its signature, checked by the public key that is in the binary.
pub fn signature(listing: &Entry, key: &Path) -> Result<Entry> {
    let secret = secret(key)?;
    let text = with(&secret, &listing.bytes)?;
    update::verify(&listing.bytes, &text, update::PUBLIC_KEY)
        .map_err(|e| format!("{} does not belong to {PUBLIC}: {e}", key.display()))?;
    Ok(Entry { path: update::SIGNATURE.into(), bytes: text.into_bytes() })
}

fn with(secret: &SecretKey, listing: &[u8]) -> Result<String> {
    let public = PublicKey::from_secret_key(secret).map_err(|e| e.to_string())?;
    let comment = format!("mi360d {}", env!("CARGO_PKG_VERSION"));
    minisign::sign(Some(&public), secret, Cursor::new(listing), Some(&comment), None)
        .map(minisign::SignatureBox::into_string)
        .map_err(|e| e.to_string())
}

/// The secret key of a file; asks for its password where it has one.
fn secret(path: &Path) -> Result<SecretKey> {
    let failed = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
    let text = String::from_utf8(layout::read(path)?).map_err(|e| failed(&e))?;
    let boxed = || SecretKeyBox::from_string(&text).map_err(|e| failed(&e));
    boxed()?
        .into_unencrypted_secret_key()
        .or_else(|_| boxed()?.into_secret_key(None).map_err(|e| failed(&e)))
}

/// Makes the maker's key: the secret half in a new file, the public one in the repository.
pub fn new_key(repo: &Path, path: &Path) -> Result<()> {
    let failed = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
    println!("A password keeps the key safe where its file is not.");
    let KeyPair { pk, sk } = KeyPair::generate_encrypted_keypair(None).map_err(|e| failed(&e))?;
    let text = sk.to_box(Some("mi360d's secret key")).map_err(|e| failed(&e))?.into_string();
    // Never over another key: what it signed could not be signed again.
    let mut options = fs::OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|e| failed(&e))?;
    let public = repo.join(PUBLIC);
    let text = pk.to_box().map_err(|e| failed(&e))?.into_string();
    fs::write(&public, text).map_err(|e| format!("{}: {e}", public.display()))?;
    println!("{}: keep it, and never in the repository\n{PUBLIC}: commit it", path.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_maker_signed_is_known_by_the_camera_and_nothing_else_is() {
        let entry = |path: &str| Entry { path: path.into(), bytes: path.into() };
        let all = ["manu_test/entrypoint.sh", "manu_test/manu.sh", "mi360d/mi360d"].map(entry);
        let list = listing(&all);
        assert_eq!(update::parse(&list.bytes).unwrap().files.len(), 3);
        let (ours, other) = (
            KeyPair::generate_unencrypted_keypair().unwrap(),
            KeyPair::generate_unencrypted_keypair().unwrap(),
        );
        let key = |pair: &KeyPair| pair.pk.to_box().unwrap().into_string();
        let signed = with(&ours.sk, &list.bytes).unwrap();
        let comment = update::verify(&list.bytes, &signed, &key(&ours)).unwrap();
        assert_eq!(comment, format!("mi360d {}", env!("CARGO_PKG_VERSION")));
        update::verify(&list.bytes, &signed, &key(&other)).unwrap_err();
        update::verify(&list.bytes, &signed, update::PUBLIC_KEY).unwrap_err();
        let mut altered = list.bytes.clone();
        altered[20] ^= 1;
        update::verify(&altered, &signed, &key(&ours)).unwrap_err();
        let other_comment = signed.replace("comment: mi360d", "comment: mi361d");
        update::verify(&list.bytes, &other_comment, &key(&ours)).unwrap_err();
        for cut in 0..signed.len() - 1 {
            if signed.is_char_boundary(cut) {
                update::verify(&list.bytes, &signed[..cut], &key(&ours)).unwrap_err();
            }
        }
    }
}
