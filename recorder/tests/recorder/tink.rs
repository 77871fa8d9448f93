//! Google's own Tink, in Python, reads what this engine writes, and the other way round.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base::RecordingId;
use recorder::aead::{HEADER_BYTES, Header, Layout, Reader, SEGMENT_BYTES, Writer};
use recorder::keys::{DataKey, stream_binding};
use recorder::{ObjectStore, ObjectStoreConfig};

use crate::stage::{Stage, channels, folder, tenant};

/// Reads or writes one stream: argv is mode, key, associated data (both hexadecimal), segment
/// size; the stream or plaintext comes on standard input and goes to standard output.
const PROGRAM: &str = r#"
import base64, io, json, sys
import tink
from tink import cleartext_keyset_handle, streaming_aead

def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])

mode, key, binding, segment = sys.argv[1], *map(bytes.fromhex, sys.argv[2:4]), int(sys.argv[4])
# AesGcmHkdfStreamingKey: params (segment size, derived key size, SHA256), key value.
params = b"\x08" + varint(segment) + b"\x10\x20\x18\x03"
value = b"\x12" + varint(len(params)) + params + b"\x1a" + varint(len(key)) + key
keyset = {"primaryKeyId": 1, "key": [{
    "keyData": {"typeUrl": "type.googleapis.com/google.crypto.tink.AesGcmHkdfStreamingKey",
                "value": base64.b64encode(value).decode(), "keyMaterialType": "SYMMETRIC"},
    "status": "ENABLED", "keyId": 1, "outputPrefixType": "RAW"}]}
streaming_aead.register()
handle = cleartext_keyset_handle.read(tink.JsonKeysetReader(json.dumps(keyset)))
primitive = handle.primitive(streaming_aead.StreamingAead)
source = sys.stdin.buffer.read()
if mode == "read":
    with primitive.new_decrypting_stream(io.BytesIO(source), binding) as stream:
        result = stream.read()
else:
    target = io.BytesIO()
    target.close = lambda: None
    with primitive.new_encrypting_stream(target, binding) as stream:
        stream.write(source)
    result = target.getvalue()
sys.stdout.buffer.write(result)
"#;

/// A Python that has Tink: the one that the set-up made, else the system's.
fn python() -> PathBuf {
    let made = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/test-python/bin/python3");
    for candidate in [made, PathBuf::from("python3")] {
        let import = Command::new(&candidate).args(["-c", "import tink"]).output();
        if import.is_ok_and(|output| output.status.success()) {
            return candidate;
        }
    }
    panic!("no Python with Tink: run `scripts/install test`, or `pip install tink==1.16.1`");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn tink(
    mode: &str,
    key: &DataKey,
    binding: &[u8],
    segment: u32,
    input: &[u8],
) -> Result<Vec<u8>, String> {
    let mut child = Command::new(python())
        .args(["-c", PROGRAM, mode, &hex(key.as_bytes()), &hex(binding), &segment.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let feeder = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    let _ = feeder.join();
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

fn text(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n % 251) as u8).collect()
}

#[test]
fn tink_reads_what_we_write_at_every_edge_of_a_segment() {
    let key = DataKey::from_bytes([3; 32]);
    for length in [0, 1, 199, 200, 201, 440, 441, 5000] {
        let mut stream = Vec::new();
        let header = Header::from_random([length as u8; 39]);
        let mut writer = Writer::new(&key, b"bound", 256, header, &mut stream).unwrap();
        writer.write(&text(length), &mut stream).unwrap();
        writer.finish(&mut stream).unwrap();
        assert_eq!(tink("read", &key, b"bound", 256, &stream), Ok(text(length)), "{length}");
        if length == 5000 {
            assert!(tink("read", &key, b"other", 256, &stream).is_err());
            assert!(tink("read", &key, b"bound", 256, &stream[..1024]).is_err());
        }
    }
}

#[test]
fn we_read_what_tink_writes() {
    let key = DataKey::from_bytes([4; 32]);
    for length in [1, 200, 201, 5000] {
        let mut stream = tink("write", &key, b"bound", 256, &text(length)).unwrap();
        let layout = Layout::new(256, stream.len() as u64).unwrap();
        assert_eq!(layout.plaintext_bytes(), length as u64);
        let (header, segments) = stream.split_at_mut(HEADER_BYTES);
        let reader = Reader::new(&key, b"bound", header).unwrap();
        let all = 0..length as u64;
        assert_eq!(reader.read(&layout, &all, segments).unwrap(), text(length), "{length}");
    }
}

#[tokio::test]
async fn tink_decrypts_a_recording_from_the_store_to_its_wav_file() {
    let root = folder("tink");
    let path = root.join("archive");
    let store = ObjectStore::open(&ObjectStoreConfig::Folder { path, prefix: String::new() });
    let mut stage = Stage::start(&root, store.unwrap(), |_| ());
    let acme = tenant("acme");
    stage.begin(&acme, 1).await;
    stage.speak(1, 0, 150).await;
    stage.end(1).await;
    let finished = stage.finished().await;
    let object = fs::read(finished.location.strip_prefix("file://").unwrap()).unwrap();
    let one = RecordingId::from_u128(1);
    let key = stage.keys.unwrap(&acme, one, &finished.wrapped_key).unwrap();
    let binding = stream_binding(&acme, one);
    let mut wav = tink("read", &key, &binding, SEGMENT_BYTES, &object).unwrap();
    assert_eq!(wav[40..44], [0xff; 4], "a stream's header does not know its length");
    recorder::wav::correct(&mut wav, 0, finished.wav_bytes);
    let (left, right) = channels(&wav);
    assert_eq!((left.len(), right.len()), (24_000, 24_000));
    let other = stream_binding(&acme, RecordingId::from_u128(2));
    assert!(tink("read", &key, &other, SEGMENT_BYTES, &object).is_err());
}
