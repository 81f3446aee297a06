//! The names by which this camera is found on its network.

use super::Camera;
use crate::base::host;

/// The camera's name: as set, or `mi360-` and the end of its WiFi's address.
pub fn host_name(camera: &Camera) -> String {
    let set = camera.state().settings.config.camera.name.clone();
    set.map_or_else(name_of_its_own, |name| name.0)
}

/// The single labels by which a router may know this camera: the name that we announce, and the
/// system's own, which a DHCP client tells.
pub fn names(camera: &Camera) -> Vec<String> {
    let mut names = vec![host_name(camera)];
    let system = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    let label = system.as_deref().and_then(|name| name.split('.').next());
    names.extend(label.filter(|label| !label.is_empty()).map(str::to_owned));
    names
}

fn name_of_its_own() -> String {
    let mac = host::wifi_mac().unwrap_or_default();
    let digits: String = mac.chars().filter(char::is_ascii_hexdigit).collect();
    match digits.get(8..12) {
        Some(end) => format!("mi360-{end}"),
        None => "mi360".to_owned(),
    }
}
