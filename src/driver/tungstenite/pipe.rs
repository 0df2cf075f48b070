//! The stream that tungstenite sees: bytes that have arrived, and bytes to send.

use std::io::{self, Read, Write};
use std::vec::Vec;

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
