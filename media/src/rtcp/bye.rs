//! The goodbye (RFC 3550 §6.6).

use super::{Packet, packet_type, write_packet};

/// Appends a BYE of one source, without a reason.
pub fn write_bye(into: &mut Vec<u8>, ssrc: u32) {
    write_packet(into, 1, packet_type::BYE, |into| into.extend_from_slice(&ssrc.to_be_bytes()));
}

/// The sources that say goodbye.
pub fn read_bye<'a>(packet: &Packet<'a>) -> impl Iterator<Item = u32> + use<'a> {
    let count = if packet.packet_type == packet_type::BYE { packet.count } else { 0 };
    let (words, _) = packet.body.as_chunks::<4>();
    words.iter().take(usize::from(count)).map(|word| u32::from_be_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bye_names_its_source_and_no_more_than_it_holds() {
        let mut bytes = Vec::new();
        write_bye(&mut bytes, 77);
        let packet = super::super::packets(&bytes).next().unwrap();
        assert_eq!(read_bye(&packet).collect::<Vec<_>>(), [77]);
        assert_eq!(read_bye(&Packet { count: 31, ..packet }).count(), 1);
    }
}
