//! Well-formed frames, so that a fuzzer gets past their headers. The mask is zero, because no receiver can tell.

pub fn frame(opcode: u8, fin: bool, masked: bool, payload: &[u8]) -> Vec<u8> {
    let payload = &payload[..payload.len().min(125)];
    let mut frame = vec![opcode & 0x0f | u8::from(fin) << 7, payload.len() as u8 | u8::from(masked) << 7];
    if masked {
        frame.extend([0; 4]);
    }
    frame.extend(payload);
    frame
}

/// A heartbeat in a text message.
pub fn text_heartbeat(masked: bool, pong: bool, digits: u64) -> Vec<u8> {
    let text = format!("{} {digits:016x}", if pong { "pong" } else { "ping" });
    frame(1, true, masked, text.as_bytes())
}
