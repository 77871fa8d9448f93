//! What a plane is told, and what it tells.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use base::Duration;

use crate::ice::Credentials;
use crate::progress::{Listening, Verdict};
use crate::srtp::{Profile, SrtpKeys};
use crate::{
    CaptureOrder, Channel, Digit, DigitSource, DigitWays, Masking, Member, MixId, OrderId, Peer,
    PlayId, Port, Prompt, RemoteMedia, Slot, StreamId, StreamStats, TapId, WebFailure,
};

/// An order to a plane. One for a stream it does not know is ignored: the stream was closed.
#[derive(Clone, Debug)]
pub enum Command {
    /// Opens a port pair. Answered by [`Event::Opened`] or [`Event::OpenFailed`].
    Open {
        /// The new stream's number.
        stream: StreamId,
        /// The even RTP port; RTCP has the one above.
        port: u16,
        /// Our synchronisation source towards the far end, for the stream's whole life.
        ssrc: u32,
        /// Our canonical name in RTCP (RFC 3550 §6.5.1).
        cname: Arc<str>,
    },
    /// Opens a stream without ports of its own: it is a browser's, and shares one with all others.
    /// Answered by [`Event::Opened`] or [`Event::OpenFailed`].
    OpenShared {
        /// The new stream's number.
        stream: StreamId,
        /// Our synchronisation source towards the far end, for the stream's whole life.
        ssrc: u32,
        /// Our canonical name in RTCP (RFC 3550 §6.5.1).
        cname: Arc<str>,
    },
    /// What our SDP says for ICE, before it is sent. A stream with ports of its own is on the shared
    /// one as well until its far end's SDP says which it takes. Again with others: ICE restarts.
    SetIce {
        /// The stream.
        stream: StreamId,
        /// Ours.
        ice: Credentials,
        /// Whether our SDP does not say that we are lite: the far end may be, or may expect checks.
        full: bool,
    },
    /// What the far end's SDP says for ICE and DTLS, before [`Command::SetRemote`]: without it the
    /// stream is no browser's, and not on the shared port any more.
    SetPeer {
        /// The stream.
        stream: StreamId,
        /// Who its far end is.
        peer: Box<Peer>,
    },
    /// The host that the far end's SIP comes from, before [`Command::SetRemote`]: behind NAT its
    /// audio comes from there, whatever its SDP says.
    ExpectHost {
        /// The stream.
        stream: StreamId,
        /// The host.
        host: IpAddr,
    },
    /// What the far end's SDP says; again on each re-negotiation.
    SetRemote {
        /// The stream.
        stream: StreamId,
        /// Its far end.
        remote: RemoteMedia,
        /// The keys both agreed on; without them all is in the clear. Keys that stay the same go
        /// on counting.
        srtp: Option<Box<SrtpKeys>>,
    },
    /// Plays to the far end, in place of what plays now. It goes before the bridge.
    Play {
        /// The stream.
        stream: StreamId,
        /// Comes back in [`Event::PlayFinished`], unless looped, stopped or replaced.
        play: PlayId,
        /// What to play, one after the other without a gap.
        sounds: Arc<[Arc<Prompt>]>,
        /// Again and again, from the first, without a gap.
        looped: bool,
    },
    /// Stops what plays.
    StopPlaying {
        /// The stream.
        stream: StreamId,
    },
    /// Joins two streams of this plane: each hears the other. Ends bridges they were in.
    Bridge {
        /// One.
        a: StreamId,
        /// The other.
        b: StreamId,
    },
    /// Parts them, if they are joined to each other.
    Unbridge {
        /// One.
        a: StreamId,
        /// The other.
        b: StreamId,
    },
    /// Joins streams of this plane in a mix, which begins with this if it is new: exactly these
    /// are its members from now on, in these roles, all at the same instant. They leave whatever
    /// bridge or mix they were in; a stream that it lists no more is alone. Without members it ends.
    Mix {
        /// The mix.
        mix: MixId,
        /// Its members, at most [`crate::MAX_MEMBERS`]: with more nothing changes, and
        /// [`Event::MixRefused`] says so. Of a stream that comes twice the first counts.
        members: Vec<Member>,
    },
    /// Ends a mix: each of its streams is alone.
    Unmix {
        /// The mix.
        mix: MixId,
    },
    /// What the far end of one stream says goes to the far end of another as well, whatever
    /// bridge or mix the first is in. It takes the place of an earlier copy of the first, and of
    /// what the second heard. The far end of `to` is heard by nobody.
    Copy {
        /// Who is copied.
        from: StreamId,
        /// To whom; to nobody any more with `None`.
        to: Option<StreamId>,
    },
    /// Copies what the stream's far end says (and never what is played to it) to a recording.
    Tap {
        /// The stream.
        stream: StreamId,
        /// The recording's tap.
        tap: TapId,
        /// Its side.
        channel: Channel,
    },
    /// Ends the copying.
    Untap {
        /// The stream.
        stream: StreamId,
    },
    /// Copies the stream's datagrams, both ways and in the clear, to whoever makes a file of them;
    /// in place of an earlier order. `None` ends it.
    Capture {
        /// The stream.
        stream: StreamId,
        /// What of it.
        order: Option<CaptureOrder>,
    },
    /// How the far end and we tell each other of keys; without it, by events, or by tones if those
    /// were not negotiated, and nobody listens for tones.
    DigitWays {
        /// The stream.
        stream: StreamId,
        /// How.
        ways: DigitWays,
    },
    /// Presses keys towards the far end, one after the other, in place of speech. At most 64 wait;
    /// what is beyond that is left out.
    SendDigits {
        /// The stream.
        stream: StreamId,
        /// `0`-`9`, `*`, `#`, `A`-`D`; `,` is a pause of a second. Others are left out.
        digits: Arc<str>,
        /// How long each is held: 40 ms to 5 s.
        each: Duration,
        /// The pause after each: 40 ms to 5 s.
        gap: Duration,
    },
    /// What the far end says or presses is kept from everybody from now on: peer, mix, copies,
    /// recording. Its keys are told by [`Event::Digit`] alone.
    Mask {
        /// The stream.
        stream: StreamId,
        /// What is kept.
        masking: Masking,
    },
    /// Listens to how the call comes along in what the far end says: [`Event::Progress`]. It takes
    /// the place of an earlier one and begins anew.
    Progress {
        /// The stream.
        stream: StreamId,
        /// For what; nobody listens any more with `None`.
        listening: Option<Box<Listening>>,
    },
    /// The far end has fallen silent: it may have moved to another port, or to another of the hosts
    /// that signalling named, with another SSRC. Nobody else is let in.
    Relatch {
        /// The stream.
        stream: StreamId,
    },
    /// Closes the port pair. Answered by [`Event::Closed`].
    Close {
        /// The stream.
        stream: StreamId,
    },
    /// Answered by [`Event::Confirmed`] when every order before it has been obeyed: what they say
    /// holds of each packet that comes from then on.
    Confirm {
        /// Comes back.
        order: OrderId,
    },
}

