"""Compares the built-in piano with a sampled one and draws the pictures of docs/piano.md.

    compare.py PROGRAM FONT.sf2 PIECE.mid OUT_FOLDER

PROGRAM is the tchaikovsky binary, FONT a SoundFont with a piano as its first
program (FluidR3_GM.sf2), PIECE any dense piece. Needs fluidsynth, and numpy,
scipy, soundfile, mido, matplotlib.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib
import mido
import numpy as np
import soundfile
from scipy.signal import spectrogram

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

RATE = 48_000
KEYS = [24, 30, 36, 42, 48, 54, 60, 66, 72, 78, 84, 90, 96, 102, 108]
VELOCITIES = [20, 40, 60, 80, 100, 120]
HOLD, GAP = 6.0, 3.0
OURS, SAMPLED = ("built-in", "#440154"), ("FluidR3, sampled", "#d95f02")


def notes_file(path, notes):
    """Writes notes (key, velocity) one after another."""
    midi = mido.MidiFile(ticks_per_beat=480)
    track = mido.MidiTrack()
    midi.tracks.append(track)
    wait = 0
    for key, velocity in notes:
        track.append(mido.Message("note_on", note=key, velocity=velocity, time=wait))
        track.append(mido.Message("note_off", note=key, time=int(HOLD * 960)))
        wait = int(GAP * 960)
    midi.save(path)


def play(program, font, midi, folder, seconds):
    """Both instruments' sound of a file, mixed to one side, equally long."""
    sounds = []
    for index, command in enumerate([
        [program, "render", midi, "--out", folder / "0.wav", "--bits", "float"],
        ["fluidsynth", "-ni", "-q", "-g", "0.5", "-R", "0", "-C", "0", "-r", str(RATE), "-F", folder / "1.wav", font, midi],
    ]):
        subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)
        sound, rate = soundfile.read(folder / f"{index}.wav")
        assert rate == RATE
        mono = np.zeros(int(seconds * RATE))
        mono[: min(len(mono), len(sound))] = sound.mean(1)[: len(mono)]
        sounds.append(mono)
    return sounds


def note(sound, index, start, end):
    begin = index * (HOLD + GAP)
    return sound[int((begin + start) * RATE) : int((begin + end) * RATE)]


def spectrum(sound):
    power = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) ** 2
    return np.fft.rfftfreq(len(sound), 1 / RATE), power


def decibels(power):
    return 10 * np.log10(power + 1e-14)


def envelope(sound):
    step = int(0.02 * RATE)
    frames = sound[: len(sound) // step * step].reshape(-1, step)
    return np.arange(len(frames)) * 0.02, decibels((frames**2).mean(1))


def t60(sound, start, end):
    time, level = envelope(sound)
    within = (time >= start) & (time < end)
    slope = np.polyfit(time[within], level[within], 1)[0]
    return -60 / slope if slope < -0.5 else np.nan


def finish(figure, path):
    figure.tight_layout()
    figure.savefig(path, dpi=72, pil_kwargs={"optimize": True})
    print(path)


def main():
    program, font, piece, out = sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4])
    notes = [(key, velocity) for key in KEYS for velocity in VELOCITIES]
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        notes_file(folder / "notes.mid", notes)
        seconds = len(notes) * (HOLD + GAP)
        both = play(program, font, folder / "notes.mid", folder, seconds)
        pieces = play(program, font, piece, folder, mido.MidiFile(piece).length)
    instruments = list(zip(both, (OURS, SAMPLED)))

    figure, axes = plt.subplots(3, 1, figsize=(10, 9))
    for axis, key in zip(axes, (36, 60, 84)):
        for sound, (name, colour) in instruments:
            frequency, power = spectrum(note(sound, notes.index((key, 80)), 0.03, 0.53))
            level = decibels(power)
            axis.plot(frequency, level - level.max(), color=colour, lw=0.8, label=name, alpha=0.85)
        axis.set(xlim=(0, 8000 if key > 40 else 3000), ylim=(-90, 3), ylabel="dB", title=f"C{key // 12 - 1}, velocity 80, first half second")
    axes[0].legend()
    axes[-1].set_xlabel("Hz")
    finish(figure, out / "piano-spectra.png")

    figure, axes = plt.subplots(1, 3, figsize=(12, 3.8))
    for axis, key in zip(axes, (36, 60, 84)):
        for sound, (name, colour) in instruments:
            centres = []
            for velocity in VELOCITIES:
                frequency, power = spectrum(note(sound, notes.index((key, velocity)), 0.0, 0.5))
                amplitude = np.sqrt(power) * (frequency < 12_000)
                centres.append((amplitude * frequency).sum() / amplitude.sum())
            axis.plot(VELOCITIES, centres, "o-", color=colour, label=name)
            print(f"C{key // 12 - 1} {name}: centroid {np.round(centres)} Hz")
        axis.set(title=f"C{key // 12 - 1}", xlabel="velocity", ylim=0)
    axes[0].set_ylabel("spectral centroid (amplitude), Hz")
    axes[0].legend()
    finish(figure, out / "piano-velocity.png")

    figure, axes = plt.subplots(1, 2, figsize=(12, 4.2))
    for sound, (name, colour) in instruments:
        at = [note(sound, notes.index((key, 80)), 0, HOLD) for key in KEYS]
        early = [t60(sound, 0.1, 0.6) for sound in at]
        late = [t60(sound, 1.0, 4.0) if key < 90 else np.nan for sound, key in zip(at, KEYS)]
        axes[0].semilogy(KEYS, early, "o-", color=colour, label=f"{name}, 0.1 to 0.6 s")
        axes[0].semilogy(KEYS, late, "s--", color=colour, label=f"{name}, 1 to 4 s", alpha=0.6)
        print(name, "T60 early", np.round(early, 1), "late", np.round(late, 1))
        for key, style in ((36, "-"), (60, "--"), (84, ":")):
            time, level = envelope(note(sound, notes.index((key, 80)), 0, HOLD + 1.5))
            axes[1].plot(time, level - level.max(), style, color=colour, label=f"{name}, C{key // 12 - 1}")
    axes[0].set(xlabel="key (MIDI number)", ylabel="T60, seconds", title="time to fall by 60 dB")
    axes[1].set(xlabel="seconds", ylabel="dB", ylim=(-75, 3), title="level of a note held for 6 s")
    axes[0].legend(fontsize=8)
    axes[1].legend(fontsize=8)
    finish(figure, out / "piano-decay.png")

    figure, axes = plt.subplots(2, 1, figsize=(10, 6.4), sharex=True)
    middle = len(pieces[0]) // 2
    for axis, sound, (name, _) in zip(axes, pieces, (OURS, SAMPLED)):
        cut = sound[middle : middle + 12 * RATE]
        frequency, time, power = spectrogram(cut, RATE, "hann", 2048, 1024)
        level = decibels(power)
        axis.pcolormesh(time, frequency, level, vmin=level.max() - 80, vmax=level.max(), cmap="viridis", rasterized=True)
        axis.set(ylim=(0, 8000), ylabel="Hz", title=name)
    axes[-1].set_xlabel("seconds")
    finish(figure, out / "piano-spectrogram.png")


if __name__ == "__main__":
    main()
