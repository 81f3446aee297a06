//! Datagrams of an endpoint: its descriptor, a message, or a frame, which is copied out of its
//! file, checked, and handed on. Frames that cannot be used end the connection.

use super::copied::whole;
use super::endpoint::{EndpointKind, EndpointState, Event, Sink};
use super::error::FrameError;
use super::payload;
use super::reader::Reader;
use super::slot::Phase;
use super::wire::{self, Datagram, LONGEST};
use crate::sys::received::Received;

/// Faulty frames in a row before a stream that was understood is given up.
const PATIENCE: u32 = 16;
/// Bytes of the buffer that are kept from frame to frame.
const ROOM: usize = 128 * 1024;

impl Reader {
    /// One datagram. An error ends the connection.
    pub(super) fn take(
        &mut self,
        index: usize,
        received: Received,
        sink: Sink<'_>,
    ) -> Result<(), FrameError> {
        let Some(slot) = self.slots.get_mut(index) else { return Ok(()) };
        let bytes = self.datagram.get(..received.length).unwrap_or_default();
        let text = bytes.starts_with(&wire::TEXT_HEAD);
        if received.cut && !text {
            return Err(FrameError::Long(LONGEST));
        }
        let datagram = wire::datagram(bytes)?;
        match (datagram, &slot.phase) {
            (Datagram::Descriptor { path, .. }, Phase::Handshake(_)) => {
                wire::check_path(path, &slot.endpoint.folder)?;
                slot.phase = match std::mem::take(&mut slot.phase) {
                    Phase::Handshake(link) => Phase::Streaming(link),
                    other => other,
                };
                self.key_wanted |= slot.endpoint.kind == EndpointKind::Picture;
                self.set_state(index, EndpointState::Connected, sink);
                Ok(())
            }
            (Datagram::Text(_), Phase::Handshake(_)) => Err(FrameError::First(0)),
            (Datagram::Frame { .. }, Phase::Handshake(_)) => Err(FrameError::First(2)),
            (Datagram::Descriptor { .. }, _) => Err(FrameError::Second),
            (Datagram::Text(text), _) => {
                if slot.endpoint.kind == EndpointKind::Messages {
                    sink(index, Event::Message(text));
                }
                Ok(())
            }
            (Datagram::Frame { sequence, map_length }, _) => {
                let counted = slot.sequence.wrapping_add(1) == sequence;
                slot.sequence = sequence;
                // What comes first follows nothing.
                slot.lost |= !counted && slot.number.is_some();
                match self.frame(index, map_length, received, sink) {
                    Ok(()) => Ok(()),
                    Err(fault) => self.faulty(index, fault),
                }
            }
        }
    }

    /// A frame that cannot be used: before the first good one it ends the connection.
    fn faulty(&mut self, index: usize, fault: FrameError) -> Result<(), FrameError> {
        let Some(slot) = self.slots.get_mut(index) else { return Ok(()) };
        let folder = slot.endpoint.folder.display();
        if fault == FrameError::NoRoom {
            // Our own fault: only this frame is lost.
            if !slot.lost {
                log::warn!("{folder}: {fault}");
            }
            slot.lost = true;
            return Ok(());
        }
        slot.faults += 1;
        if slot.state != EndpointState::Live || slot.faults >= PATIENCE {
            return Err(fault);
        }
        if slot.faults == 1 {
            log::warn!("{folder}: a frame was dropped: {fault}");
        }
        slot.lost = true;
        self.key_wanted = true;
        Ok(())
    }

    /// Copies a frame out of its file and hands it on.
    fn frame(
        &mut self,
        index: usize,
        map_length: u32,
        received: Received,
        sink: Sink<'_>,
    ) -> Result<(), FrameError> {
        let Some(slot) = self.slots.get_mut(index) else { return Ok(()) };
        if slot.endpoint.kind == EndpointKind::Speaker {
            // It has nothing to say; what came with it is closed.
            return Ok(());
        }
        let content = whole(received, map_length, &mut self.buffer)?;
        let payload = match slot.endpoint.kind {
            EndpointKind::Picture => payload::picture(content)?,
            EndpointKind::Sound => payload::sound(content)?,
            EndpointKind::Jpeg => payload::jpeg(content)?,
            // They send none that is known; what it is does not matter.
            EndpointKind::Speaker | EndpointKind::Messages => return Ok(()),
        };
        slot.faults = 0;
        if slot.endpoint.kind != EndpointKind::Jpeg {
            slot.lost |= slot.number.is_some_and(|last| last.wrapping_add(1) != payload.number);
        }
        slot.number = Some(payload.number);
        let lost = std::mem::take(&mut slot.lost);
        self.key_wanted |= lost && slot.endpoint.kind == EndpointKind::Picture;
        if slot.state != EndpointState::Live {
            slot.state = EndpointState::Live;
            sink(index, Event::State(&slot.state));
        }
        sink(index, Event::Frame { payload, lost });
        if self.buffer.len() > ROOM {
            self.buffer.truncate(ROOM);
            self.buffer.shrink_to_fit();
        }
        Ok(())
    }
}