/// What happened in a plane.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// The ports are bound.
    Opened {
        /// The stream.
        stream: StreamId,
    },
    /// They are not, and the stream is gone: take another port.
    OpenFailed {
        /// The stream.
        stream: StreamId,
        /// The system's words.
        reason: String,
    },
    /// The last sample of a prompt has been played out.
    PlayFinished {
        /// The stream.
        stream: StreamId,
        /// Which play.
        play: PlayId,
    },
    /// The far end's true source is known; everything goes there from now on.
    Latched {
        /// The stream.
        stream: StreamId,
        /// Where the far end sends from.
        source: SocketAddr,
    },
    /// A browser has shown the certificate that its SDP names, and audio flows encrypted.
    Secured {
        /// The stream.
        stream: StreamId,
        /// How.
        profile: Profile,
    },
    /// A browser is not to be reached, or is not who its SDP says. Nothing is sent to it any more,
    /// unless it comes back by itself.
    Unreachable {
        /// The stream.
        stream: StreamId,
        /// Why.
        why: WebFailure,
    },
    /// Strangers sent to the stream; nothing of it was heard. At most one a second and stream.
    SourceRefused {
        /// The stream.
        stream: StreamId,
        /// The last stranger.
        source: SocketAddr,
        /// Packets refused since the last such event.
        packets: u64,
    },
    /// Nothing came from the far end for 3 s though it should send and somebody listens; again at
    /// 5 s. Not of one who may be silent by agreement (RFC 3389, Opus DTX).
    Unheard {
        /// The stream.
        stream: StreamId,
        /// For how long nothing has come.
        quiet: Duration,
        /// Whether anything ever came.
        heard: bool,
    },
    /// It came again after [`Event::Unheard`].
    HeardAgain {
        /// The stream.
        stream: StreamId,
    },
    /// The far end's packets hold no sound at all while the other side of its bridge has spoken for
    /// 3 s.
    Soundless {
        /// The stream.
        stream: StreamId,
        /// Whether any sound ever came.
        heard: bool,
    },
    /// They do again after [`Event::Soundless`].
    SoundAgain {
        /// The stream.
        stream: StreamId,
    },
    /// Nothing came from the far end for 60 s though it should send. Once per silence.
    RtpTimeout {
        /// The stream.
        stream: StreamId,
    },
    /// A member of a mix begins or ceases to talk: at once when it begins, after a pause of 400 ms
    /// when it ceases. Two plain parties have a bridge for a mix, which does not listen.
    Talking {
        /// The stream.
        stream: StreamId,
        /// Whether it talks now.
        talking: bool,
    },
    /// A mix was ordered with more than [`crate::MAX_MEMBERS`] members: nothing has changed.
    MixRefused {
        /// The first of the members.
        stream: StreamId,
        /// The mix.
        mix: MixId,
    },
    /// The far end presses a key; [`Event::Digit`] follows when it is let go.
    KeyDown {
        /// The stream.
        stream: StreamId,
    },
    /// The far end has pressed a key: once, whatever was lost or doubled on the way.
    Digit {
        /// The stream.
        stream: StreamId,
        /// Which.
        digit: Digit,
        /// For how long.
        duration: Duration,
        /// How it was told.
        by: DigitSource,
        /// Whether it was kept from everybody else ([`Command::Mask`]).
        masked: bool,
    },
    /// What was heard of how the call comes along ([`Command::Progress`]).
    Progress {
        /// The stream.
        stream: StreamId,
        /// What.
        verdict: Verdict,
        /// How long after the order.
        after: Duration,
    },
    /// How the stream is, about every 5 s while anything is heard or said on it.
    Figures {
        /// The stream.
        stream: StreamId,
        /// Totals so far, and the state of the last stretch.
        stats: Box<StreamStats>,
    },
    /// The stream is closed.
    Closed {
        /// The stream.
        stream: StreamId,
        /// Its totals.
        stats: StreamStats,
    },
    /// Every order before this one has been obeyed ([`Command::Confirm`]).
    Confirmed {
        /// Which.
        order: OrderId,
    },
}

/// What a plane wants of its driver, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PlaneOutput {
    /// Bind the two ports, then call [`crate::Plane::opened`].
    OpenPort {
        /// What to tie to the sockets.
        slot: Slot,
        /// For the driver's logs.
        stream: StreamId,
        /// The even port.
        port: u16,
    },
    /// Send one rare packet (RTCP BYE) that belongs to no batch.
    Send {
        /// The stream's slot.
        slot: Slot,
        /// From which of its sockets.
        port: Port,
        /// To whom.
        to: SocketAddr,
        /// The datagram.
        bytes: Box<[u8]>,
    },
    /// Close both sockets; the slot's index may come again.
    ClosePort {
        /// The slot.
        slot: Slot,
    },
}
