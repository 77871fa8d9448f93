//! A call to a phone that answers by itself and sends back what it plays, as 16-bit samples (L16,
//! RFC 3551 §4.5.11), so that no second codec is heard.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use media::rtp;

use crate::journey::{Packet, RATE};

/// Calls, sends the packets at their times, and gives what came back.
pub(crate) fn call(
    phone: SocketAddr,
    packets: &[Packet],
    seconds: f64,
) -> Result<Vec<i16>, String> {
    let error = |what: &str| format!("{phone}: {what}");
    let sip = UdpSocket::bind("127.0.0.1:0").map_err(|e| error(&e.to_string()))?;
    let audio = UdpSocket::bind("127.0.0.1:0").map_err(|e| error(&e.to_string()))?;
    let [at, audio_at] = [&sip, &audio].map(|socket| socket.local_addr());
    let (at, audio_at) = (at.map_err(|e| e.to_string())?, audio_at.map_err(|e| e.to_string())?);
    let ids = Ids { phone, at, call: format!("quality-{}", at.port()) };
    let offer = format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
         m=audio {} RTP/AVP 96 0\r\na=rtpmap:96 L16/8000\r\na=rtpmap:0 PCMU/8000\r\n\
         a=ptime:20\r\na=sendrecv\r\n",
        audio_at.port()
    );
    let invite = ids.request("INVITE", 1, "", &offer);
    let answer = ids.ask(&sip, &invite).ok_or_else(|| error("no answer"))?;
    let port = answer
        .lines()
        .find_map(|line| line.strip_prefix("m=audio ")?.split(' ').next()?.parse().ok())
        .ok_or_else(|| error("no audio in its answer"))?;
    let tag = answer
        .lines()
        .find_map(|line| line.strip_prefix("To:")?.split(";tag=").nth(1))
        .unwrap_or_default()
        .trim()
        .to_owned();
    let _ = sip.send_to(ids.request("ACK", 1, &tag, "").as_bytes(), phone);
    let heard = talk(&audio, SocketAddr::new(phone.ip(), port), packets, seconds);
    let _ = ids.ask(&sip, &ids.request("BYE", 2, &tag, ""));
    heard.map_err(|e| error(&e.to_string()))
}

struct Ids {
    phone: SocketAddr,
    at: SocketAddr,
    call: String,
}

impl Ids {
    fn request(&self, method: &str, number: u32, tag: &str, body: &str) -> String {
        let Self { phone, at, call } = self;
        let to = if tag.is_empty() { String::new() } else { format!(";tag={tag}") };
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        format!(
            "{method} sip:phone@{phone} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {at};branch=z9hG4bK-{method}-{number}-{call};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:quality@{at}>;tag=q1\r\nTo: <sip:phone@{phone}>{to}\r\n\
             Call-ID: {call}\r\nCSeq: {number} {method}\r\nContact: <sip:quality@{at}>\r\n\
             {kind}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    /// Sends a request until its final answer comes; `None` unless that is a 200.
    fn ask(&self, sip: &UdpSocket, request: &str) -> Option<String> {
        sip.set_read_timeout(Some(Duration::from_millis(500))).ok()?;
        let method = request.split(' ').next()?;
        let mut buffer = [0; 4096];
        for _ in 0..20 {
            sip.send_to(request.as_bytes(), self.phone).ok()?;
            while let Ok((length, _)) = sip.recv_from(&mut buffer) {
                let text = String::from_utf8_lossy(buffer.get(..length)?).into_owned();
                let of_it = text.contains(&format!(" {method}\r\n"));
                if of_it && text.starts_with("SIP/2.0 200") {
                    return Some(text);
                }
                if of_it && !text.starts_with("SIP/2.0 1") {
                    return None;
                }
            }
        }
        None
    }
}

/// Sends the packets, and puts what comes back in the order of its time.
fn talk(
    audio: &UdpSocket,
    to: SocketAddr,
    packets: &[Packet],
    seconds: f64,
) -> std::io::Result<Vec<i16>> {
    let mut packets = packets.to_vec();
    packets.sort_by_key(|packet| packet.at);
    let mut packets = packets.into_iter().peekable();
    audio.set_read_timeout(Some(Duration::from_micros(500)))?;
    let mut heard = vec![0_i16; (seconds * f64::from(RATE.hz())) as usize];
    let (mut first, mut buffer) = (None, [0; 2048]);
    let start = Instant::now();
    while start.elapsed().as_secs_f64() < seconds {
        while let Some(packet) = packets.next_if(|packet| packet.at <= start.elapsed()) {
            let mut bytes = packet.header.to_bytes().to_vec();
            bytes.extend_from_slice(&packet.payload);
            audio.send_to(&bytes, to)?;
        }
        let Ok((length, _)) = audio.recv_from(&mut buffer) else { continue };
        let Some(packet) = buffer.get(..length) else { continue };
        let Some(parsed) = rtp::parse(packet).filter(|p| p.header.payload_type == 96) else {
            continue;
        };
        let begin = *first.get_or_insert(parsed.header.timestamp);
        let at = parsed.header.timestamp.wrapping_sub(begin) as usize;
        let body = packet.get(parsed.payload_start..parsed.payload_end).unwrap_or_default();
        let (samples, _) = body.as_chunks::<2>();
        for (to, sample) in heard.iter_mut().skip(at).zip(samples) {
            *to = i16::from_be_bytes(*sample);
        }
    }
    Ok(heard)
}
