#!/usr/bin/env python3
"""Makes the corpus by which call progress is measured: people and answering machines that answer.

    mkdir packages && cd packages
    apt-get download asterisk-core-sounds-{en,es,fr,it,ru}-wav asterisk-prompt-es-co \
        asterisk-prompt-fr-armelle asterisk-prompt-it-menardi-wav asterisk-moh-opsound-wav \
        flite libflite1
    for p in *.deb; do dpkg -x $p ../root; done; cd ..
    benches/progress-corpus.py root corpus

It needs sox and espeak-ng. `root` is where the packages were unpacked, `corpus` is made: WAV files of
8 kHz and `corpus.tsv`. Speakers and voices of the half `tune` are never heard in the half `test`.

Recorded are the prompts of eight voices (Allison Smith in English and Spanish, June Wallack, July
Jimenez, Carlo Flora's, Paola Dal Zot, IVRvoice.ru's, Armelle Desjardins): greetings are put together
of them as Asterisk's voicemail does; people are short prompts, with pauses. Synthetic are texts spoken
by espeak-ng and flite.
"""
import array
import math
import os
import random
import subprocess
import sys
import wave
from pathlib import Path

RATE = 8000
ROOT, OUT = Path(sys.argv[1]), Path(sys.argv[2])
SOUNDS = ROOT / "usr/share/asterisk/sounds"
SPEAKERS = [
    ("tune", "en_US_f_Allison"), ("tune", "es_MX_f_Allison"), ("tune", "fr_CA_f_June"),
    ("tune", "es"), ("test", "it_IT_m_Carlo"), ("test", "it_IT_f_Menardi"),
    ("test", "ru_RU_f_IvrvoiceRU"), ("test", "fr"),
]
VOICES = [
    ("tune", "espeak:en-gb+f3"), ("tune", "espeak:en-us+m3"), ("tune", "espeak:de+m1"),
    ("tune", "espeak:fr-fr+f2"), ("tune", "flite:slt"), ("tune", "flite:kal"),
    ("test", "espeak:en-us+f4"), ("test", "espeak:en-gb+m7"), ("test", "espeak:de+f3"),
    ("test", "espeak:es+m2"), ("test", "flite:rms"), ("test", "flite:awb"),
]
PEOPLE = {
    "en": ["Hello?", "Yes?", "Hello, this is Anna.", "Smith.", "Hi.", "Yes, hello?", "Speaking.",
           "Hello, Smith speaking.", "John Miller, hello?", "Hey, what's up?", "Hello? Who is this?"],
    "de": ["Hallo?", "Ja bitte?", "Schmidt.", "Müller, guten Tag.", "Ja?", "Hallo, hier ist Anna."],
    "fr": ["Allô?", "Oui allô?", "Oui?", "Bonjour.", "Allô, c'est Marie."],
    "es": ["Diga?", "Hola?", "Sí?", "Bueno?", "Hola, soy Carlos."],
}
FIRMS = {
    "en": ["Good morning, Acme Corporation, Sarah speaking. How can I help you?",
           "Thank you for calling Miller and Sons, this is Bob.",
           "Hello, city library, front desk, good afternoon."],
    "de": ["Guten Tag, Firma Schulze und Söhne, Sie sprechen mit Frau Klein.",
           "Praxis Doktor Weber, mein Name ist Lehmann, was kann ich für Sie tun?"],
    "fr": ["Bonjour, société Dupont, Marie à l'appareil, que puis-je pour vous?"],
    "es": ["Buenos días, Restaurante La Plaza, le atiende Carmen."],
}
MACHINES = {
    "en": ["Hi, you have reached Anna. | I can't come to the phone right now. | Please leave a message after the tone.",
           "You have reached the voice mailbox of five five five, one two three four. | Please leave a message after the beep.",
           "Hello, this is John. | Sorry I missed your call. | Leave your name and number, and I will call you back.",
           "The person you are calling is not available. | At the tone, please record your message. | When you have finished recording, you may hang up.",
           "We are not at home. | Leave a message.",
           "Hi! | Leave a message after the tone, thanks.",
           "Thank you for calling Acme. | Our office is closed now. | Our opening hours are Monday to Friday from nine to five."],
    "de": ["Guten Tag, Sie sind verbunden mit dem Anschluss von Familie Schmidt. | Wir sind zurzeit nicht erreichbar. | Bitte hinterlassen Sie eine Nachricht nach dem Signalton.",
           "Hallo, hier ist die Mailbox von Peter. | Bitte sprechen Sie nach dem Ton.",
           "Der gewünschte Gesprächspartner ist zurzeit nicht erreichbar. | Sie können nach dem Signalton eine Nachricht hinterlassen."],
    "fr": ["Bonjour, vous êtes bien sur la messagerie de Marie. | Je ne suis pas disponible. | Laissez un message après le bip.",
           "Vous êtes sur le répondeur du zéro six, douze, trente quatre. | Veuillez laisser un message."],
    "es": ["Hola, ha llamado a la familia García. | En este momento no podemos atenderle. | Deje su mensaje después de la señal.",
           "El teléfono al que llama no está disponible. | Por favor, deje un mensaje después de oír la señal."],
}
# Frequencies, milliseconds, how often (with 120 ms between), level; of machines as they are sold.
BEEPS = [([1000], 400, 1, .25), ([440], 500, 1, .3), ([1400], 400, 1, .25), ([2000], 250, 1, .2),
         ([850], 180, 1, .25), ([620], 1000, 1, .15), ([1209, 852], 300, 1, .3), ([1000], 120, 3, .2),
         ([1760], 90, 1, .25), ([425], 900, 1, .2), ([1330], 1500, 1, .1), ([2600], 200, 1, .15),
         ([350, 440], 700, 1, .2), ([780], 2000, 1, .2), ([1000], 250, 1, .05), ([523], 350, 1, .3)]


