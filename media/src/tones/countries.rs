//! The tones of each country's networks, after ITU-T E.180 supplement 2 (Various tones used in
//! national networks). Where a country knows several, the commonest stands here.

use super::{Cadence, Network, tone};

/// What E.180 recommends where nothing else is agreed: 425 Hz.
pub(super) const RECOMMENDED: Network = Network {
    dial: &[tone(425, 0, 2000)],
    ringing: FOUR_OF_FIVE,
    busy: HALVES,
    congestion: QUARTERS,
    call_waiting: &[tone(425, 0, 200), tone(0, 0, 200), tone(425, 0, 200), tone(0, 0, 5000)],
};

const FOUR_OF_FIVE: Cadence = &[tone(425, 0, 1000), tone(0, 0, 4000)];
const HALVES: Cadence = &[tone(425, 0, 500), tone(0, 0, 500)];
const QUARTERS: Cadence = &[tone(425, 0, 250), tone(0, 0, 250)];
const FIFTHS: Cadence = &[tone(425, 0, 200), tone(0, 0, 200)];

const NORTH_AMERICA: Network = Network {
    dial: &[tone(350, 440, 2000)],
    ringing: &[tone(440, 480, 2000), tone(0, 0, 4000)],
    busy: &[tone(480, 620, 500), tone(0, 0, 500)],
    congestion: &[tone(480, 620, 250), tone(0, 0, 250)],
    call_waiting: &[tone(440, 0, 300), tone(0, 0, 10_000)],
};

const BRITAIN: Network = Network {
    dial: &[tone(350, 440, 2000)],
    ringing: &[tone(400, 450, 400), tone(0, 0, 200), tone(400, 450, 400), tone(0, 0, 2000)],
    busy: &[tone(400, 0, 375), tone(0, 0, 375)],
    congestion: &[tone(400, 0, 400), tone(0, 0, 350), tone(400, 0, 225), tone(0, 0, 525)],
    call_waiting: &[tone(400, 0, 100), tone(0, 0, 2000)],
};

const GERMANY: Network = Network {
    dial: &[tone(425, 0, 2000)],
    ringing: FOUR_OF_FIVE,
    busy: &[tone(425, 0, 480), tone(0, 0, 480)],
    congestion: &[tone(425, 0, 240), tone(0, 0, 240)],
    call_waiting: RECOMMENDED.call_waiting,
};

const AUSTRIA: Network = Network {
    dial: &[tone(420, 0, 2000)],
    ringing: &[tone(420, 0, 1000), tone(0, 0, 5000)],
    busy: &[tone(420, 0, 400), tone(0, 0, 400)],
    congestion: &[tone(420, 0, 200), tone(0, 0, 200)],
    call_waiting: &[tone(420, 0, 40), tone(0, 0, 1950)],
};

const SWITZERLAND: Network = Network {
    congestion: FIFTHS,
    call_waiting: &[tone(425, 0, 200), tone(0, 0, 200), tone(425, 0, 200), tone(0, 0, 4000)],
    ..RECOMMENDED
};

const FRANCE: Network = Network {
    dial: &[tone(440, 0, 2000)],
    ringing: &[tone(440, 0, 1500), tone(0, 0, 3500)],
    busy: &[tone(440, 0, 500), tone(0, 0, 500)],
    congestion: &[tone(440, 0, 250), tone(0, 0, 250)],
    call_waiting: &[tone(440, 0, 300), tone(0, 0, 10_000)],
};

const SPAIN: Network = Network {
    ringing: &[tone(425, 0, 1500), tone(0, 0, 3000)],
    busy: FIFTHS,
    congestion: &[
        tone(425, 0, 200),
        tone(0, 0, 200),
        tone(425, 0, 200),
        tone(0, 0, 200),
        tone(425, 0, 200),
        tone(0, 0, 600),
    ],
    call_waiting: &[tone(425, 0, 175), tone(0, 0, 175), tone(425, 0, 175), tone(0, 0, 3500)],
    ..RECOMMENDED
};

const ITALY: Network = Network {
    dial: &[tone(425, 0, 200), tone(0, 0, 200), tone(425, 0, 600), tone(0, 0, 1000)],
    congestion: FIFTHS,
    call_waiting: &[
        tone(425, 0, 400),
        tone(0, 0, 100),
        tone(425, 0, 250),
        tone(0, 0, 100),
        tone(425, 0, 150),
        tone(0, 0, 14_000),
    ],
    ..RECOMMENDED
};

