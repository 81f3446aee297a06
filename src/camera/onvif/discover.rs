//! Answers to searches for cameras on the network (WS-Discovery).

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::facts::has_motors;
use super::is_on;
use crate::base::host;
use crate::camera::{Camera, host_name};
use crate::network::mdns::{only_v4, open};
use crate::onvif::discovery::{self, Ourselves};

/// Where WS-Discovery is spoken.
const GROUP: Ipv4Addr = Ipv4Addr::new(239, 255, 255, 250);
/// How often it is looked whether it is to be answered.
const LOOK: Duration = Duration::from_secs(10);
/// Answers in one second.
const EACH_SECOND: u32 = 20;

/// Answers WS-Discovery forever, while ONVIF is on and the page can be reached from outside.
pub fn answer(camera: &Arc<Camera>) {
    loop {
        if let Some(us) = ourselves(camera)
            && let Err(e) = serve(camera, us)
        {
            log::debug!("WS-Discovery: {e}");
        }
        std::thread::sleep(LOOK);
    }
}

fn ourselves(camera: &Camera) -> Option<Ourselves> {
    let (port, instance) = {
        let state = camera.state();
        let listen = state.listen.filter(|address| !address.ip().is_loopback())?;
        (listen.port(), state.boot_count.max(1))
    };
    is_on(camera).then_some(())?;
    let addresses = only_v4(&host::addresses());
    let name = host_name::host_name(camera);
    let judgement = camera.state().vaulted.as_ref().map(|v| v.judgement.clone());
    (!addresses.is_empty()).then(|| Ourselves {
        unique: format!("mi360d {} {port}", host::wifi_mac().unwrap_or_else(|| name.clone())),
        name,
        model: judgement.map_or_else(|| "unknown".to_owned(), |j| camera.model(&j)),
        bases: addresses.iter().map(|address| format!("http://{address}:{port}")).collect(),
        ptz: has_motors(camera),
        instance,
    })
}

/// Until something of it changes.
fn serve(camera: &Camera, us: Ourselves) -> std::io::Result<()> {
    let socket = open(GROUP, discovery::PORT, 1)?;
    for address in only_v4(&host::addresses()) {
        // Joined already is as good.
        let _ = socket.join_multicast_v4(&GROUP, &address);
    }
    let to_all = SocketAddr::V4(SocketAddrV4::new(GROUP, discovery::PORT));
    // Without a route there is nobody to tell.
    let _ = socket.send_to(discovery::hello(&us, 1).as_bytes(), to_all);
    socket.set_read_timeout(Some(LOOK))?;
    let mut buffer = vec![0; discovery::LONGEST];
    let (mut looked, mut number) = (Instant::now(), 1);
    let mut budget = (Instant::now(), 0);
    loop {
        if looked.elapsed() >= LOOK {
            looked = Instant::now();
            if ourselves(camera).as_ref() != Some(&us) {
                return Ok(());
            }
        }
        let (length, from) = match socket.recv_from(&mut buffer) {
            Ok(got) => got,
            Err(e)
                if matches!(
                    e.kind(),
                    std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                ) =>
            {
                continue;
            }
            Err(e) => return Err(e),
        };
        if budget.0.elapsed() >= Duration::from_secs(1) {
            budget = (Instant::now(), 0);
        }
        budget.1 += 1;
        if budget.1 > EACH_SECOND {
            continue;
        }
        if let Some(answer) = discovery::reply(&us, &buffer[..length], number + 1) {
            number += 1;
            let _ = socket.send_to(answer.as_bytes(), from);
        }
    }
}