def sox(args):
    return subprocess.run(["sox", "-V0", *args], check=True, capture_output=True).stdout


def load(path):
    kind = ["-t", "gsm"] if str(path).endswith(".gsm") else []
    raw = sox([*kind, str(path), "-t", "raw", "-r", "8000", "-c", "1", "-b", "16", "-e", "signed", "-"])
    return trim(array.array("h", raw))


def trim(pcm):
    """Without the silence around it: less than -46 dB of the full scale in 10 ms."""
    loud = [n for n in range(0, len(pcm) - 80, 80) if max(pcm[n:n + 80]) - min(pcm[n:n + 80]) > 450]
    return pcm[loud[0]:loud[-1] + 160] if loud else array.array("h")


def say(voice, text):
    engine, name = voice.split(":")
    path = "/tmp/progress-corpus-say.wav"
    if engine == "espeak":
        subprocess.run(["espeak-ng", "-v", name, "-s", "165", "-w", path, text], check=True)
    else:
        env = {**os.environ, "LD_LIBRARY_PATH": str(ROOT / "usr/lib/x86_64-linux-gnu")}
        subprocess.run([ROOT / "usr/bin/flite", "-voice", name, "-t", text, "-o", path],
                       check=True, env=env)
    return level(load(path))


def level(pcm, to=-20.0):
    """Speech at -20 dB of the full scale, as most of it is on the telephone."""
    power = sum(s * s for s in pcm) / max(1, len(pcm))
    gain = 32768 * 10 ** (to / 20) / math.sqrt(max(power, 1))
    return array.array("h", (max(-32768, min(32767, int(s * gain))) for s in pcm))


