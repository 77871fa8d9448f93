// What a page of the server's own plays, and where: told by the content of what it gives to its
// elements. With `test.holds` in the tab's storage nothing plays before the page was touched, as in
// browsers that are stricter than Chromium. Runs before the page's scripts.
(() => {
  const players = new Set();
  let isHeld = sessionStorage.getItem("test.holds") !== null;
  for (const touch of ["pointerdown", "keydown"]) {
    addEventListener(touch, () => (isHeld = false), { capture: true });
  }
  const { play } = HTMLMediaElement.prototype;
  HTMLMediaElement.prototype.play = async function start() {
    if (isHeld) throw new DOMException("the page was not touched", "NotAllowedError");
    players.add(this);
    return play.call(this);
  };
  const ears = new WeakMap();
  let context = null;

  function ear(stream) {
    if (ears.has(stream)) return ears.get(stream);
    context ??= new AudioContext();
    const analyser = new AnalyserNode(context, { fftSize: 8192, smoothingTimeConstant: 0 });
    new MediaStreamAudioSourceNode(context, { mediaStream: stream }).connect(analyser);
    ears.set(stream, analyser);
    return analyser;
  }

  /** How loud a tone is just now in what is played: `{sink, level}` of each element. */
  globalThis.plays = (hertz) => [...players]
    .filter((one) => !one.paused && one.srcObject?.getAudioTracks().length > 0)
    .map(({ srcObject, sinkId }) => {
      const samples = new Float32Array(8192);
      const heard = ear(srcObject);
      // A browser that holds sound back lets it begin when the page was touched.
      context.resume();
      heard.getFloatTimeDomainData(samples);
      const w = (2 * Math.PI * hertz) / context.sampleRate;
      let [s1, s2] = [0, 0];
      for (const one of samples) [s1, s2] = [one + 2 * Math.cos(w) * s1 - s2, s1];
      const power = s1 * s1 + s2 * s2 - 2 * Math.cos(w) * s1 * s2;
      return { sink: sinkId, level: (2 * Math.sqrt(Math.max(power, 0))) / samples.length };
    });
})();
