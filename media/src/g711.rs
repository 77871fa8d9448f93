//! G.711 by table: both laws to and from 16-bit linear, and from one law to the other.
//!
//! The values are those of ITU-T G.711 as the reference code of G.191 spells them, computed at
//! compile time; between the laws, its tables 3 and 4. Linear samples are 16 bits wide; µ-law
//! uses the upper 14 of them, A-law 13.

/// A companding law.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum G711 {
    /// µ-law: North America, Japan.
    Pcmu,
    /// A-law: everywhere else.
    Pcma,
}

impl G711 {
    /// A code as a linear sample.
    #[must_use]
    pub const fn decode(self, code: u8) -> i16 {
        match self {
            Self::Pcmu => ULAW_TO_LINEAR[code as usize],
            Self::Pcma => ALAW_TO_LINEAR[code as usize],
        }
    }

    /// A linear sample as a code.
    #[must_use]
    pub const fn encode(self, sample: i16) -> u8 {
        // Moving the range up by 0x8000 makes an index of the two's complement.
        let index = (sample as u16 ^ 0x8000) as usize;
        match self {
            Self::Pcmu => LINEAR_TO_ULAW[index >> 2],
            Self::Pcma => LINEAR_TO_ALAW[index >> 4],
        }
    }

    /// Codes as linear samples, as many as there are of both.
    pub fn decode_all(self, codes: &[u8], samples: &mut [i16]) {
        let table = match self {
            Self::Pcmu => &ULAW_TO_LINEAR,
            Self::Pcma => &ALAW_TO_LINEAR,
        };
        for (sample, code) in samples.iter_mut().zip(codes) {
            *sample = table[usize::from(*code)];
        }
    }

    /// Appends linear samples as codes.
    pub fn encode_all(self, samples: &[i16], codes: &mut Vec<u8>) {
        let index = |sample: &i16| usize::from(sample.cast_unsigned() ^ 0x8000);
        match self {
            Self::Pcmu => codes.extend(samples.iter().map(|s| LINEAR_TO_ULAW[index(s) >> 2])),
            Self::Pcma => codes.extend(samples.iter().map(|s| LINEAR_TO_ALAW[index(s) >> 4])),
        }
    }

    /// The code of silence.
    #[must_use]
    pub const fn silence(self) -> u8 {
        match self {
            Self::Pcmu => 0xff,
            Self::Pcma => 0xd5,
        }
    }

    /// Rewrites codes of this law as codes of `to`, in place.
    pub fn transcode(self, to: Self, codes: &mut [u8]) {
        let table = match (self, to) {
            (Self::Pcmu, Self::Pcma) => &ULAW_TO_ALAW,
            (Self::Pcma, Self::Pcmu) => &ALAW_TO_ULAW,
            _ => return,
        };
        for code in codes {
            *code = table[usize::from(*code)];
        }
    }
}

static ULAW_TO_LINEAR: [i16; 256] = {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = ulaw_expand(code as u8);
        code += 1;
    }
    table
};

static ALAW_TO_LINEAR: [i16; 256] = {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = alaw_expand(code as u8);
        code += 1;
    }
    table
};

static LINEAR_TO_ULAW: [u8; 1 << 14] = {
    let mut table = [0; 1 << 14];
    let mut index: usize = 0;
    while index < table.len() {
        table[index] = ulaw_compress(((index << 2) as u16 ^ 0x8000).cast_signed());
        index += 1;
    }
    table
};

static LINEAR_TO_ALAW: [u8; 1 << 12] = {
    let mut table = [0; 1 << 12];
    let mut index: usize = 0;
    while index < table.len() {
        table[index] = alaw_compress(((index << 4) as u16 ^ 0x8000).cast_signed());
        index += 1;
    }
    table
};

static ULAW_TO_ALAW: [u8; 256] = {
    let mut table = [0; 256];
    let mut code: usize = 0;
    while code < 256 {
        // A value's number counts from 1 at zero upwards; the sign bit is 1 for positive values.
        let number = ((code as u8 & 0x7f) ^ 0x7f) + 1;
        let sign = code as u8 & 0x80;
        table[code] = ((alaw_number(number) - 1) | sign) ^ 0x55;
        code += 1;
    }
    table
};

static ALAW_TO_ULAW: [u8; 256] = {
    let mut table = [0; 256];
    let mut code: usize = 0;
    while code < 256 {
        let number = ((code as u8 ^ 0x55) & 0x7f) + 1;
        let sign = code as u8 & 0x80;
        table[code] = ((ulaw_number(number) - 1) ^ 0x7f) | sign;
        code += 1;
    }
    table
};

/// The number of the A-law value for the number of a µ-law value, 1 to 128 (G.711 table 3).
const fn alaw_number(ulaw: u8) -> u8 {
    match ulaw {
        ..=16 => ulaw.div_ceil(2),
        17..=33 => ulaw - 8,
        34..=36 => 2 * ulaw - 41,
        37..=48 => ulaw - 4,
        49 => 46,
        50..=64 => ulaw - 2,
        65..=81 => ulaw - 1,
        82.. => ulaw,
    }
}

/// The number of the µ-law value for the number of an A-law value, 1 to 128 (G.711 table 4).
const fn ulaw_number(alaw: u8) -> u8 {
    match alaw {
        ..=8 => 2 * alaw,
        9..=24 => alaw + 8,
        25..=32 => 33 + (alaw - 25) / 2,
        33..=44 => alaw + 4,
        45..=48 => 49 + (alaw - 45) / 2,
        49..=62 => alaw + 2,
        63..=64 => 65,
        65..=80 => alaw + 1,
        81.. => alaw,
    }
}

const fn ulaw_expand(code: u8) -> i16 {
    let inverted = !code;
    let exponent = (inverted >> 4) & 7;
    let mantissa = (inverted & 0x0f) as i16;
    let step = 8_i16 << exponent;
    let magnitude = (0x80_i16 << exponent) + step * mantissa + step / 2 - 4 * 33;
    if code < 0x80 { -magnitude } else { magnitude }
}

const fn ulaw_compress(sample: i16) -> u8 {
    let magnitude = if sample < 0 { !sample } else { sample } as u16 >> 2;
    let biased = if magnitude + 33 > 0x1fff { 0x1fff } else { magnitude + 33 };
    let mut segment = 1;
    let mut rest = biased >> 6;
    while rest != 0 {
        segment += 1;
        rest >>= 1;
    }
    let low = 0x0f - ((biased >> segment) & 0x0f) as u8;
    let code = ((8 - segment) << 4) | low;
    if sample >= 0 { code | 0x80 } else { code }
}

const fn alaw_expand(code: u8) -> i16 {
    let bits = (code ^ 0x55) & 0x7f;
    let exponent = bits >> 4;
    let mut magnitude = (bits & 0x0f) as i16;
    if exponent > 0 {
        magnitude += 16;
    }
    magnitude = (magnitude << 4) + 8;
    if exponent > 1 {
        magnitude <<= exponent - 1;
    }
    if code & 0x80 != 0 { magnitude } else { -magnitude }
}

const fn alaw_compress(sample: i16) -> u8 {
    let mut bits = (if sample < 0 { !sample } else { sample } >> 4) as u16;
    if bits > 15 {
        let mut exponent = 1;
        while bits > 31 {
            bits >>= 1;
            exponent += 1;
        }
        bits = (bits - 16) + (exponent << 4);
    }
    let code = if sample >= 0 { bits as u8 | 0x80 } else { bits as u8 };
    code ^ 0x55
}