def silence(ms):
    return array.array("h", bytes(2 * (RATE * ms // 1000)))


def beep(rng, recorded):
    if recorded is not None and rng.random() < 0.5:
        return level(recorded, -16)
    hertz, ms, times, loud = rng.choice(BEEPS)
    one = array.array("h")
    count = RATE * ms // 1000
    for n in range(count):
        edge = min(1, n / 32, (count - 1 - n) / 32)
        wave_ = sum(math.sin(2 * math.pi * f * n / RATE) for f in hertz) / len(hertz)
        one.append(int(32767 * loud * edge * wave_))
    whole = one[:]
    for _ in range(times - 1):
        whole += silence(120) + one
    return whole


class Corpus:
    def __init__(self):
        OUT.mkdir(parents=True, exist_ok=True)
        self.rows = []

    def add(self, who, half, source, kind, pcm, ended=0, beeped=0):
        name = f"{len(self.rows):04}-{who}-{kind}.wav"
        with wave.open(str(OUT / name), "wb") as out:
            out.setparams((1, 2, RATE, len(pcm), "NONE", ""))
            out.writeframes(pcm.tobytes())
        self.rows.append((name, who, half, source, kind, str(ended), str(beeped)))

    def person(self, rng, half, source, kind, parts):
        pcm = silence(rng.randint(150, 1600))
        for n, part in enumerate(parts):
            pcm += (silence(rng.randint(200, 500)) if n else array.array("h")) + part
        pcm += silence(rng.randint(2200, 3500)) + parts[0] + silence(3500)
        self.add("human", half, source, kind, pcm)

    def machine(self, rng, half, source, kind, parts, recorded=None, has_beep=True, before=None):
        pcm = silence(rng.randint(200, 1800)) + (before or array.array("h"))
        for n, part in enumerate(parts):
            pcm += (silence(rng.randint(120, 700)) if n else array.array("h")) + part
        ended, beeped = len(pcm) * 1000 // RATE, 0
        pcm += silence(rng.randint(250, 1500))
        if has_beep:
            pcm += beep(rng, recorded)
            beeped = len(pcm) * 1000 // RATE
        pcm += silence(4500)
        self.add("machine", half, source, kind, pcm, ended, beeped)


def main():
    rng, corpus = random.Random(19), Corpus()
    music = [load(path) for path in sorted((ROOT / "usr/share/asterisk/moh").glob("*.wav"))]
    for half, speaker in SPEAKERS:
        folder = SOUNDS / speaker
        files = sorted(p for p in folder.rglob("*") if p.suffix in (".wav", ".gsm"))
        files = [p for p in files if "silence" not in p.parts and "beep" not in p.stem]
        beeps = [p for p in folder.glob("beep.*")]
        recorded = load(beeps[0]) if beeps else None
        speech = {p: load(p) for p in rng.sample(files, min(len(files), 240))}
        short = [p for p in speech if 0.25 <= len(speech[p]) / RATE <= 1.3]
        middle = [p for p in speech if 1.8 <= len(speech[p]) / RATE <= 3.2]
        long = [p for p in speech if 4.0 <= len(speech[p]) / RATE <= 14]
        hello = [p for p in files if p.stem in ("hello", "hello-world")]
        for path in hello + rng.sample(short, min(16, len(short))):
            corpus.person(rng, half, "recorded", "word", [level(load(path))])
        for _ in range(8):
            parts = [level(speech[p]) for p in rng.sample(short, 2)]
            corpus.person(rng, half, "recorded", "words", parts)
        for path in rng.sample(middle, min(5, len(middle))):
            corpus.person(rng, half, "recorded", "firm", [level(speech[path])])
        by_name = {p.relative_to(folder).with_suffix("").as_posix(): p for p in files}
        get = lambda name: level(load(by_name[name]))
        digits = lambda: [get(f"digits/{rng.randint(0, 9)}") for _ in range(4)]
        for n in range(12):
            mode = n % 4
            if mode == 0:
                parts = [get("vm-theperson"), *digits(), get("vm-isunavail"), get("vm-intro")]
            elif mode == 1:
                parts = [get("vm-theperson"), *digits(), get("vm-isonphone"), get("vm-intro")]
            elif mode == 2:
                parts = [get("vm-intro")]
            else:
                parts = [get("vm-theperson"), *digits(), get("vm-isunavail")]
            corpus.machine(rng, half, "recorded", "asterisk", parts, recorded, n != 11)
        for n, path in enumerate(rng.sample(long, min(12, len(long)))):
            before = None
            if n % 4 == 3:
                tune = rng.choice(music)
                at = rng.randrange(len(tune) - 5 * RATE)
                before = level(tune[at:at + rng.randint(2, 4) * RATE], -24)
            kind = "music" if before else "long"
            corpus.machine(rng, half, "recorded", kind, [level(speech[path])], recorded, n % 6 != 5, before)
    for half, voice in VOICES:
        language = voice.split(":")[1][:2] if voice.startswith("espeak") else "en"
        for text in PEOPLE[language]:
            corpus.person(rng, half, "synthetic", "word", [say(voice, text)])
        for text in FIRMS[language]:
            corpus.person(rng, half, "synthetic", "firm", [say(voice, text)])
        for text in MACHINES[language]:
            for turn in range(2):
                parts = [say(voice, part) for part in text.split("|")]
                corpus.machine(rng, half, "synthetic", "greeting", parts, None, turn == 0 or rng.random() < .7)
    for n in range(20):
        tune = music[n % len(music)]
        at = rng.randrange(len(tune) - 20 * RATE)
        half = "tune" if n < 10 else "test"
        corpus.add("music", half, "recorded", "music", level(tune[at:at + 20 * RATE], -20))
    with open(OUT / "corpus.tsv", "w") as out:
        for row in corpus.rows:
            print("\t".join(row), file=out)


main()
