//! The stream that tungstenite sees: bytes that have arrived, and bytes to send.

use std::io::{self, Read, Write};
use std::vec::Vec;

use tungstenite::protocol::WebSocketConfig;

/// Tungstenite's read buffer, unless the caller sets it: it reads from memory, and only fills this buffer from there. Its default
/// of 128 KiB would be set to zero before each read, which costs more than the rest of a heartbeat.
const READ_BUFFER: usize = 4 * 1024;
/// An empty buffer larger than this is freed, so that an idle connection needs little memory.
const KEPT: usize = 4 * 1024;

/// Bytes in order. Those before `start` were taken.
#[derive(Debug, Default)]
pub(super) struct Queue {
    bytes: Vec<u8>,
    start: usize,
}

impl Queue {
    pub(super) fn as_slice(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len().saturating_sub(self.start)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn extend(&mut self, bytes: &[u8]) {
        // Removes taken bytes when they are the larger part. So each byte moves at most once on average.
        if self.start > self.bytes.len() / 2 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn consume(&mut self, count: usize) {
        self.start = self.start.saturating_add(count);
        if self.start >= self.bytes.len() {
            self.start = 0;
            self.bytes.clear();
            self.bytes.shrink_to(KEPT);
        }
    }
}

/// Tungstenite's settings for a pipe.
pub(super) fn settings(given: Option<WebSocketConfig>) -> WebSocketConfig {
    given.unwrap_or_else(|| WebSocketConfig::default().read_buffer_size(READ_BUFFER))
}

/// Both directions of a connection, as tungstenite's stream.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    pub(super) input: Queue,
    pub(super) output: Queue,
    /// What follows the last byte of the input.
    pub(super) end: Option<End>,
}

/// How the input ends.
#[derive(Debug)]
pub(super) enum End {
    Eof,
    Failed(io::Error),
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.input.is_empty() {
            let count = self.input.as_slice().read(buffer)?;
            self.input.consume(count);
            return Ok(count);
        }
        match self.end.take() {
            None => Err(io::ErrorKind::WouldBlock.into()),
            Some(End::Eof) => {
                self.end = Some(End::Eof);
                Ok(0)
            }
            Some(End::Failed(error)) => {
                self.end = Some(End::Eof);
                Err(error)
            }
        }
    }
}

impl Write for Pipe {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.output.extend(buffer);
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_read_buffer_is_small_unless_the_caller_sets_it() {
        let theirs = WebSocketConfig::default();
        assert_eq!(settings(None).read_buffer_size, READ_BUFFER);
        assert_eq!(settings(None).max_message_size, theirs.max_message_size);
        assert_eq!(settings(Some(theirs)).read_buffer_size, theirs.read_buffer_size);
    }
}