const NETHERLANDS: Network =
    Network { call_waiting: &[tone(425, 0, 500), tone(0, 0, 9500)], ..RECOMMENDED };

const SWEDEN: Network = Network {
    ringing: &[tone(425, 0, 1000), tone(0, 0, 5000)],
    busy: QUARTERS,
    congestion: &[tone(425, 0, 250), tone(0, 0, 750)],
    call_waiting: &[tone(425, 0, 200), tone(0, 0, 500), tone(425, 0, 200), tone(0, 0, 10_000)],
    ..RECOMMENDED
};

const AUSTRALIA: Network = Network {
    dial: &[tone(413, 438, 2000)],
    ringing: &[tone(413, 438, 400), tone(0, 0, 200), tone(413, 438, 400), tone(0, 0, 2000)],
    busy: &[tone(425, 0, 375), tone(0, 0, 375)],
    congestion: &[tone(425, 0, 375), tone(0, 0, 375)],
    call_waiting: &[tone(425, 0, 200), tone(0, 0, 200), tone(425, 0, 200), tone(0, 0, 4400)],
};

const JAPAN: Network = Network {
    dial: &[tone(400, 0, 2000)],
    // 400 Hz that swells 16 times a second, made of its two side frequencies.
    ringing: &[tone(392, 408, 1000), tone(0, 0, 2000)],
    busy: &[tone(400, 0, 500), tone(0, 0, 500)],
    congestion: &[tone(400, 0, 500), tone(0, 0, 500)],
    call_waiting: &[tone(392, 408, 500), tone(0, 0, 3500)],
};

const INDIA: Network = Network {
    dial: &[tone(400, 0, 2000)],
    ringing: &[tone(400, 0, 400), tone(0, 0, 200), tone(400, 0, 400), tone(0, 0, 2000)],
    busy: &[tone(400, 0, 750), tone(0, 0, 750)],
    congestion: &[tone(400, 0, 250), tone(0, 0, 250)],
    call_waiting: &[tone(400, 0, 200), tone(0, 0, 100), tone(400, 0, 200), tone(0, 0, 7500)],
};

const BRAZIL: Network = Network {
    busy: QUARTERS,
    congestion: &[tone(425, 0, 250), tone(0, 0, 250), tone(425, 0, 750), tone(0, 0, 250)],
    call_waiting: &[tone(425, 0, 50), tone(0, 0, 1000)],
    ..RECOMMENDED
};

const MEXICO: Network = Network {
    busy: QUARTERS,
    call_waiting: &[tone(425, 0, 200), tone(0, 0, 600), tone(425, 0, 200), tone(0, 0, 10_000)],
    ..RECOMMENDED
};

const POLAND: Network = Network {
    congestion: HALVES,
    call_waiting: &[tone(425, 0, 150), tone(0, 0, 150), tone(425, 0, 150), tone(0, 0, 4000)],
    ..RECOMMENDED
};

const TABLE: &[(&str, &Network)] = &[
    ("AT", &AUSTRIA),
    ("AU", &AUSTRALIA),
    ("BR", &BRAZIL),
    ("CA", &NORTH_AMERICA),
    ("CH", &SWITZERLAND),
    ("DE", &GERMANY),
    ("ES", &SPAIN),
    ("FR", &FRANCE),
    ("GB", &BRITAIN),
    ("IE", &BRITAIN),
    ("IN", &INDIA),
    ("IT", &ITALY),
    ("JP", &JAPAN),
    ("MX", &MEXICO),
    ("NL", &NETHERLANDS),
    ("PL", &POLAND),
    ("SE", &SWEDEN),
    ("US", &NORTH_AMERICA),
];

/// A country's; the recommended ones if it is not in the table.
pub(super) fn of(country: &str) -> &'static Network {
    let found = TABLE.iter().find(|(code, _)| code.eq_ignore_ascii_case(country));
    found.map_or(&RECOMMENDED, |(_, network)| network)
}

/// All of them, and the recommended ones without a code.
pub(super) fn all() -> impl Iterator<Item = (&'static str, &'static Network)> {
    TABLE.iter().copied().chain([("", &RECOMMENDED)])
}

#[cfg(test)]
pub(super) fn known() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|(code, _)| *code)
}
