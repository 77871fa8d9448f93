// Microphones that a test plugs in and out, each with a tone of its own, and what a page plays: for
// pages of the server's own. Runs before the page's scripts.
(() => {
  const media = navigator.mediaDevices;
  if (!media) return;
  /** By name: its tone in hertz. */
  const plugged = new Map([["headset", 1000], ["table", 1300]]);
  const inUse = new Map();
  const real = media.enumerateDevices.bind(media);
  let isRefused = false;

  const named = (deviceId) => ({ deviceId, kind: "audioinput", label: deviceId, groupId: "" });
  media.enumerateDevices = async () => {
    const others = (await real()).filter(({ kind }) => kind === "audiooutput");
    return [...[...plugged.keys()].map(named), ...others];
  };

  // A clone is of the same device.
  function ofDevice(track, name) {
    Object.defineProperty(track, "label", { value: name });
    track.getSettings = () => ({ deviceId: name });
    const clone = track.clone.bind(track);
    track.clone = () => ofDevice(clone(), name);
    inUse.set(name, [...(inUse.get(name) ?? []), track]);
    return track;
  }

  media.getUserMedia = async ({ audio }) => {
    if (isRefused) throw new DOMException("not allowed", "NotAllowedError");
    const wanted = audio.deviceId?.exact;
    if (wanted && !plugged.has(wanted)) throw new OverconstrainedError("deviceId", "gone");
    const name = wanted ?? [...plugged.keys()][0];
    if (!name) throw new DOMException("no device", "NotFoundError");
    const context = new AudioContext();
    const tone = new OscillatorNode(context, { frequency: plugged.get(name) });
    const out = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
    tone.connect(new GainNode(context, { gain: 0.3 })).connect(out);
    tone.start();
    await context.resume();
    ofDevice(out.stream.getAudioTracks()[0], name);
    return out.stream;
  };

  globalThis.devices = {
    unplug(name) {
      plugged.delete(name);
      for (const track of inUse.get(name) ?? []) {
        if (track.readyState === "ended") continue;
        track.stop();
        track.dispatchEvent(new Event("ended"));
      }
      inUse.delete(name);
      media.dispatchEvent(new Event("devicechange"));
    },
    plug(name, hertz) {
      plugged.set(name, hertz);
      media.dispatchEvent(new Event("devicechange"));
    },
    refuse: (on) => void (isRefused = on),
  };
})();
